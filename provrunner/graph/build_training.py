"""What happened in a run: stages, epochs, and the model as each of them left it."""

from __future__ import annotations

from provrunner.graph.build_adaptations import add_adaptations
from provrunner.graph.build_checkpoints import add_checkpoints
from provrunner.graph.build_metrics import add_metrics
from provrunner.graph.build_steps import add_carried_out
from provrunner.graph.context import Context, Span
from provrunner.graph.records import RunRecord
from provrunner.graph.statements import Because
from provrunner.graph.timeline import Activity, State, Timeline, is_fine, read_timeline

__all__ = ["add_training"]

_TYPES = {
    "fit": ("pr:Fit", "fit"),
    "train": ("pr:TrainEpoch", "train epoch"),
    "validate": ("pr:Validation", "validation"),
    "test": ("pr:Test", "test"),
}
_STEPS = {"train": "fit"}
_DATA = {"train": "train", "validate": "val", "test": "test", "fit": "train"}
_ROLES = {
    "train": "pr:trainingData",
    "fit": "pr:trainingData",
    "validate": "pr:validationData",
    "test": "pr:testData",
}


def add_training(context: Context, record: RunRecord) -> None:
    """State a run's stages and epochs and, for each, what it used and made."""
    timeline = read_timeline(context, record)
    if context.granularity != "run":
        _add_stages(context, record, timeline)
    if is_fine(context):
        for epoch in timeline.shown:
            _add_epoch(context, record, timeline, epoch)
    if context.plan.imported is None:
        # no store of another tool tells of the model that its metrics judged
        _add_states(context, record, timeline)
    add_checkpoints(context, record, timeline)
    add_metrics(context, record, timeline)
    add_adaptations(context, record, timeline)


def _add_stages(context: Context, record: RunRecord, timeline: Timeline) -> None:
    if "fit" in timeline.stages or timeline.shown:
        _add_activity(
            context, record, timeline, stage="fit", span=timeline.stages.get("fit", Span())
        )
    if "test" in timeline.stages or record.tests:
        _add_activity(
            context, record, timeline, stage="test", span=timeline.stages.get("test", Span())
        )


def _add_epoch(context: Context, record: RunRecord, timeline: Timeline, epoch: int) -> None:
    train = timeline.epochs["train", epoch]
    _add_activity(context, record, timeline, stage="train", epoch=epoch, span=train)
    evaluated = any(record.stages.get(name) == "validate" for name in record.epochs.get(epoch, ()))
    if evaluated or ("validate", epoch) in timeline.epochs:
        validate = timeline.epochs.get(("validate", epoch), Span())
        _add_activity(context, record, timeline, stage="validate", epoch=epoch, span=validate)


def _add_activity(
    context: Context,
    record: RunRecord,
    timeline: Timeline,
    *,
    stage: str,
    epoch: int | None = None,
    span: Span,
) -> None:
    """State a stage, or an epoch, which the fit started, and the data it used."""
    type_, words = _TYPES[stage]
    suffix = "" if epoch is None else f".{epoch}"
    starter = timeline.run.id if epoch is None else timeline.where("fit").id
    activity = context.statements.add(
        "activity",
        f"{timeline.run.id}.{stage}{suffix}",
        type_,
        f"{words}{suffix.replace('.', ' ')}",
        run=record.number,
        start=span.start,
        end=span.end,
        attributes={"epoch": epoch},
    )
    relate, run = context.statements.relate, record.number
    relate("was_started_by", activity, starter, run=run, time=span.start)
    timeline.activities[stage, epoch] = Activity(activity, span)
    add_carried_out(context, _STEPS.get(stage, stage), activity, run=run)
    for name, data in sorted(context.splits.get(run, {}).items()):
        if str(name).lower().startswith(_DATA[stage]):
            role = _ROLES[stage]
            relate("used", activity, data, data, run=run, time=span.start, role=role)


def _add_states(context: Context, record: RunRecord, timeline: Timeline) -> None:
    """State the model, and what it was after each shown epoch that got far enough to leave one."""
    made = [epoch for epoch in timeline.shown if _is_made(record, timeline, epoch)]
    if not made and record.row["architecture_hash"] is None:
        return
    run, statements = timeline.run, context.statements
    model = statements.add(
        "entity",
        f"{run.id}.model",
        ("pr:Model", "mls:Model"),
        f"model of run {record.row['run_id']}",
        run=record.number,
        attributes={
            "architectureHash": record.row["architecture_hash"],
            "parameters": record.row["parameters"],
        },
    )
    statements.relate("was_generated_by", model, run.id, run=record.number, time=run.span.start)
    previous: State | None = None
    for epoch in made:
        previous = _add_state(context, record, timeline, epoch, previous)
        statements.relate("specialization_of", previous.id, model, "model", run=record.number)
    _add_model_uses(context, record, timeline, model)


def _add_model_uses(context: Context, record: RunRecord, timeline: Timeline, model: str) -> None:
    """State the model as what fit and train epochs used where no state of it is known."""
    for (stage, _), activity in timeline.activities.items():
        if stage in {"fit", "train"} and activity.id not in timeline.continued:
            time = activity.span.start
            relate = context.statements.relate
            relate(
                *("used", activity.id, model, "model"),
                run=record.number,
                time=time,
                role="pr:model",
            )


def _is_made(record: RunRecord, timeline: Timeline, epoch: int) -> bool:
    """Tell whether an epoch's training came to its end, by its own or by what came of it."""
    return (
        timeline.epochs["train", epoch].end is not None
        or ("validate", epoch) in timeline.epochs
        or bool(record.epochs.get(epoch))
    )


def _add_state(
    context: Context, record: RunRecord, timeline: Timeline, epoch: int, previous: State | None
) -> State:
    relate, run = context.statements.relate, record.number
    maker, time = timeline.where("train", epoch), _state_time(timeline, epoch)
    id_ = f"{timeline.run.id}.state.{epoch}"
    label = f"model after epoch {epoch}"
    context.statements.add(
        "entity", id_, ("pr:ModelState", "mls:Model"), label, run=run, attributes={"epoch": epoch}
    )
    made = relate("was_generated_by", id_, maker.id, run=run, time=time)
    state = timeline.states[epoch] = State(id_, time, epoch)
    if previous is not None:
        because: Because = (None, None, None)
        if is_fine(context) and previous.epoch == epoch - 1:
            start = _latest(maker.span.start, previous.time)
            used = relate(
                "used", maker.id, previous.id, "state", run=run, time=start, role="pr:model"
            )
            because = (maker.id, made, used)
            timeline.continued.add(maker.id)
        relate(
            "was_derived_from",
            id_,
            previous.id,
            "state",
            run=run,
            because=because,
            type="prov:Revision",
        )
    if activity := timeline.activities.get(("validate", epoch)):
        start = activity.span.start
        used = relate("used", activity.id, id_, "model", run=run, time=start, role="pr:model")
        timeline.uses[activity.id, id_] = used
    return state


def _state_time(timeline: Timeline, epoch: int) -> int | None:
    """Return when an epoch left the model: as its validation began, else as it ended."""
    train = timeline.epochs["train", epoch]
    validate = timeline.epochs.get(("validate", epoch), Span())
    known = [time for time in (validate.start, validate.end, train.end) if time is not None]
    return timeline.where("train", epoch).span.clamp(min(known, default=None))


def _latest(*times: int | None) -> int | None:
    return max((time for time in times if time is not None), default=None)

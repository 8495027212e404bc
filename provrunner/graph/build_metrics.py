"""The numbers of a run: its metrics, and the result that it is judged by."""

from __future__ import annotations

from provrunner.graph.context import Context, Span
from provrunner.graph.records import RunRecord
from provrunner.graph.statements import Because
from provrunner.graph.terms import local_name
from provrunner.graph.timeline import Timeline

__all__ = ["add_metrics"]


def add_metrics(context: Context, record: RunRecord, timeline: Timeline) -> None:
    """State the metrics of each shown epoch and of the test, and the run's result."""
    for epoch in timeline.shown:
        for name, value in record.epochs.get(epoch, {}).items():
            if record.stages.get(name) != "test":
                stage = record.stages.get(name, "train")
                _add_metric(context, record, timeline, (name, stage, epoch), value)
    _add_tested_model(context, record, timeline)
    for name, value in record.tests.items():
        _add_metric(context, record, timeline, (name, "test", None), value)
    _add_objective(context, record, timeline)
    if record.row["status"] != "running":
        _add_result(context, record, timeline)


def _add_tested_model(context: Context, record: RunRecord, timeline: Timeline) -> None:
    """State that a test that loaded no checkpoint judged the last model before it began."""
    test = timeline.activities.get(("test", None))
    if test is None or timeline.loaded:
        return
    start = test.span.start
    before = [
        state
        for state in timeline.states.values()
        if start is None or state.time is None or state.time <= start
    ]
    if before:
        timeline.loaded = before[-1].id
        timeline.uses[test.id, before[-1].id] = context.statements.relate(
            *("used", test.id, before[-1].id, "model"),
            run=record.number,
            time=start,
            role="pr:model",
        )


def _add_metric(
    context: Context,
    record: RunRecord,
    timeline: Timeline,
    what: tuple[str, str, int | None],
    value: float,
    *,
    is_objective: bool = False,
) -> str:
    """State a metric, made by the stage that logged it from the model it judged."""
    name, stage, epoch = what
    best = is_objective or (
        name == context.plan.objective.metric and epoch == record.row["objective_epoch"]
    )
    suffix = stage if epoch is None else epoch
    run, relate = record.number, context.statements.relate
    metric = context.statements.add(
        "entity",
        f"{timeline.run.id}.metric.{local_name(name)}.{suffix}",
        ("pr:Metric", "mls:ModelEvaluation"),
        f"{name} = {value:.6g}",
        run=run,
        attributes={
            "name": name,
            "prov:value": value,
            "epoch": epoch,
            "stage": stage,
            "best": best or None,
        },
    )
    maker = timeline.where(stage, epoch)
    time = maker.span.clamp(_end(timeline, stage, epoch, maker.span))
    made = relate("was_generated_by", metric, maker.id, run=run, time=time)
    if best:
        context.objectives[run] = metric
    model = _model(timeline, stage, epoch)
    if model:
        used = timeline.uses.get((maker.id, model))
        because: Because = (maker.id, made, used) if used else (None, None, None)
        relate("was_derived_from", metric, model, "model", run=run, because=because)
    return metric


def _end(timeline: Timeline, stage: str, epoch: int | None, outer: Span) -> int | None:
    """Return when a stage's epoch ended; what it logged was whole then."""
    if epoch is None:
        return timeline.stages.get(stage, outer).end
    span = timeline.epochs.get((stage, epoch))
    return span.end if span else timeline.epochs["train", epoch].end


def _model(timeline: Timeline, stage: str, epoch: int | None) -> str | None:
    """Return the model that a stage judged; a training metric is taken of many, on the way."""
    if stage == "test":
        return timeline.loaded
    state = timeline.states.get(epoch) if stage == "validate" and epoch is not None else None
    return state.id if state else None


def _add_objective(context: Context, record: RunRecord, timeline: Timeline) -> None:
    """State the value that the run is judged by where no shown epoch or test has stated it."""
    row, name = record.row, context.plan.objective.metric
    if row["objective"] is None or record.number in context.objectives:
        return
    stage = record.stages.get(name, "train")
    if name in record.tests:
        context.objectives[record.number] = f"{timeline.run.id}.metric.{local_name(name)}.test"
        return
    what = (name, stage if ("train", row["objective_epoch"]) in timeline.epochs else "fit", None)
    _add_metric(context, record, timeline, what, row["objective"], is_objective=True)


def _add_result(context: Context, record: RunRecord, timeline: Timeline) -> None:
    """State how a run ended and the value it is judged by: a member of the sweep's results."""
    row, run, relate = record.row, record.number, context.statements.relate
    result = context.statements.add(
        "entity",
        f"{timeline.run.id}.result",
        "pr:RunResult",
        f"run {row['run_id']} {row['status']}",
        run=run,
        attributes={
            "status": row["status"],
            "reason": row["reason"],
            "objective": row["objective"],
            "epoch": row["objective_epoch"],
        },
    )
    relate("was_generated_by", result, timeline.run.id, run=run, time=timeline.run.span.end)
    if metric := context.objectives.get(run):
        relate("was_derived_from", result, metric, "objective", run=run)
    for agent in context.agents.get(run, ())[:1]:
        relate("was_attributed_to", result, agent, "", run=run)
    context.results.append(result)

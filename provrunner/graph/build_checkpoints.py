"""The checkpoints of a run: who wrote them, what they hold, and which are gone."""

from __future__ import annotations

from collections import Counter

from provrunner.graph.context import Context, Span
from provrunner.graph.records import Event, Row, RunRecord
from provrunner.graph.statements import Because
from provrunner.graph.terms import content_id
from provrunner.graph.timeline import Activity, State, Timeline

__all__ = ["add_checkpoints"]


def add_checkpoints(context: Context, record: RunRecord, timeline: Timeline) -> None:
    """State each checkpoint as a revision of the one before, and those that the run read."""
    rows = [row for row in record.artifacts if row["kind"] == "checkpoint"]
    rows = [row for row in rows if row["rank"] == min(row["rank"] or 0 for row in rows)]
    rows.sort(key=lambda row: (row["created"] or 0, row["seq"] or 0))
    twins: Counter[int | None] = Counter()
    previous: tuple[Row, str, Span] | None = None
    for row in rows:
        removed = context.collected.get((record.row["run_id"], row["path"], row["deleted"]))
        if removed is not None:
            row["deleted"] = None  # by a clean-up, which is no part of the run
        maker = timeline.around(row["created"], row["epoch"])
        life = _life(row, maker, timeline.run)
        twins[row["step"]] += 1
        checkpoint = _add_checkpoint(
            context, record, timeline, row, life=life, twin=twins[row["step"]]
        )
        made = context.statements.relate(
            "was_generated_by", checkpoint, maker.id, run=record.number, time=life.start
        )
        if previous and previous[0]["step"] != row["step"]:
            _add_revision(context, record, (maker, checkpoint, made), previous)
        if row["deleted"] is not None:
            context.statements.relate(
                "was_invalidated_by",
                checkpoint,
                timeline.run.id,
                run=record.number,
                time=life.end,
            )
        if removed is not None:
            removed.append(checkpoint)
        timeline.checkpoints.append((checkpoint, life))
        previous = (row, checkpoint, life)
    for event in record.events.get("checkpoint_loaded", ()):
        _add_loaded(context, record, timeline, event, rows)


def _life(row: Row, maker: Activity, run: Activity) -> Span:
    """Return when a checkpoint came to be and when it was deleted."""
    created = maker.span.clamp(row["created"])
    deleted = Span(created, run.span.end).clamp(row["deleted"])
    return Span(created, deleted)


def _add_checkpoint(
    context: Context, record: RunRecord, timeline: Timeline, row: Row, *, life: Span, twin: int
) -> str:
    """State a checkpoint, the bytes it is, and the state of the model that it holds."""
    run, statements = record.number, context.statements
    path = str(row["path"] or "")
    checkpoint = statements.add(
        "entity",
        f"{timeline.run.id}.checkpoint.{row['step']}{'' if twin == 1 else f'-{twin}'}",
        "pr:Checkpoint",
        path.rpartition("/")[2] or "checkpoint",
        run=run,
        attributes={
            "path": path or None,
            "sha256": row["sha256"],
            "sizeBytes": row["size_bytes"],
            "step": row["step"],
            "epoch": row["epoch"],
            "chosenBy": row["metric"],
            "chosenAt": row["value"],
            "checkpointRole": row["role"],
        },
    )
    if row["sha256"]:
        blob = _add_blob(context, row["sha256"])
        statements.relate("specialization_of", checkpoint, blob, blob, run=run)
    state = _state_before(timeline, row["epoch"], life.start)
    if state is not None:
        statements.relate("was_derived_from", checkpoint, state.id, "state", run=run)
        if state.epoch == row["epoch"]:
            # The file was written after the epoch was evaluated: a metric cannot derive from it,
            # but both are the model after that epoch.
            statements.relate("alternate_of", state.id, checkpoint, checkpoint, run=run)
    return checkpoint


def _state_before(timeline: Timeline, epoch: int | None, time: int | None) -> State | None:
    """Return the last state of the model that a checkpoint of this epoch and time can hold."""
    states = [
        state
        for state in timeline.states.values()
        if (epoch is None or state.epoch <= epoch)
        and (time is None or state.time is None or state.time <= time)
    ]
    return states[-1] if states else None


def _add_revision(
    context: Context,
    record: RunRecord,
    new: tuple[Activity, str, str],
    old: tuple[Row, str, Span],
) -> None:
    """State that a checkpoint continues the one before, by the use that its maker made of that one.

    One that was deleted before the maker began cannot have been used: then the bare derivation
    stands.
    """
    maker, checkpoint, made = new
    _, before, life = old
    relate, run = context.statements.relate, record.number
    time = maker.span.start if life.start is None else maker.span.clamp(life.start)
    because: Because = (None, None, None)
    if not (life.end is not None and time is not None and time > life.end):
        used = relate("used", maker.id, before, before, run=run, time=time, role="pr:continued")
        because = (maker.id, made, used)
    relate(
        "was_derived_from",
        checkpoint,
        before,
        before,
        run=run,
        because=because,
        type="prov:Revision",
    )


def _add_blob(context: Context, sha256: str | None, otherwise: str = "") -> str:
    return context.statements.add(
        "entity",
        content_id("blob", sha256, otherwise),
        "pr:Content",
        f"bytes {sha256[:10]}" if sha256 else "unknown bytes",
        attributes={"sha256": sha256},
    )


def _add_loaded(
    context: Context, record: RunRecord, timeline: Timeline, event: Event, rows: list[Row]
) -> None:
    """State that a checkpoint was read: by the test if training was over, else by the run."""
    test = timeline.activities.get(("test", None))
    fit_end = timeline.stages.get("fit", Span()).end
    late = fit_end is not None and event.time is not None and event.time >= fit_end
    for_test = late or "fit" not in timeline.stages
    reader = (test if for_test else None) or timeline.run
    time = reader.span.clamp(event.time)
    entity = _loaded_entity(context, timeline, event, time, rows)
    if for_test:
        timeline.loaded = entity
    role = "pr:model" if for_test else "pr:initialModel"
    relate, run = context.statements.relate, record.number
    used = relate("used", reader.id, entity, entity, run=run, time=time, role=role)
    timeline.uses[reader.id, entity] = used
    if not for_test and entity.startswith("blob-") and timeline.states:
        first = next(iter(timeline.states.values()))
        relate("was_derived_from", first.id, entity, entity, run=run)


def _loaded_entity(
    context: Context, timeline: Timeline, event: Event, time: int | None, rows: list[Row]
) -> str:
    """Return the run's own checkpoint that was read, else an entity for the bytes alone."""
    sha256 = event.data.get("sha256")
    for row, (id_, life) in zip(rows, timeline.checkpoints, strict=True):
        if sha256 and row["sha256"] == sha256 and life.clamp(time) == time:
            return id_
    return _add_blob(context, sha256, f"{timeline.run.id} {event.subject}")

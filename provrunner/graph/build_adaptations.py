"""What changed while a run trained: each new value of a setting revises the one before."""

from __future__ import annotations

from collections import Counter

from provrunner.graph.build_run import add_agent
from provrunner.graph.context import Context
from provrunner.graph.records import Row, RunRecord
from provrunner.graph.terms import local_name, parse_json
from provrunner.graph.timeline import Timeline, is_fine
from provrunner.ids import qualified_id

__all__ = ["add_adaptations"]


def add_adaptations(context: Context, record: RunRecord, timeline: Timeline) -> None:
    """State the last change of each setting in each shown epoch, and who trained under it."""
    rows = [row for row in record.adaptations if row["time"] is not None]
    rows = [row for row in rows if row["rank"] == min(row["rank"] or 0 for row in rows)]
    rows.sort(key=lambda row: (row["time"], row["step"] or 0))
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        by_name.setdefault(row["name"] or "", []).append(row)
    for name in sorted(by_name):
        _add_revisions(context, record, timeline, name, by_name[name])


def _add_revisions(
    context: Context, record: RunRecord, timeline: Timeline, name: str, rows: list[Row]
) -> None:
    previous = _initial(context, record, name)
    in_force: list[tuple[int, str]] = []
    twins: Counter[int | None] = Counter()
    for count, row in _last_by_epoch(context, timeline, rows):
        maker = timeline.around(row["time"], row["epoch"])
        time = maker.span.clamp(row["time"])
        twins[row["step"]] += 1
        twin = twins[row["step"]]
        setting = _add_adaptation(context, record, name, row, changes=count, twin=twin)
        relate, run = context.statements.relate, record.number
        relate("was_generated_by", setting, maker.id, run=run, time=time)
        if previous:
            relate("was_derived_from", setting, previous, "", run=run, type="prov:Revision")
        if row["agent"]:
            person = qualified_id("person", row["agent"])
            known = person in context.statements.nodes
            agent = add_agent(context, row["agent"], person=known)
            relate("was_attributed_to", setting, agent, "", run=run)
        previous = setting
        in_force.append((row["time"] if time is None else time, setting))
    _add_uses(context, record, timeline, name, in_force)


def _last_by_epoch(context: Context, timeline: Timeline, rows: list[Row]) -> list[tuple[int, Row]]:
    """Return the last change in each shown epoch, with the number of changes it stands for."""
    shown = set(timeline.shown) if is_fine(context) else set()
    kept: list[tuple[int, Row]] = []
    count = 0
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        count += 1
        last = following is None or (row["epoch"] in shown and following["epoch"] != row["epoch"])
        if last:
            kept.append((count, row))
            count = 0
    return kept


def _initial(context: Context, record: RunRecord, name: str) -> str | None:
    """Return the entity of the value that a setting was configured with, if there is one."""
    swept = f"{context.run(record)}.hp.{local_name(name)}"
    if swept in context.statements.nodes:
        return swept
    row = record.params.get(name)
    return qualified_id("setting", context.plan.sweep_id, name, row["value"]) if row else None


def _add_adaptation(
    context: Context, record: RunRecord, name: str, row: Row, *, changes: int, twin: int
) -> str:
    """State one change; `twin` counts those of one step, such as the ends of two of its epochs."""
    step = "run" if row["step"] is None else row["step"]
    part = f"{local_name(name)}.{step}{'' if twin == 1 else f'-{twin}'}"
    return context.statements.add(
        "entity",
        f"{context.run(record)}.adaptation.{part}",
        ("pr:Adaptation", "mls:HyperParameterSetting"),
        f"{name} = {row['new']}",
        run=record.number,
        attributes={
            "name": name,
            "prov:value": parse_json(row["new"]),
            "old": parse_json(row["old"]),
            "cause": row["cause"],
            "step": row["step"],
            "epoch": row["epoch"],
            "changes": changes,
            "numbers": row["numbers"],
        },
    )


def _add_uses(
    context: Context,
    record: RunRecord,
    timeline: Timeline,
    name: str,
    in_force: list[tuple[int, str]],
) -> None:
    """State for each shown epoch the value that was in force as it began."""
    for epoch in timeline.shown:
        activity = timeline.activities.get(("train", epoch))
        if activity is None or activity.span.start is None:
            continue
        start = activity.span.start
        before = [setting for time, setting in in_force if time <= start]
        if before:
            context.statements.relate(
                "used",
                activity.id,
                before[-1],
                f"hp.{local_name(name)}",
                run=record.number,
                time=start,
                role="pr:hyperparameter",
            )

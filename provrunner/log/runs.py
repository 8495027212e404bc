"""Derive the public table `runs`: how each planned run stands, and what it reached."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provrunner.ids import canonical_json
from provrunner.log.events import decode, group_codes, latest, numpy_column, of_kind, shape_table
from provrunner.log.objective import Reached, find_objectives
from provrunner.plan import Plan, Point
from provrunner.schema import TABLES, LogState, RunStatus

__all__ = ["RunState", "build_runs", "level_column", "level_type", "with_points"]

_MAX_INT64 = 2**63 - 1
_TOLD = ("exception", "signal", "code", "model", "dataset")
_Told = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class RunState:
    """How a run stands, as its folder tells; the log's state and size are None without one.

    Attributes:
        reason: why its log cannot be read.
    """

    run: int
    run_id: str
    status: RunStatus
    log_state: LogState | None = None
    log_bytes: int | None = None
    reason: str | None = None


def build_runs(
    plan: Plan,
    marked: pa.Table,
    metrics: pa.Table,
    states: Sequence[RunState],
    stage: str | None = None,
) -> pa.Table:
    """Build the columns of `TABLES["runs"]`: one row a run; those of its point are null.

    A finished run whose objective ended as NaN or infinite is `diverged` and has no objective.

    Args:
        plan: the sweep as declared.
        marked: the events, as `mark_attempts` gives them.
        metrics: the public table `metrics`.
        states: one a run, planned or not; the order of the rows.
        stage: in which the objective is judged, as for `find_objectives`.
    """
    begun = _by_run(latest(of_kind(marked, "run_start", "run_end")))
    told = _by_run(latest(of_kind(marked, *_TOLD)))
    reached = find_objectives(metrics, plan.objective, stage)
    rows = []
    for state in states:
        run_id = state.run_id
        row = _identity(state) | _beginning(begun.get(run_id, {}))
        row |= _contents(told.get(run_id, {}))
        row["reason"] = state.reason or _reason(begun.get(run_id, {}), told.get(run_id, {}))
        rows.append(
            row | _outcome(state, reached.get(run_id), row["reason"], plan.objective.metric)
        )
    columns = {name: [row.get(name) for row in rows] for name in TABLES["runs"].names}
    return shape_table("runs", pa.table({}), columns | _totals(marked, metrics, states))


def with_points(runs: pa.Table, plan: Plan) -> pa.Table:
    """Complete the public table `runs` by what the plan says: one column a hyperparameter, too.

    A hyperparameter that has the name of another column is left out; `plan` has its values.
    """
    by_id = {point.run_id: point for point in plan.points}
    points = [by_id.get(run_id) for run_id in runs["run_id"].to_pylist()]
    runs = shape_table(
        "runs",
        runs,
        {
            name: [None if point is None else getattr(point, name) for point in points]
            for name in ("trial_id", "replicate", "seed")
        },
    )
    for name, column in _level_columns(plan, points):
        runs = runs.append_column(name, column)
    return runs


def level_type(values: Iterable[object]) -> pa.DataType:
    """Return the Arrow type of a hyperparameter that takes these values; None fits any.

    Example:
        >>> level_type([1, None]), level_type([1, 0.5]), level_type([True, 1])
        (DataType(int64), DataType(double), DataType(string))
    """
    known = [value for value in values if value is not None]
    flags = sum(isinstance(value, bool) for value in known)
    if known and flags == len(known):
        return pa.bool_()
    if flags or not known or not all(isinstance(value, int | float) for value in known):
        return pa.utf8()
    whole = all(isinstance(value, int) and abs(value) <= _MAX_INT64 for value in known)
    return pa.int64() if whole else pa.float64()


def level_column(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Return values of a hyperparameter as an Arrow column; JSON text where no type fits all."""
    if kind == pa.float64():
        return pa.array([None if value is None else float(value) for value in values], kind)
    if kind != pa.utf8():
        return pa.array(values, kind)
    plain = [
        value if value is None or isinstance(value, str) else canonical_json(value)
        for value in values
    ]
    return pa.array(plain, kind)


def _by_run(events: pa.Table) -> dict[str, _Told]:
    """Return, by run id and kind, the data and time of the last event; of data sets, the first."""
    told: dict[str, _Told] = {}
    columns = (events[name].to_pylist() for name in ("run_id", "kind", "time"))
    for run_id, kind, time, data in zip(*columns, decode(events), strict=True):
        kinds = told.setdefault(run_id, {})
        if kind != "dataset" or kind not in kinds:
            kinds[kind] = data | {"time": time}
    return told


def _identity(state: RunState) -> dict[str, Any]:
    names = ("run", "run_id", "log_state", "log_bytes")
    return {name: getattr(state, name) for name in names}


def _beginning(told: _Told) -> dict[str, Any]:
    start, end = told.get("run_start", {}), told.get("run_end", {})
    row = {name: start.get(name) for name in ("attempt", "user", "host", "pid", "world_size")}
    command = start.get("command")
    if isinstance(command, list):
        row["cmd"] = shlex.join(str(word) for word in command)
    return row | {"start": start.get("time"), "end": end.get("time")}


def _contents(told: _Told) -> dict[str, Any]:
    code, model = told.get("code", {}), told.get("model", {})
    return {
        "commit": code.get("commit"),
        "dirty": code.get("dirty"),
        "architecture_hash": model.get("architecture_hash"),
        "parameters": model.get("parameters"),
        "dataset_digest": told.get("dataset", {}).get("digest"),
    }


def _reason(begun: _Told, told: _Told) -> str | None:
    stated = begun.get("run_end", {}).get("reason")
    if stated is not None:
        return str(stated)
    if "exception" in told:
        message = str(told["exception"].get("message")).partition("\n")[0]
        return f"{told['exception'].get('type')}: {message}"
    return str(told["signal"].get("name")) if "signal" in told else None


def _outcome(
    state: RunState, reached: Reached | None, reason: str | None, metric: str
) -> dict[str, Any]:
    """Return status, reason and objective, which a run that diverged does not have."""
    status = state.status
    if status == RunStatus.FINISHED and reached is None:
        reason = reason or f"{metric} was never logged"
    if status == RunStatus.FINISHED and reached and not math.isfinite(reached.last):
        status = RunStatus.DIVERGED
        reason = reason or f"{metric} was {reached.last} at step {reached.last_step}"
    row: dict[str, Any] = {"status": status, "reason": reason}
    if reached and status != RunStatus.DIVERGED:
        row["objective"] = reached.value
        row |= {"objective_epoch": reached.epoch, "objective_step": reached.step}
    return row


def _totals(
    marked: pa.Table, metrics: pa.Table, states: Sequence[RunState]
) -> dict[str, list[Any]]:
    """Return the columns of `runs` that count or measure; null for what no log tells."""
    training = _training(marked)
    steps = pa.concat_tables(_with_global_steps(marked, metrics))
    read = [state.run_id for state in states if state.log_state is not None]
    nothing = dict.fromkeys(read, 0)
    by_name = {
        "duration_s": _aggregate(marked, "elapsed_s", "max"),
        "steps": _aggregate(steps, "step", "max"),
        "epochs": _aggregate(training, "ended", "count_distinct"),
        "metric_rows": nothing | _aggregate(metrics, "step", "count", mode="all"),
        "gaps": nothing | _lost_rows(marked),
    }
    return {
        name: [values.get(state.run_id) for state in states] for name, values in by_name.items()
    }


def _training(marked: pa.Table) -> pa.Table:
    """Return run_id and, of each epoch of training that came to its end, its number as `ended`.

    Capture also ends the epoch in which an exception was raised: that one is not whole.
    """
    events = of_kind(marked, "epoch_start", "epoch_end", "exception")
    is_exception = pc.equal(events["kind"], "exception")
    kept = pc.or_(is_exception, pc.equal(events["subject"], "train"))
    events, is_exception = events.filter(kept), is_exception.filter(kept)
    times, runs = numpy_column(events["time"].cast(pa.int64()), 0), group_codes(events, ("run_id",))
    # a loop's epoch has its end where it last logged, which may be before the exception
    raised = np.roll(numpy_column(is_exception, False), 1) & (times >= np.roll(times, 1))
    raised &= runs == np.roll(runs, 1)
    is_end = pc.and_(pc.equal(events["kind"], "epoch_end"), pa.array(~raised))
    rows = events.select(["run_id"]).append_column(
        "ended", pc.if_else(is_end, events["epoch"], None)
    )
    return rows.filter(pc.invert(is_exception))


def _with_global_steps(marked: pa.Table, metrics: pa.Table) -> list[pa.Table]:
    """Return run_id and step of events and metrics, but those that count a Trainer's evaluations.

    What an evaluation logs has the number of its batch, and a value that is no number tells no
    stage.
    """
    trainers = pc.unique(of_kind(marked, "stage_start")["run_id"])
    evaluated = pc.is_in(metrics["stage"], pa.array(["validate", "test"], metrics["stage"].type))
    others = ((marked, pc.equal(marked["kind"], "value")), (metrics, evaluated))
    return [
        table.filter(pc.invert(pc.and_(pc.is_in(table["run_id"], trainers), is_other))).select(
            ["run_id", "step"]
        )
        for table, is_other in others
    ]


def _aggregate(
    table: pa.Table, column: str, how: str, *, mode: str | None = None
) -> dict[str, Any]:
    options = pc.CountOptions(mode=mode) if mode else None
    grouped = table.group_by("run_id", use_threads=False).aggregate([(column, how, options)])
    return dict(
        zip(grouped["run_id"].to_pylist(), grouped[f"{column}_{how}"].to_pylist(), strict=True)
    )


def _lost_rows(marked: pa.Table) -> dict[str, int]:
    gaps = of_kind(marked, "gap")
    lost: dict[str, int] = {}
    for run_id, data in zip(gaps["run_id"].to_pylist(), decode(gaps), strict=True):
        count = data.get("count")
        lost[run_id] = lost.get(run_id, 0) + (count if isinstance(count, int) else 0)
    return lost


def _level_columns(plan: Plan, points: Sequence[Point | None]) -> Iterator[tuple[str, pa.Array]]:
    taken = {name.casefold() for name in TABLES["runs"].names}
    for axis in plan.hyperparameters:
        values = [None if point is None else point.values.get(axis.name) for point in points]
        if axis.name.casefold() not in taken:
            taken.add(axis.name.casefold())
            yield axis.name, level_column(values, level_type([*values, *axis.levels]))

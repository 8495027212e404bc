"""Find the value of its objective that each run of a sweep reached."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provrunner.log.epochs import drop_superseded
from provrunner.log.events import Ints, group_codes, numpy_column
from provrunner.plan import Objective

__all__ = [
    "STAGES",
    "Reached",
    "find_further",
    "find_objectives",
    "judged_stage",
    "lowest_rank",
    "stages_of",
]

STAGES = ("validate", "train", "test")
"""Where the objective is judged, in this order."""


@dataclass(frozen=True, slots=True)
class Reached:
    """What a run reached; `value`, `epoch` and `step` are None where it never was finite.

    `last` is the last value logged, `last_step` the step it was logged at.
    """

    value: float | None
    epoch: int | None
    step: int | None
    last: float
    last_step: int | None


def stages_of(metrics: pa.Table, metric: str) -> frozenset[str]:
    """Return the stages in which some runs logged a metric."""
    return frozenset(_rows_of(metrics, metric)["stage"].unique().to_pylist())


def judged_stage(stages: Collection[str]) -> str:
    """Return the one of the stages that logged the objective in which it is judged."""
    return next((stage for stage in STAGES if stage in stages), STAGES[0])


def find_objectives(
    metrics: pa.Table, objective: Objective, stage: str | None = None
) -> dict[str, Reached]:
    """Return what each run that logged the objective reached, by run id.

    Only values of one stage count: validation without its sanity check; training, then test, where
    no run of the sweep logged the metric in validation. In training an epoch counts by its last
    value. Of ranks, the lowest that logged it counts.

    Args:
        metrics: the public table `metrics`.
        objective: `at="best"` takes the best finite value, the earliest of equals; `last` the last.
        stage: the stage that counts; None takes the first of `STAGES` that these runs logged it in.
    """
    rows = _objective_rows(metrics, objective.metric, stage)
    values = numpy_column(rows["value"], np.nan)
    sign = -1.0 if objective.direction == "maximize" else 1.0
    ranking = sign * values if objective.at == "best" else -np.arange(len(values), dtype=float)
    finite = np.flatnonzero(np.isfinite(values))
    # stable: of equal values the earliest comes first
    by_rank = finite[np.argsort(ranking[finite], kind="stable")]
    run_ids, steps = rows["run_id"].to_pylist(), rows["step"].to_pylist()
    epochs = rows["epoch"].to_pylist()
    best = {run_ids[row]: int(row) for row in reversed(by_rank)}
    last = {run_id: row for row, run_id in enumerate(run_ids)}
    reached = {}
    for run_id, end in last.items():
        row = best.get(run_id)
        reached[run_id] = Reached(
            value=None if row is None else float(values[row]),
            epoch=None if row is None else epochs[row],
            step=None if row is None else steps[row],
            last=float(values[end]),
            last_step=steps[end],
        )
    return reached


def find_further(metrics: pa.Table, first: Objective, further: Objective) -> dict[str, float]:
    """Return what each run reached in a further objective, by run id.

    Args:
        metrics: the public table `metrics`.
        first: the first objective; at the epoch at which it counts the further one does, too.
        further: the further one; `at="last"` takes its last value instead.

    Returns:
        Finite values; a run that logged none in that epoch is left out.
    """
    if further.at == "last":
        ends = find_objectives(metrics, further)
        return {run_id: end.last for run_id, end in ends.items() if np.isfinite(end.last)}
    reached = find_objectives(metrics, first)
    rows = _objective_rows(metrics, further.metric, None)
    found: dict[str, float] = {}
    columns = (rows[name].to_pylist() for name in ("run_id", "epoch", "value"))
    for run_id, epoch, value in zip(*columns, strict=True):
        counts = run_id in reached and reached[run_id].epoch == epoch
        if counts and value is not None and np.isfinite(value):
            found[run_id] = float(value)
    return found


def _objective_rows(metrics: pa.Table, metric: str, stage: str | None) -> pa.Table:
    rows = _rows_of(metrics, metric)
    stage = stage or judged_stage(rows["stage"].unique().to_pylist())
    rows = lowest_rank(rows.filter(pc.equal(rows["stage"], stage)))
    return _last_of_epochs(rows) if stage == "train" else rows


def _rows_of(metrics: pa.Table, metric: str) -> pa.Table:
    # all metrics of training tell where a resumed run began again, not the objective alone
    training = numpy_column(pc.equal(metrics["stage"], "train"), False)
    kept = drop_superseded(metrics, training)
    return kept.filter(pc.equal(kept["name"], metric))


def lowest_rank(rows: pa.Table) -> pa.Table:
    """Keep of each run's rows those of the lowest rank that has any."""
    rank = numpy_column(rows["rank"], 0)
    if not rank.any():
        return rows
    run = group_codes(rows, ("run_id",))
    lowest = np.full(run.max() + 1, np.iinfo(np.int64).max)
    np.minimum.at(lowest, run, rank)
    return rows.filter(pa.array(rank == lowest[run]))


def _last_of_epochs(rows: pa.Table) -> pa.Table:
    codes: Ints = group_codes(rows, ("run_id", "epoch"))
    last = np.full(codes.max(initial=-1) + 1, -1)
    last[codes] = np.arange(len(codes))
    return rows.take(pa.array(np.sort(last), pa.int64()))

"""The logged rows that a number of the summary rests on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from provrunner.log.objective import STAGES, lowest_rank
from provrunner.report.results import Sweep

__all__ = ["logged_values"]


def logged_values(
    sweep: Sweep,
    runs: Sequence[int],
    *,
    name: str | None = None,
    stage: str | None = None,
    epoch: int | None = None,
) -> pa.Table:
    """Return the logged rows that runs are judged by, in the order of the runs given.

    Args:
        sweep: an open sweep.
        runs: their numbers.
        name: the metric; None is the objective, at the epoch or step that each run is judged at.
        stage: that logged it; None is the first of validate, train and test that did.
        epoch: of the value, if `name` is given; None takes the last value.

    Returns:
        One row a run; columns run, run_id, one a hyperparameter, seed, value, metric, stage, epoch,
        step, row (in the run's log) and log (that file, from the sweep's folder).
    """
    known = {row["run"]: row for row in sweep.runs.to_pylist()}
    axes = [
        axis.name for axis in sweep.plan.hyperparameters if axis.name in sweep.runs.column_names
    ]
    rows = []
    metric = name or sweep.plan.objective.metric
    logged = _logged(sweep, metric, stage)
    for run in runs:
        row = known[run]
        at = (row["objective_epoch"], row["objective_step"]) if name is None else (epoch, None)
        found = _last(logged.get(run, ()), *at)
        log = f"runs/{row['run_id']}/log/metrics.arrow"
        rows.append(
            {
                "run": run,
                "run_id": row["run_id"],
                **{axis: row[axis] for axis in axes},
                "seed": row["seed"],
                "value": found["value"] if found else row["objective"],
                "metric": metric,
                **{key: found[key] if found else None for key in ("stage", "epoch", "step", "row")},
                "log": log,
            }
        )
    return pa.Table.from_pylist(rows)


def _logged(sweep: Sweep, metric: str, stage: str | None) -> dict[int, list[dict[str, Any]]]:
    """Return the rows of one metric by run, each with its position in its run's log."""
    table = sweep.table("metrics")
    runs = table["run"].to_numpy()
    starts = _starts(runs)
    mine = pc.equal(table["name"], metric)
    picked = table.append_column("row", pa.array(range(table.num_rows), pa.int64())).filter(mine)
    stages = set(picked["stage"].to_pylist())
    stage = stage or next((one for one in STAGES if one in stages), None)
    found: dict[int, list[dict[str, Any]]] = {}
    columns = ("run", "stage", "epoch", "step", "value", "row")
    judged = lowest_rank(picked.filter(pc.equal(picked["stage"], stage)))
    for row in judged.select(list(columns)).to_pylist():
        found.setdefault(row["run"], []).append({**row, "row": row["row"] - starts[row["run"]]})
    return found


def _starts(runs: Any) -> dict[int, int]:
    import numpy as np

    numbers, starts = np.unique(runs, return_index=True)
    return dict(zip(numbers.tolist(), starts.tolist(), strict=True))


def _last(
    rows: Sequence[dict[str, Any]], epoch: int | None, step: int | None
) -> dict[str, Any] | None:
    at = [
        row
        for row in rows
        if (epoch is None or row["epoch"] == epoch) and (step is None or row["step"] == step)
    ]
    return at[-1] if at else None

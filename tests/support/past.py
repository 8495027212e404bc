"""Runs that have ended, written without training."""

from __future__ import annotations

import pyarrow as pa

from provrunner.log import run_folder, write_past_run
from provrunner.log.past import PastEvent, PastMetric
from provrunner.schema import RunStatus


def write_run(folder, point, logged, status=RunStatus.FINISHED):
    """Write a run that logged these values of its metrics in validation, one an epoch."""
    metrics = [
        PastMetric(
            name,
            "validate",
            pa.array(values, pa.float64()),
            *(pa.array(range(len(values)), pa.int64()) for _ in range(2)),
            pa.nulls(len(values), pa.int64()),
        )
        for name, values in logged.items()
    ]
    place = run_folder(folder, point.run_id)
    place.mkdir(parents=True, exist_ok=True)
    write_past_run(place, [PastEvent("run_start")], metrics, sweep_id="s", status=status)

"""What one run came to, read from its own folder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from provrunner.log.folder import run_folder
from provrunner.log.objective import find_further, find_objectives
from provrunner.log.reader import read_log, run_status
from provrunner.log.sealed import DamagedSealError
from provrunner.log.sweep import with_run
from provrunner.plan import Objective, Point
from provrunner.schema import RunStatus

__all__ = ["RunResult", "read_result"]


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended.

    Attributes:
        status: `lost` where its seal is damaged.
        values: of its objectives; None where one of them has no finite value.
        epochs: that it trained.
    """

    status: RunStatus
    values: tuple[float, ...] | None = None
    epochs: int = 0


def read_result(
    folder: Path, point: Point, objective: Objective, further: Sequence[Objective] = ()
) -> RunResult:
    """Read what a planned run came to.

    Args:
        folder: the sweep's folder.
        point: the run's place in the plan.
        objective: the first objective; the further ones are taken at its epoch.
        further: the others.
    """
    run = run_folder(folder, point.run_id)
    try:
        status = run_status(run)[0]
        if status is RunStatus.PLANNED:
            return RunResult(status)
        metrics = with_run("metrics", read_log(run).table, point.run, point.run_id)
    except DamagedSealError:
        return RunResult(RunStatus.LOST)
    reached = find_objectives(metrics, objective).get(point.run_id)
    values = [None if reached is None else reached.value]
    values += [find_further(metrics, objective, one).get(point.run_id) for one in further]
    known = tuple(value for value in values if value is not None)
    if status is RunStatus.FINISHED and reached is not None and not math.isfinite(reached.last):
        status = RunStatus.DIVERGED
    epochs = pc.max(metrics["epoch"]).as_py()
    return RunResult(
        status,
        known if len(known) == len(values) else None,
        0 if epochs is None else int(epochs) + 1,
    )

"""The objective by epoch of a sweep's runs, read from their logs while these are written."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from provrunner.errors import LogError
from provrunner.log.folder import run_folders
from provrunner.log.reader import LogFollower, run_status
from provrunner.plan import Objective
from provrunner.schema import RunStatus

__all__ = ["Curve", "Curves"]

_STAGES = ("validate", "train")
"""Where the objective is looked for, in this order."""


_OVER = (RunStatus.FINISHED, RunStatus.PRUNED, RunStatus.DIVERGED)
"""Runs that are never run again, and so need not be looked at again."""


class Curve:
    """One run's objective by epoch, as far as its log tells by now; lower is better.

    Args:
        run: the run's folder.
        objective: what is followed.
    """

    def __init__(self, run: Path, objective: Objective) -> None:
        self._run, self._follower = run, LogFollower(run)
        self._is_over = False
        self._objective = objective
        self._sign = -1.0 if objective.direction == "maximize" else 1.0
        self._stages: dict[str, dict[int, float]] = {stage: {} for stage in _STAGES}

    def update(self) -> None:
        """Read what was logged since; what cannot be read is left out."""
        if self._is_over:
            return
        with contextlib.suppress(LogError, OSError):
            is_over = run_status(self._run)[0] in _OVER  # asked first: all was logged by then
            self._add(self._follower.poll())
            self._is_over = is_over

    @property
    def epochs(self) -> int:
        """Epochs up to the last one with a value."""
        return max(self._values, default=-1) + 1

    def reached(self, epochs: int) -> float | None:
        """Return what counts of a run after so many epochs, infinite where nothing was finite.

        None where it has no value from then on: it has not come so far.
        """
        if self.epochs < epochs or epochs < 1:
            return None
        values = [self._values[epoch] for epoch in sorted(self._values) if epoch < epochs]
        if not values:
            return None
        return min(values) if self._objective.at == "best" else values[-1]

    @property
    def _values(self) -> dict[int, float]:
        return next((found for found in self._stages.values() if found), {})

    def _add(self, rows: pa.Table) -> None:
        own = rows.filter(pc.equal(rows["name"], self._objective.metric))
        if not own.num_rows:
            return
        lowest = own.filter(pc.equal(own["rank"], pc.min(own["rank"])))
        columns = (lowest[name].to_pylist() for name in ("stage", "epoch", "value"))
        for stage, epoch, value in zip(*columns, strict=True):
            if stage in self._stages and epoch is not None and value is not None:
                is_number = math.isfinite(value)
                self._stages[stage][epoch] = self._sign * value if is_number else math.inf


class Curves:
    """The curves of all other runs of a sweep.

    Args:
        folder: the sweep's folder.
        objective: what is followed.
        own: id of the run that is left out.
    """

    def __init__(self, folder: Path, objective: Objective, own: str) -> None:
        self._folder, self._objective, self._own = folder, objective, own
        self._curves: dict[Path, Curve] = {}

    def reached(self, epochs: int) -> list[float]:
        """Return what the others that came so far had reached after so many epochs."""
        for run in run_folders(self._folder):
            if run.name != self._own:
                self._curves.setdefault(run, Curve(run, self._objective)).update()
        found = (curve.reached(epochs) for curve in self._curves.values())
        return [value for value in found if value is not None]

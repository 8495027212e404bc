"""Lets each logger train in turn, always beside a training that has none."""

from __future__ import annotations

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.loggers.crew import Worker, steps_after_kill
from benchmarks.loggers.peers import LOGGERS, OURS
from benchmarks.loggers.reading import cpu_to_read

__all__ = ["Found", "measure", "progress"]

_SLOW = 2.5
_SLOW_ROUNDS = 2
# a percent of a training's wall time is less than what most machines' other work makes of it
_PAIRS_OF_OURS = 3


@dataclass(slots=True)
class Found:
    """What was measured of one logger: a value a fit, by name; `kept` is told and read steps."""

    values: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    kept: tuple[int, int] | None = None

    def median(self, name: str) -> float | None:
        """Return the median of a measure; None when it was not taken."""
        return statistics.median(self.values[name]) if self.values.get(name) else None

    def first(self, name: str) -> float | None:
        """Return the first value of a measure: that of a process that is new to the logger."""
        return self.values[name][0] if self.values.get(name) else None


def measure(
    names: Sequence[str], folder: Path, *, steps: int, rounds: int, kill_at: int
) -> dict[str, Found]:
    """Measure loggers beside none, in rounds; one that takes long is left out after two.

    Returns:
        By name; `none` and `provrunner, returned` (which calls no `self.log`) among them.
    """
    found: dict[str, Found] = defaultdict(Found)
    progress(f"start {', '.join(names)}")
    workers = {name: Worker(name, folder / f"of {name}") for name in ("none", *names)}
    for worker in workers.values():
        worker.answer()
    for number in range(rounds):
        for name in names:
            if number >= _SLOW_ROUNDS and (found[name].median("ratio") or 0) > _SLOW:
                continue
            progress(f"round {number + 1} of {rounds}: {name}")
            _train(workers, name, steps, found, number)
        if OURS in names:
            for name, key in (("none", "none, returned"), (OURS, f"{OURS}, returned")):
                _keep(found[key], workers[name].fit(steps, "return"))
    for worker in workers.values():
        worker.close()
    readable = [name for name in names if LOGGERS[name].read is not None]
    if readable:
        _read(readable, workers, found)
    for name in readable:
        progress(f"kill {name}")
        found[name].kept = steps_after_kill(name, folder / f"killed {name}", kill_at)
    return dict(found)


def _read(names: Sequence[str], workers: dict[str, Worker], found: dict[str, Found]) -> None:
    progress(f"read {', '.join(names)}")
    for name, times in cpu_to_read({name: workers[name].first for name in names}).items():
        values = found[name].first("values") or 1
        found[name].values["load_us"] = [spent * 1e6 / values for spent in times]


def _train(
    workers: dict[str, Worker], name: str, steps: int, found: dict[str, Found], number: int
) -> None:
    for pair in range(_PAIRS_OF_OURS if name == OURS else 1):
        _pair(workers, name, steps, found, backwards=(number + pair) % 2 == 1)


def _pair(
    workers: dict[str, Worker],
    name: str,
    steps: int,
    found: dict[str, Found],
    *,
    backwards: bool,
) -> None:
    """Train once with a logger and once with none, in one order or the other."""
    order = [name, "none"] if backwards else ["none", name]
    fits = {which: workers[which].fit(steps, "log") for which in order}
    _keep(found["none"], fits["none"])
    fits[name]["ratio"] = fits[name]["fit_s"] / fits["none"]["fit_s"]
    for measured in ("calls", "start_s", "close_s"):
        fits[name][f"added {measured}"] = fits[name][measured] - fits["none"][measured]
    _keep(found[name], fits[name])


def _keep(found: Found, fit: dict[str, float]) -> None:
    for name, value in fit.items():
        found.values[name].append(value)


def progress(text: str) -> None:
    """Say on standard error what is done now."""
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)

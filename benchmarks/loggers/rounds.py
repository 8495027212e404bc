"""Lets each logger train in turn, always beside a training that has none."""

from __future__ import annotations

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.loggers.crew import Worker, steps_after_kill
from benchmarks.loggers.peers import LOGGERS, OURS
from benchmarks.loggers.reading import cpu_to_read

__all__ = ["Found", "measure", "progress"]

_SLOW = 2.5
_SLOW_ROUNDS = 2
# start-up and close are those of a new process
_ROUNDS_OF_A_PROCESS = 2
# a percent of a training's wall time is less than what most machines' other work makes of it
_PAIRS_BY_TURNS = 3
_TURN = 25
_OF_A_NEW_PROCESS = ("added start_s", "added close_s")


@dataclass(slots=True)
class Found:
    """What was measured of one logger: a value a fit, by name; `kept` is told and read steps."""

    values: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    kept: tuple[int, int] | None = None

    def median(self, name: str) -> float | None:
        """Return the median of a measure; None when it was not taken."""
        return statistics.median(self.values[name]) if self.values.get(name) else None

    def keep(self, fit: Mapping[str, float]) -> None:
        """Take what was measured of one fit."""
        for name, value in fit.items():
            self.values[name].append(value)


def measure(
    names: Sequence[str], folder: Path, *, steps: int, rounds: int, kill_at: int
) -> dict[str, Found]:
    """Measure loggers beside none, in rounds; one that takes long is left out after two.

    Returns:
        By name; `none` and `provrunner, returned` (which calls no `self.log`) among them.
    """
    found: dict[str, Found] = defaultdict(Found)
    written: dict[str, Path] = {}
    for number in range(0, rounds, _ROUNDS_OF_A_PROCESS):
        left = [name for name in names if not _is_slow(found[name], number)]
        with _crew(left, folder / str(number)) as workers:
            for name in left:
                written.setdefault(name, workers[name].first)
            for further in range(number, min(rounds, number + _ROUNDS_OF_A_PROCESS)):
                progress(f"round {further + 1} of {rounds}")
                _round(workers, left, steps, found, further)
    readable = [name for name in names if LOGGERS[name].read is not None]
    if readable:
        _read({name: written[name] for name in readable}, found)
    for name in readable:
        progress(f"kill {name}")
        found[name].kept = steps_after_kill(name, folder / f"killed {name}", kill_at)
    return dict(found)


def _is_slow(found: Found, number: int) -> bool:
    return number >= _SLOW_ROUNDS and (found.median("ratio") or 0) > _SLOW


@contextmanager
def _crew(names: Sequence[str], folder: Path) -> Iterator[dict[str, Worker]]:
    progress(f"start {', '.join(names)}")
    workers = {name: Worker(name, folder / f"of {name}") for name in ("none", *names)}
    try:
        for worker in workers.values():
            worker.answer()
        yield workers
    except BaseException:
        # one that rests would do so for ever
        for worker in workers.values():
            worker.kill()
        raise
    for worker in workers.values():
        worker.close()


def _round(
    workers: dict[str, Worker],
    names: Sequence[str],
    steps: int,
    found: dict[str, Found],
    number: int,
) -> None:
    for name in names:
        progress(f"train with {name}")
        _pair(workers, name, steps, found, backwards=number % 2 == 1)
    if OURS in names:
        found[OURS].values["ratio"] += _walls(workers, steps, number)
        returned = _fits(workers, ["none", OURS], steps, "return", turn=steps)
        for name, fit in returned.items():
            found[f"{name}, returned"].keep(fit)


def _read(folders: Mapping[str, Path], found: dict[str, Found]) -> None:
    progress(f"read {', '.join(folders)}")
    for name, times in cpu_to_read(folders).items():
        values = found[name].median("values") or 1
        found[name].values["load_us"] = [spent * 1e6 / values for spent in times]


def _pair(
    workers: dict[str, Worker],
    name: str,
    steps: int,
    found: dict[str, Found],
    *,
    backwards: bool,
) -> None:
    """Train once with a logger and once with none, the one or the other first."""
    is_new = workers[name].is_new
    names = [name, "none"] if backwards else ["none", name]
    fits = _fits(workers, names, steps, "log", turn=steps)
    fit, none = fits[name], fits["none"]
    added = {f"added {what}": fit[what] - none[what] for what in ("calls", "start_s", "close_s")}
    if not is_new:
        added = {what: value for what, value in added.items() if what not in _OF_A_NEW_PROCESS}
    found["none"].keep(none)
    if name != OURS:
        added["ratio"] = fit["fit_s"] / none["fit_s"]
    found[name].keep({**fit, **added})


def _walls(workers: dict[str, Worker], steps: int, number: int) -> Iterator[float]:
    """Yield wall times of our trainings over those of none that they took turns with.

    Nothing else is taken of these: what a thread does every second it does more often a step here.
    """
    for pair in range(_PAIRS_BY_TURNS):
        names = [OURS, "none"] if (number + pair) % 2 else ["none", OURS]
        fits = _fits(workers, names, steps, "log", turn=_TURN)
        yield fits[OURS]["fit_s"] / fits["none"]["fit_s"]


def _fits(
    workers: dict[str, Worker], names: Sequence[str], steps: int, hand_over: str, *, turn: int
) -> dict[str, dict[str, float]]:
    """Train with each, `turn` steps a time: a slow moment of the machine meets them all."""
    for name in names:
        workers[name].begin(steps, turn, hand_over)
    for _ in range(turn, steps, turn):
        for name in names:
            workers[name].go_on()
    return {name: workers[name].end() for name in names}


def progress(text: str) -> None:
    """Say on standard error what is done now."""
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)

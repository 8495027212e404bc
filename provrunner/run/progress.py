"""What a sweep shows while it runs."""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from provrunner.log import LogFollower, read_log, run_folder
from provrunner.plan import Objective, Plan, Point
from provrunner.schema import RunStatus

__all__ = ["Progress"]

_QUIET_S = 30.0
"""How often a sweep that writes to no terminal says that it is alive."""


@dataclass
class _Live:
    point: Point
    follower: LogFollower
    started: float
    epoch: int | None = None
    objective: float | None = None


@dataclass
class Progress:
    """Shows a sweep's runs as they go: live in a terminal, a plain line a run elsewhere.

    Use it as a context manager; it writes to standard error only.

    Attributes:
        folder: the sweep folder.
        plan: the sweep's plan.
        n_jobs: runs at once, for the estimate of the time left.
        ended: runs that had ended before, by status.
    """

    folder: Path
    plan: Plan
    n_jobs: int = 1
    ended: Mapping[RunStatus, int] = field(default_factory=dict)
    console: Console = field(default_factory=lambda: Console(file=sys.stderr))
    _live: dict[int, _Live] = field(default_factory=dict)
    _ended: Counter[RunStatus] = field(default_factory=Counter)
    _durations: list[float] = field(default_factory=list)
    _best: tuple[float, Point] | None = None
    _started: float = field(default_factory=time.monotonic)
    _said: float = field(default_factory=time.monotonic)
    _display: Live | None = None

    def __enter__(self) -> Self:
        total = self.plan.runs_promised
        name = self.plan.name
        self._ended.update(self.ended)
        had = f", {self._ended.total()} ended before" if self.ended else ""
        if self.plan.sampler is None or len(self.plan.asked) <= self.plan.sampler.batch:
            # an adaptive sweep comes here with every batch
            self._say(f"{name}: {total} {'run' if total == 1 else 'runs'} in {self.folder}{had}")
        if self.console.is_terminal:
            self._display = Live(
                self._render(), console=self.console, transient=True, refresh_per_second=4
            )
            self._display.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._display is not None:
            self._display.stop()

    def start(self, point: Point) -> None:
        """Note that a run began."""
        follower = LogFollower(run_folder(self.folder, point.run_id), "metrics")
        self._live[point.run] = _Live(point, follower, time.monotonic())

    def end(self, point: Point, status: RunStatus) -> None:
        """Note how a run ended and say so."""
        run = self._live.pop(point.run)
        duration = time.monotonic() - run.started
        self._durations.append(duration)
        self._ended[status] += 1
        value = _objective(
            read_log(run_folder(self.folder, point.run_id)).table, self.plan.objective
        )
        if status == RunStatus.FINISHED and value is not None:
            self._best = min(
                filter(None, (self._best, (value, point))), key=lambda pair: self._rank(pair[0])
            )
        self._say(self._ended_line(point, status, value, duration))

    def again(self, point: Point, status: RunStatus) -> None:
        """Note that an attempt of a run ended before its time, and that the run begins again."""
        self._live.pop(point.run)
        self._say(f"{point.run_id} {status}: it begins again")

    def update(self) -> None:
        """Read what the live runs logged since, and show it."""
        if self._display is not None:
            for run in self._live.values():
                self._follow(run)
            self._display.update(self._render())
        elif time.monotonic() - self._said > _QUIET_S:
            for run in self._live.values():
                self._follow(run)
            self._say(
                "; ".join(_live_text(run, self.plan.objective) for run in self._live.values())
            )

    def _follow(self, run: _Live) -> None:
        rows = run.follower.poll()
        if not rows.num_rows:
            return
        run.epoch = pc.max(rows["epoch"]).as_py()
        value = _objective(rows, self.plan.objective, at="last")
        run.objective = run.objective if value is None else value

    def _say(self, line: str) -> None:
        self._said = time.monotonic()
        self.console.print(escape(line), highlight=False, soft_wrap=True)

    def _ended_line(
        self, point: Point, status: RunStatus, value: float | None, duration: float
    ) -> str:
        done, total = self._ended.total(), self.plan.runs_promised
        shown = "" if value is None else f"  {self.plan.objective.metric} {value:.4g}"
        settings = ", ".join(f"{name}={value}" for name, value in point.values.items())
        left = self._seconds_left()
        eta = f"  about {_clock(left)} left" if left else ""
        return (
            f"[{done}/{total}] {point.run_id} {status}{shown}  {duration:.1f} s"
            f"  ({settings}{', ' if settings else ''}seed {point.seed}){eta}"
        )

    def _seconds_left(self) -> float | None:
        if not self._durations:
            return None
        left = self.plan.runs_promised - self._ended.total()
        return math.ceil(left / self.n_jobs) * sum(self._durations) / len(self._durations)

    def _rank(self, value: float) -> float:
        return value if self.plan.objective.direction == "minimize" else -value

    def _render(self) -> Group:
        done, total = self._ended.total(), self.plan.runs_promised
        head = Table.grid(padding=(0, 1))
        left = self._seconds_left()
        head.add_row(
            Text(self.plan.name, style="bold"),
            ProgressBar(total=total, completed=done, width=28),
            f"{done}/{total}",
            ", ".join(f"{count} {status}" for status, count in sorted(self._ended.items())),
            f"{_clock(time.monotonic() - self._started)}",
            f"about {_clock(left)} left" if left else "",
        )
        lines = [Text("  " + _live_text(run, self.plan.objective)) for run in self._live.values()]
        if self._best is not None:
            value, point = self._best
            lines.append(Text(f"  best so far {point.run_id}: {value:.4g}", style="green"))
        return Group(head, *lines)


def _objective(rows: pa.Table, objective: Objective, *, at: str | None = None) -> float | None:
    """Return a run's objective among rows of its metrics, None where it has no finite value."""
    chosen = rows.filter(pc.equal(rows["name"], objective.metric))["value"]
    values = [value for value in chosen.to_pylist() if value is not None and math.isfinite(value)]
    if not values:
        return None
    if (at or objective.at) == "last":
        return float(values[-1])
    return float(min(values) if objective.direction == "minimize" else max(values))


def _live_text(run: _Live, objective: Objective) -> str:
    epoch = "starting" if run.epoch is None else f"epoch {run.epoch}"
    value = "" if run.objective is None else f"  {objective.metric} {run.objective:.4g}"
    return f"{run.point.run_id}  {epoch}{value}  {_clock(time.monotonic() - run.started)}"


def _clock(seconds: float) -> str:
    """Write a duration as people say it.

    Example:
        >>> _clock(3.2), _clock(75), _clock(7260)
        ('3 s', '1 min 15 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"

"""Shows a sweep in the terminal while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from textwrap import TextWrapper
from typing import TYPE_CHECKING

from provrunner.log.sweep_folders import find_sweep
from provrunner.report.escape import visible
from provrunner.report.numbers import count, duration, number
from provrunner.report.standing import Follower, RunNow, Standing, judged_value
from provrunner.schema import RunStatus

if TYPE_CHECKING:
    from rich.console import Console

    from provrunner.plan import Objective

__all__ = ["standing_lines", "watch"]

_POLL_S = 1.0
_QUIET_S = 30.0
"""How often a watch that writes to no terminal says how the live runs stand."""

_SHOWN = 5


def watch(
    path: Path | str | None = None,
    *,
    once: bool = False,
    console: Console | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Standing:
    """Follow a sweep until it ends or its process is gone; return how it stands then.

    On a terminal the picture is drawn anew each second, folded at its width; of runs under way it
    has as many as its height allows. Elsewhere each run that ended gives a
    line, and the live ones one every half minute.

    Args:
        path: the sweep's folder, or one above it; None is the newest sweep below `outputs`.
        once: show how it stands and return.
        console: where to show it; standard output when left out.
        pause: what waits between two looks.

    Raises:
        LogError: there is no sweep.
    """
    from rich.console import Console

    follower = Follower(find_sweep(None if path is None else Path(path)))
    screen = console or Console(highlight=False)
    standing = follower.poll()
    if not once and screen.is_terminal:
        return _draw(follower, standing, screen, pause)
    if not once:
        return _tell(follower, standing, screen, pause)
    _print(screen, standing_lines(standing))
    return standing


def standing_lines(standing: Standing, *, live: int | None = None) -> list[str]:
    """Write how a sweep stands: one line in all, one a live run, then failures and the best.

    At most five runs that went wrong are named, the latest ones.

    Args:
        standing: how it stands.
        live: how many of the runs under way have a line at most; all when left out.
    """
    metric = visible(standing.plan.objective.metric)
    lines = [_head(standing)]
    lines += [f"  {_live_line(run, metric)}" for run in standing.live[:live]]
    if live is not None and len(standing.live) > live:
        lines.append(f"  {len(standing.live) - live} more under way")
    bad = standing.bad
    if len(bad) > _SHOWN:
        lines.append(f"  {len(bad) - _SHOWN} more went wrong before")
    lines += [f"  {_ended_line(run, standing.plan.objective)}" for run in bad[-_SHOWN:]]
    best = standing.best
    if best is not None:
        reached = number(judged_value(best, standing.plan.objective))
        lines.append(f"  best so far {best.point.run_id}  {metric} {reached}{_of(best)}")
    if standing.is_over:
        lines.append(_verdict(standing))
    return lines


def _draw(
    follower: Follower, standing: Standing, screen: Console, pause: Callable[[float], None]
) -> Standing:
    from rich.live import Live
    from rich.text import Text

    with Live(console=screen, auto_refresh=False) as display:
        while True:
            lines = _fitting(standing, screen.width, screen.height)
            text = Text("\n".join(lines), no_wrap=True, overflow="ellipsis")
            display.update(text, refresh=True)
            if standing.is_over:
                return standing
            pause(_POLL_S)
            standing = follower.poll()


def _fitting(standing: Standing, width: int, height: int) -> list[str]:
    """Fold the lines at a terminal's width; where that is too high, leave out live runs.

    On a terminal too low for one live run the lines are cut at their ends.
    """
    fold = TextWrapper(width, subsequent_indent=" " * 6, break_on_hyphens=False)
    for live in (None, *range(min(len(standing.live), height), 0, -1)):
        lines = standing_lines(standing, live=live)
        folded = [part for line in lines for part in fold.wrap(line)]
        if len(folded) <= height:
            return folded
    lines = standing_lines(standing)
    surplus = len(lines) - height
    if surplus <= 0:
        return lines
    return standing_lines(standing, live=max(len(standing.live) - surplus - 1, 1))


def _tell(
    follower: Follower, standing: Standing, screen: Console, pause: Callable[[float], None]
) -> Standing:
    _print(screen, standing_lines(standing))
    ended = _ended(standing)
    objective, said = standing.plan.objective, time.monotonic()
    metric = visible(objective.metric)
    while not standing.is_over:
        pause(_POLL_S)
        standing = follower.poll()
        fresh = [run for run in standing.runs if run.point.run in _ended(standing) - ended]
        lines = [
            f"[{place}/{len(standing.runs)}] {_ended_line(run, objective)}"
            for place, run in enumerate(fresh, len(ended) + 1)
        ]
        ended |= {run.point.run for run in fresh}
        if not lines and time.monotonic() - said > _QUIET_S:
            lines = [_head(standing), *(f"  {_live_line(run, metric)}" for run in standing.live)]
        if standing.is_over:
            lines.append(_verdict(standing))
        if lines:
            _print(screen, lines)
            said = time.monotonic()
    return standing


def _ended(standing: Standing) -> set[int]:
    still = (RunStatus.PLANNED, RunStatus.RUNNING)
    return {run.point.run for run in standing.runs if run.status not in still}


def _print(screen: Console, lines: list[str]) -> None:
    for line in lines:
        screen.print(line, highlight=False, markup=False, soft_wrap=True)


def _head(standing: Standing) -> str:
    counts = {status: total for status, total in standing.counts.items() if total}
    told = ", ".join(f"{total} {status}" for status, total in sorted(counts.items()))
    left = standing.left_s
    eta = f"  about {duration(left)} left" if left else ""
    done = len(_ended(standing))
    return f"{visible(standing.plan.name)}  {done}/{len(standing.runs)}  {told}{eta}"


def _live_line(run: RunNow, metric: str) -> str:
    planned = f" of {run.epochs}" if run.epochs else ""
    parts = [run.point.run_id, "starting" if run.epoch is None else f"epoch {run.epoch}{planned}"]
    if run.latest is not None:
        parts.append(f"{metric} {number(run.latest)} (best {number(run.best)})")
    parts += [] if run.lr is None else [f"lr {number(run.lr)}"]
    parts += [] if run.epoch_s is None else [f"{_pace(run.epoch_s)} an epoch"]
    parts += [] if run.left_s is None else [f"about {duration(run.left_s)} left"]
    parts += [f"{count(run.gaps, 'row')} lost"] if run.gaps else []
    parts += [f"{count(run.failures, 'probe')} failed"] if run.failures else []
    return "  ".join(parts) + _of(run)


def _pace(seconds: float) -> str:
    return duration(seconds) if seconds >= 1 else f"{number(seconds)} s"


def _ended_line(run: RunNow, objective: Objective) -> str:
    reached = judged_value(run, objective)
    value = "" if reached is None else f"  {visible(objective.metric)} {number(reached)}"
    reason = f"  {visible(run.reason)}" if run.reason else ""
    time_spent = f"  {duration(run.duration_s)}" if run.duration_s else ""
    return f"{run.point.run_id} {run.status}{value}{time_spent}{reason}{_of(run)}"


def _of(run: RunNow) -> str:
    told = [f"{name}={value}" for name, value in run.point.values.items()]
    told += [] if run.point.seed is None else [f"seed {run.point.seed}"]
    return f"  ({visible(', '.join(told))})" if told else ""


def _verdict(standing: Standing) -> str:
    left = standing.counts.get(RunStatus.PLANNED, 0)
    if standing.is_lost:
        died = standing.counts.get(RunStatus.LOST, 0)
        return f"lost: the sweep's process is gone; {died} lost under way, {left} not begun"
    return f"stopped: {count(left, 'run')} not begun" if left else "ended"

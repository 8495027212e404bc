"""What is left of a sweep: the runs that have no end of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from provrunner.compose.extend import extend_plan, plan_differences
from provrunner.errors import LogError
from provrunner.log import read_plan, run_folder, run_status, seal_run
from provrunner.log.liveness import is_claimed
from provrunner.log.sealed import DamagedSealError
from provrunner.plan import Plan
from provrunner.run.engines.submitit_jobs import SUBMITIT_FOLDER
from provrunner.run.unchanged import is_group
from provrunner.schema import LogState, RunStatus

__all__ = ["count_ended", "due_runs"]

_LEFT = (RunStatus.PLANNED, RunStatus.LOST, RunStatus.INTERRUPTED)
"""Runs that have no end of their own."""

_ENDED = frozenset(RunStatus) - {*_LEFT, RunStatus.RUNNING}
"""How a run stands that has an end of its own."""


def due_runs(
    folder: Path, plan: Plan, *, failed: bool, warn: Callable[[str], object] = str
) -> list[int]:
    """Return the numbers of the runs to run; what dead ones left is sealed.

    A run whose seal is damaged is left as it is: nothing vouches for what it holds.

    Args:
        folder: the sweep's folder.
        plan: its plan, with what was added.
        failed: runs that failed, too.
        warn: is told of runs that cannot be read; a sentence each.

    Raises:
        LogError: a process still writes a run.
    """
    again = (*_LEFT, RunStatus.FAILED) if failed else _LEFT
    states = _states(folder, plan, warn)
    alive = [
        plan.points[run].run_id for run, state in states.items() if state[0] is RunStatus.RUNNING
    ]
    if alive:
        raise LogError(
            f"{folder}: run {', '.join(alive)} is still being written, though what ran its sweep "
            "has ended; wait for it or end its process, then resume"
        )
    for run, (status, log_state) in states.items():
        if status is not RunStatus.PLANNED and log_state is not LogState.COMPLETE:
            # One that ended and was killed while it was sealed keeps its own end.
            place = run_folder(folder, plan.points[run].run_id)
            seal_run(place, RunStatus.LOST, "its process died and left no end")
    return [run for run, (status, _) in states.items() if status in again]


def count_ended(folder: Path, draft: Plan, *, failed: bool) -> Counter[RunStatus] | None:
    """Count a sweep's runs by status where plainly nothing is to be run, sealed or refused.

    Then what runs call need not be imported. None where that is to be looked at more closely: in a
    search, in a sweep of groups, whose options may have changed, and in one that another process
    has claimed. A run that cannot be read is told of by who looks at all of them.
    """
    plan = read_plan(folder)
    if plan.sampler is not None or any(is_group(axis.name) for axis in plan.hyperparameters):
        return None
    if (folder / SUBMITIT_FOLDER).exists() or is_claimed(folder):
        return None
    if plan_differences(plan, draft) or extend_plan(plan, draft, ()) is not plan:
        return None
    if plan.config_sha256 != draft.config_sha256 or plan.stopped is not None:
        return None
    over = _ENDED - {RunStatus.FAILED} if failed else _ENDED
    states = _states(folder, plan, str)
    has_ended = len(states) == len(plan.points) and all(
        status in over and log_state is LogState.COMPLETE for status, log_state in states.values()
    )
    return Counter(status for status, _ in states.values()) if has_ended else None


def _states(
    folder: Path, plan: Plan, warn: Callable[[str], object]
) -> dict[int, tuple[RunStatus, LogState]]:
    """Say how the runs stand, by number; those whose seal is damaged are told of and left out."""
    states: dict[int, tuple[RunStatus, LogState]] = {}
    for point in plan.points:
        try:
            states[point.run] = run_status(run_folder(folder, point.run_id))
        except DamagedSealError as error:
            warn(f"run {point.run_id} is lost and is not run again: {error}")
    return states

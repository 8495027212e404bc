"""A plan carried out: its runs launched and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.plugins import Plugins
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from provrunner.compose.hydra_versions import changing
from provrunner.log import run_folder, run_status, write_plan
from provrunner.log.liveness import own_sweep, write_owner
from provrunner.log.sealed import DamagedSealError
from provrunner.plan import Plan, Point
from provrunner.run.signals import Stopped, raise_on_stop
from provrunner.schema import RunStatus

__all__ = [
    "TAKEN_OVER",
    "Outcome",
    "count_statuses",
    "launch_jobs",
    "launch_plan",
    "run_number_of",
    "standing",
]

TAKEN_OVER = "run.taken_over"
"""The override that tells a run, the first of a sweep to begin since, of dead processes."""

_AS_PLANNED = {RunStatus.FINISHED, RunStatus.PRUNED}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a sweep ended.

    Attributes:
        folder: the sweep folder.
        statuses: runs by status; `planned` are those that never started.
        stopped: the exit code of the signal that ended it, None where it ended by itself.
        held_up: why no further run was started, such as a budget that is spent; None where none
            was left, or something else ended it.
    """

    folder: Path
    statuses: Mapping[RunStatus, int]
    stopped: int | None = None
    held_up: str | None = None

    @property
    def exit_code(self) -> int:
        """0 when every run ended as planned, 128 + signal when stopped, else 1.

        A run that was never started is as planned where a budget that was set was spent.
        """
        if self.stopped is not None:
            return self.stopped
        never_started = {RunStatus.PLANNED} if self.held_up is not None else set()
        return 0 if (_AS_PLANNED | never_started).issuperset(self.statuses) else 1


def launch_plan(
    hydra_context: HydraContext,
    task_function: TaskFunction,
    config: DictConfig,
    plan: Plan,
    *,
    jobs: Sequence[Sequence[str]],
    folder: Path,
) -> Outcome:
    """Write a plan into its folder and run it with the configured launcher.

    Args:
        hydra_context: what composes each run's configuration.
        task_function: what a launcher calls with each.
        config: the sweep's configuration.
        plan: whose runs are launched.
        jobs: the overrides of each run, in the plan's order.
        folder: the sweep's folder, made for it.
    """
    with own_sweep(folder):
        write_plan(folder, plan)
        return launch_jobs(hydra_context, task_function, config, plan, jobs=jobs, folder=folder)


def launch_jobs(
    hydra_context: HydraContext,
    task_function: TaskFunction,
    config: DictConfig,
    plan: Plan,
    *,
    jobs: Sequence[Sequence[str]],
    folder: Path,
) -> Outcome:
    """Run some of the runs of a plan that is written down, as `launch_plan` does; count those."""
    write_owner(folder)
    with changing(config):
        config.run.folder = str(folder)
        config.hydra.sweep.dir = str(folder)
    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=hydra_context, task_function=task_function, config=config
    )
    stopped = None
    with raise_on_stop():
        try:
            launcher.launch(jobs, _first_number(jobs, plan))
        except Stopped as stop:
            stopped = stop.exit_code
    points = [plan.points[run_number_of(words)] for words in jobs]
    return Outcome(folder, count_statuses(folder, points), stopped)


def _first_number(jobs: Sequence[Sequence[str]], plan: Plan) -> int:
    """Return Hydra's number of the first job: that of its run where all follow one another.

    Where they do not, the jobs are numbered on after the last run, so that none has the number of
    another job of the sweep.
    """
    numbers = [run_number_of(words) for words in jobs]
    follow = numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True
    return (numbers or [0])[0] if follow else len(plan.points)


def run_number_of(words: Sequence[str]) -> int:
    """Return the number of the run that a job's overrides are for."""
    prefix = "run.number="
    return int(next(word.removeprefix(prefix) for word in words if word.startswith(prefix)))


def count_statuses(folder: Path, points: Sequence[Point]) -> Mapping[RunStatus, int]:
    """Count runs by how they stand."""
    return Counter(standing(run_folder(folder, point.run_id)) for point in points)


def standing(folder: Path) -> RunStatus:
    """Say how a run stands; one whose seal is damaged is lost, for nothing vouches for its end."""
    try:
        return run_status(folder)[0]
    except DamagedSealError:
        return RunStatus.LOST

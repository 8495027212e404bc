"""The runs of a plan, launched round by round where later ones depend on earlier ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from provrunner.compose import job_overrides
from provrunner.compose.sizes import to_bytes
from provrunner.compose.sweep import read_search, runs_at_once
from provrunner.compose.values import to_override
from provrunner.log.compact import compacting
from provrunner.log.liveness import Owner, Takeover
from provrunner.log.plan_file import grow_plan
from provrunner.plan import Plan
from provrunner.run.asking import Search
from provrunner.run.disk import DiskWatch, watching_disk
from provrunner.run.launching import TAKEN_OVER, Outcome, count_statuses, launch_jobs
from provrunner.run.signals import Stopped, raise_on_stop
from provrunner.schema import RunStatus

__all__ = ["Clock", "carry_out"]

_AS_PLANNED = {RunStatus.FINISHED, RunStatus.PRUNED, RunStatus.PLANNED}


@dataclass
class Clock:
    """Says whether another round would likely end in time.

    Attributes:
        limit_s: how long all rounds may take; None: as long as they do.
        now: gives the time in seconds.
    """

    limit_s: float | None = None
    now: Callable[[], float] = time.monotonic
    _started: float = field(init=False)
    _rounds: int = 0

    def __post_init__(self) -> None:
        """Start to count."""
        self._started = self.now()

    def note(self) -> None:
        """Count a round that has ended."""
        self._rounds += 1

    def refusal(self) -> str | None:
        """Return why no further round is started; None where it may be.

        The first round is started in any case: nothing is known of how long one takes.

        Example:
            >>> times = iter([0.0, 40.0])
            >>> clock = Clock(60.0, now=lambda: next(times))
            >>> clock.note()
            >>> clock.refusal()
            'sweep.hours: 40 s of 60 s are spent, and a round takes 40 s on average'
        """
        if self.limit_s is None or not self._rounds:
            return None
        spent = self.now() - self._started
        mean = spent / self._rounds
        if spent + mean <= self.limit_s:
            return None
        return (
            f"sweep.hours: {spent:.0f} s of {self.limit_s:.0f} s are spent, "
            f"and a round takes {mean:.0f} s on average"
        )


def carry_out(  # noqa: PLR0913  called with its words by name
    hydra_context: HydraContext,
    task_function: TaskFunction,
    config: DictConfig,
    plan: Plan,
    *,
    arguments: Sequence[str],
    due: Collection[int],
    folder: Path,
    extra: Sequence[str] = (),
    takeover: Takeover | None = None,
    check_job: Callable[[DictConfig], object] | None = None,
) -> Outcome:
    """Run some runs of a plan that is written down, and those that an adaptive sweep asks for.

    All are launched at once, unless later ones depend on the results or the time of earlier ones.

    Args:
        hydra_context: what composes each run's configuration.
        task_function: what a launcher calls with each.
        config: the sweep's configuration.
        plan: whose runs are launched.
        arguments: the overrides that made the plan.
        due: numbers of the runs to launch.
        folder: the sweep's folder.
        extra: further overrides of each run.
        takeover: of the sweep from dead processes; the first run to begin tells of them.
        check_job: is given each run's configuration before the run is launched, and may refuse it.
    """

    def launch(plan: Plan, numbers: Sequence[int]) -> Outcome:
        some = replace(plan, points=tuple(plan.points[number] for number in numbers))
        jobs = [[*job, *extra] for job in job_overrides(some, arguments, folder)]
        if check_job is not None:
            for job in jobs:
                check_job(hydra_context.config_loader.load_sweep_config(config, job))
        if jobs and takeover is not None:
            jobs[0] += _telling(takeover.tell())
        return launch_jobs(hydra_context, task_function, config, plan, jobs=jobs, folder=folder)

    hours = config.sweep.get("hours")
    clock = Clock(None if hours is None else 3600.0 * hours)
    width = max(len(due), 1) if hours is None else runs_at_once(config)
    rounds = _Rounds(folder, plan, launch, clock, stop_on_error=config.on_error == "stop")
    runs = plan.runs_promised
    budget = config.sweep.get("disk_budget")
    watch = DiskWatch(folder, runs, budget=None if budget is None else to_bytes(budget))
    with compacting(folder, runs), watching_disk(watch), raise_on_stop():
        try:
            search = None
            if plan.sampler is not None:
                search = Search(folder, plan, *read_search(config, arguments))
            rounds.run_all(sorted(due), width, search)
        except Stopped as stop:
            rounds.stopped = stop.exit_code
    statuses = count_statuses(folder, rounds.plan.points)
    return Outcome(folder, statuses, rounds.stopped, rounds.plan.stopped)


def _telling(taken_over: Sequence[Owner]) -> list[str]:
    """Return the overrides by which a run is told of dead processes."""
    dead = [{"host": one.host or None, "pid": one.pid or None} for one in taken_over]
    return [to_override(f"+{TAKEN_OVER}", dead)] if dead else []


@dataclass
class _Rounds:
    folder: Path
    plan: Plan
    launch: Callable[[Plan, Sequence[int]], Outcome]
    clock: Clock
    stop_on_error: bool
    stopped: int | None = None

    def run_all(self, due: Sequence[int], width: int, search: Search | None) -> None:
        """Run what is due, then what is asked for, until there is no more or no time for it."""
        if self.plan.stopped is not None:
            self._write(replace(self.plan, stopped=None))
        waiting = [due[first : first + width] for first in range(0, len(due), width)]
        while waiting or search is not None:
            reason = self.clock.refusal() if waiting or self._is_more_to_ask() else None
            if reason is not None:
                self._write(replace(self.plan, stopped=reason))
                if search is not None:
                    search.tell(self.plan)
                return
            if not waiting and search is not None:
                waiting = self._ask(search)
            if not waiting or not self._run(waiting.pop(0)):
                return

    def _is_more_to_ask(self) -> bool:
        sampler = self.plan.sampler
        return sampler is not None and len(self.plan.asked) < sampler.trials

    def _ask(self, search: Search) -> list[Sequence[int]]:
        had = len(self.plan.points)
        search.tell(self.plan)
        self._write(search.grow(self.plan))
        numbers = range(had, len(self.plan.points))
        return [numbers] if numbers else []

    def _run(self, numbers: Sequence[int]) -> bool:
        """Run a round; return whether another may follow."""
        outcome = self.launch(self.plan, numbers)
        self.clock.note()
        self.stopped = outcome.stopped
        has_failed = self.stop_on_error and not _AS_PLANNED.issuperset(outcome.statuses)
        return self.stopped is None and not has_failed

    def _write(self, plan: Plan) -> None:
        if plan is not self.plan:
            grow_plan(self.folder, plan)
        self.plan = plan

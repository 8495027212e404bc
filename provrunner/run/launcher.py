"""Jobs handed to an engine, each watched to its end: its log sealed, a dead one begun again."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from provrunner.log import read_plan, run_folder, run_status, seal_run
from provrunner.log.folder import log_folder
from provrunner.log.liveness import STALE_S
from provrunner.plan import Plan, Point
from provrunner.run.engines import Ended, Engine, Job, Share
from provrunner.run.launching import TAKEN_OVER, run_number_of, standing
from provrunner.run.progress import Progress
from provrunner.run.signals import Stopped
from provrunner.schema import LogState, RunStatus

__all__ = ["launch", "share_of"]

_POLL_S = 0.25
_GRACE_S = 5.0
"""How long a stopped run may take to seal its log before it is killed."""

_RANKS_S = 10.0
"""How long the other ranks of a run that ended may take to end."""

_DEATH_S = 1.2 * STALE_S
"""How long the log of a run that died on another machine may seem to be written still."""

_ENDED_AS_PLANNED = (RunStatus.FINISHED, RunStatus.PRUNED)
_BEGUN_AGAIN = (RunStatus.FAILED, RunStatus.LOST, RunStatus.INTERRUPTED)
"""How a run stands that raised, or that its process, machine or scheduler put an end to."""


def share_of(context: HydraContext, task: TaskFunction, config: DictConfig) -> Share:
    """Gather what all jobs of a sweep have in common.

    Args:
        context: what composes each job's configuration.
        task: what a job calls with it.
        config: the sweep's configuration, with `run.folder` set.
    """
    folder = Path(config.run.folder)
    return Share(context, task, config, folder, read_plan(folder))


def launch(
    engine: Engine, share: Share, job_overrides: Sequence[Sequence[str]], first: int
) -> list[JobReturn]:
    """Run every job and return how each ended; one that was never started is left out.

    Where `on_error` says so, a run that failed, whose process died, or that was stopped though the
    sweep was not, is begun again as its next attempt, a number of times at most.

    Args:
        engine: what carries the jobs out; it is closed at the end.
        share: what the engine was made with.
        job_overrides: the command-line words of each job.
        first: Hydra's number of the first job.

    Raises:
        Stopped: a stop signal arrived; the runs under way are sealed as interrupted by then.
    """
    jobs = [_job(share, first + index, overrides) for index, overrides in enumerate(job_overrides)]
    try:
        return _Launch(engine, share, jobs).to_the_end()
    finally:
        engine.close()


@dataclass(slots=True)
class _Ending:
    """A job that has ended, and until when its log may be waited for."""

    ended: Ended
    deadline: float


class _Launch:
    """What is left of the jobs, what is under way, and what became of the others."""

    def __init__(self, engine: Engine, share: Share, jobs: Sequence[Job]) -> None:
        self._engine, self._share = engine, share
        self._waiting = deque(jobs)
        self._under_way: dict[int, Job] = {}
        self._ending: list[_Ending] = []
        self._tries: Counter[int] = Counter()
        on_error = share.config.on_error
        self._retries = 0 if isinstance(on_error, str) else int(on_error.retry)
        self._stops_on_error = on_error == "stop"
        self._statuses: dict[int, RunStatus] = {}
        self._progress = Progress(
            share.folder,
            share.plan,
            n_jobs=min(engine.n_jobs or len(jobs), len(jobs)) or 1,
            ended=_ended_before(share, jobs),
        )

    def to_the_end(self) -> list[JobReturn]:
        with self._progress:
            try:
                while self._waiting or self._under_way:
                    self._fill()
                    self._take(self._engine.wait(_POLL_S))
                    self._progress.update()
            except Stopped as stop:
                self._stop(stop)
                raise
            except Exception:
                self._engine.stop(_GRACE_S)  # nothing goes on without its sweep
                raise
        return [_job_return(self._statuses[index]) for index in sorted(self._statuses)]

    def _fill(self) -> None:
        """Start as many jobs as there is room for."""
        limit = self._engine.n_jobs
        room = len(self._waiting) if limit is None else limit - len(self._under_way)
        jobs = [self._waiting.popleft() for _ in range(min(room, len(self._waiting)))]
        for job in jobs:
            self._under_way[job.index] = job
            self._tries[job.index] += 1
            self._progress.start(job.point)
        if jobs:
            self._engine.start(jobs)

    def _take(self, ended: Sequence[Ended]) -> None:
        """Seal the logs of jobs that ended; one that is written still is looked at again."""
        for one in ended:
            one.job.folder.mkdir(parents=True, exist_ok=True)
            patience = _DEATH_S if one.died else _RANKS_S
            self._ending.append(_Ending(one, time.monotonic() + patience))
        for ending in list(self._ending):
            if _seal(ending.ended) or time.monotonic() > ending.deadline:
                self._ending.remove(ending)
                self._settle(ending.ended.job)

    def _settle(self, job: Job) -> None:
        del self._under_way[job.index]
        status, log_state = run_status(job.folder)
        if (
            status in _BEGUN_AGAIN
            and log_state is LogState.COMPLETE
            and self._tries[job.index] <= self._retries
        ):
            self._progress.again(job.point, status)
            self._waiting.appendleft(_again(job))
            return
        self._progress.end(job.point, status)
        self._statuses[job.index] = status
        if self._stops_on_error and status not in _ENDED_AS_PLANNED:
            self._waiting.clear()

    def _stop(self, stop: Stopped) -> None:
        """End what is under way, and seal what could not seal itself.

        A job that still waited in a queue has no log: its run is planned, as it was before.
        """
        self._engine.stop(_GRACE_S)
        for job in self._under_way.values():
            if log_folder(job.folder).is_dir():
                seal_run(job.folder, RunStatus.INTERRUPTED, str(stop))


def _job(share: Share, index: int, overrides: Sequence[str]) -> Job:
    point = _point(share.plan, overrides)
    return Job(index, point, tuple(overrides), run_folder(share.folder, point.run_id))


def _again(job: Job) -> Job:
    """Return the job of a run's next attempt, which tells nothing that the one before has told."""
    words = (word for word in job.overrides if not word.startswith(f"+{TAKEN_OVER}="))
    return replace(job, overrides=tuple(words))


def _point(plan: Plan, overrides: Sequence[str]) -> Point:
    return plan.points[run_number_of(overrides)]


def _ended_before(share: Share, jobs: Sequence[Job]) -> Counter[RunStatus]:
    """Count the runs that have ended and that none of the jobs is for, by status."""
    launched = {job.point.run for job in jobs}
    others = [point for point in share.plan.points if point.run not in launched]
    statuses = (standing(run_folder(share.folder, one.run_id)) for one in others)
    return Counter(status for status in statuses if status is not RunStatus.PLANNED)


def _seal(ended: Ended) -> bool:
    """Seal what a job left, and say whether its log is whole; it may have sealed it itself."""
    status = RunStatus.LOST if ended.died else RunStatus.FAILED
    reason = ended.died or ended.reason or "its process ended and left no end"
    seal_run(ended.job.folder, status, reason)
    return run_status(ended.job.folder)[1] is LogState.COMPLETE


def _job_return(status: RunStatus) -> JobReturn:
    result = JobReturn()
    result.status = JobStatus.COMPLETED
    result.return_value = status.value
    return result

"""A process for each run, so that no run can take another down with it."""

from __future__ import annotations

import signal
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import cloudpickle
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from provrunner.compose import available_cores
from provrunner.log import read_plan, run_folder, run_status, seal_run
from provrunner.plan import Plan, Point
from provrunner.run.isolated import Isolation, run_isolated
from provrunner.run.launching import standing
from provrunner.run.progress import Progress
from provrunner.run.signals import Stopped
from provrunner.schema import LogState, RunStatus

__all__ = ["LocalLauncher"]

_POLL_S = 0.25
_GRACE_S = 5.0
"""How long a stopped run may take to seal its log before it is killed."""

_RANKS_S = 10.0
"""How long the other ranks of a run that ended may take to end."""

_ENDED_AS_PLANNED = (RunStatus.FINISHED, RunStatus.PRUNED)


@dataclass(frozen=True, slots=True)
class _Running:
    index: int
    point: Point
    slot: int
    process: ForkServerProcess
    result: Connection


class LocalLauncher:
    """Run jobs on this machine, several at once, each forked from one warm process.

    The warm process has imported torch and Lightning, so that a run starts in a fraction of the
    time an interpreter needs; it has started no thread and touched no device, so that each run
    starts clean.
    """

    def __init__(
        self,
        hydra_context: HydraContext,
        task_function: TaskFunction,
        config: DictConfig,
        *,
        n_jobs: int | None = None,
    ) -> None:
        """Make ready to launch.

        Args:
            hydra_context: what composes each job's configuration.
            task_function: what a job calls with its configuration.
            config: the sweep's configuration, with `run.folder` set.
            n_jobs: runs at once; None takes one a GPU where runs use GPUs, else one a core.
        """
        setup_globals()
        self._payload = cloudpickle.dumps(
            (hydra_context, task_function, config, Singleton.get_state())
        )
        self._folder = Path(config.run.folder)
        self._plan = read_plan(self._folder)
        self._stop_on_error = config.on_error == "stop"
        self._gpus = _gpu_count(config)
        self._jobs = n_jobs or _default_jobs(config, self._gpus)
        self._running: list[_Running] = []

    def launch(self, job_overrides: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
        """Run every job and return how each ended; one that was never started is left out.

        Args:
            job_overrides: the command-line words of each job.
            first: Hydra's number of the first job.

        Raises:
            Stopped: a stop signal arrived; the runs under way are sealed as interrupted by then.
        """
        waiting = deque(enumerate(job_overrides))
        slots = deque(range(min(self._jobs, len(job_overrides))))
        returns: dict[int, JobReturn] = {}
        context = _warm_context()
        ended = self._ended_before(job_overrides)
        with Progress(self._folder, self._plan, n_jobs=len(slots), ended=ended) as progress:
            try:
                while waiting or self._running:
                    while waiting and slots:
                        index, overrides = waiting.popleft()
                        job = self._start(context, first + index, overrides, slots.popleft())
                        progress.start(job.point)
                    for job in self._wait():
                        slots.append(job.slot)
                        status = self._collect(job)
                        progress.end(job.point, status)
                        returns[job.index] = _job_return(status)
                        if self._stop_on_error and status not in _ENDED_AS_PLANNED:
                            waiting.clear()
                    progress.update()
            except Stopped as stop:
                self._stop_all(stop)
                raise
        return [returns[index] for index in sorted(returns)]

    def _ended_before(self, job_overrides: Sequence[Sequence[str]]) -> Counter[RunStatus]:
        """Count the planned runs that none of the jobs is for, by status."""
        launched = {_point(self._plan, overrides).run for overrides in job_overrides}
        others = [point for point in self._plan.points if point.run not in launched]
        return Counter(standing(run_folder(self._folder, one.run_id)) for one in others)

    def _start(
        self, context: ForkServerContext, index: int, overrides: Sequence[str], slot: int
    ) -> _Running:
        point = _point(self._plan, overrides)
        parent_end, child_end = context.Pipe(duplex=False)
        isolation = Isolation(
            payload=self._payload,
            overrides=tuple(overrides),
            index=index,
            folder=run_folder(self._folder, point.run_id),
            threads=max(1, available_cores() // self._jobs),
            gpu=slot % self._gpus if self._gpus and self._jobs > 1 else None,
        )
        process = context.Process(target=run_isolated, args=(isolation, child_end))
        process.start()
        child_end.close()
        job = _Running(index, point, slot, process, parent_end)
        self._running.append(job)
        return job

    def _wait(self) -> list[_Running]:
        """Return the jobs that ended since the last call, after at most `_POLL_S`."""
        sentinels = {job.process.sentinel: job for job in self._running}
        ended = [sentinels[ready] for ready in wait(list(sentinels), timeout=_POLL_S)]  # type: ignore[index]
        self._running = [job for job in self._running if job not in ended]
        return ended

    def _collect(self, job: _Running) -> RunStatus:
        """Return how a job ended; the log of one that could not seal it is sealed here."""
        job.process.join()
        code = job.process.exitcode or 0
        folder = run_folder(self._folder, job.point.run_id)
        folder.mkdir(parents=True, exist_ok=True)
        if code < 0:
            name = signal.Signals(-code).name
            _seal(folder, RunStatus.LOST, f"killed by {name}")
        else:
            reason = _told(job.result) or f"exited with code {code}; see output.log"
            _seal(folder, RunStatus.FAILED, reason)
        job.result.close()
        job.process.close()
        return run_status(folder)[0]

    def _stop_all(self, stop: Stopped) -> None:
        """Pass the signal on, give every run time to seal its log, and seal what is left."""
        running, self._running = self._running, []
        for job in running:
            if job.process.is_alive() and job.process.pid:
                # The group of a terminal's Ctrl-C has it already; a run ignores the second.
                job.process.terminate()
        deadline = time.monotonic() + _GRACE_S
        for job in running:
            job.process.join(max(0.0, deadline - time.monotonic()))
            if job.process.is_alive():
                job.process.kill()
                job.process.join()
            folder = run_folder(self._folder, job.point.run_id)
            folder.mkdir(parents=True, exist_ok=True)
            seal_run(folder, RunStatus.INTERRUPTED, str(stop))


def _seal(folder: Path, status: RunStatus, reason: str) -> None:
    """Seal what a run left; its further ranks may take a while to miss the one that ended."""
    deadline = time.monotonic() + _RANKS_S
    seal_run(folder, status, reason)
    while run_status(folder)[1] is not LogState.COMPLETE and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        seal_run(folder, status, reason)


def _told(result: Connection) -> str | None:
    """Return what a run's process said before it ended, None where it said nothing."""
    try:
        return str(result.recv())
    except EOFError:
        return None


def _warm_context() -> ForkServerContext:
    context = ForkServerContext()
    context.set_forkserver_preload(["provrunner.run.warm"])
    return context


def _point(plan: Plan, overrides: Sequence[str]) -> Point:
    prefix = "run.number="
    number = next(word.removeprefix(prefix) for word in overrides if word.startswith(prefix))
    return plan.points[int(number)]


def _job_return(status: RunStatus) -> JobReturn:
    result = JobReturn()
    result.status = JobStatus.COMPLETED
    result.return_value = status.value
    return result


def _gpu_count(config: DictConfig) -> int:
    """Return the number of GPUs that runs would use; 0 without asking torch where none can be."""
    accelerator = str(config.trainer.get("accelerator", "auto"))
    if accelerator not in ("auto", "gpu", "cuda") or not Path("/dev/nvidiactl").exists():
        return 0
    import torch

    return torch.cuda.device_count()


def _default_jobs(config: DictConfig, gpus: int) -> int:
    devices = config.trainer.get("devices", 1)
    each = devices if isinstance(devices, int) and devices > 0 else 1
    return max(1, (gpus or available_cores()) // each)

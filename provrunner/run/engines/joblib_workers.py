"""joblib's engine: workers on this machine that stay from run to run."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from provrunner.compose import available_cores, gpu_names
from provrunner.compose.launchers import import_extra
from provrunner.run.engines.engine import Ended, Job, Share
from provrunner.run.engines.packing import Packer
from provrunner.run.engines.processes import (
    default_jobs,
    devices_of,
    gpu_count,
    gpus_of_slot,
)
from provrunner.run.work import perform

__all__ = ["JoblibWorkers"]

_EXIT = re.compile(r"\{(SIG\w+)\(-\d+\)|EXIT\((\d+)\)")
"""How loky tells of the end of a worker."""


@dataclass(slots=True)
class _Worker:
    """One process; the executor of several would take all down with one."""

    executor: Any
    pid: Future[int]
    job: Job | None = None
    result: Future[str | None] | None = None


class JoblibWorkers:
    """Runs jobs in workers of joblib's own backend, loky, each of which runs one after another.

    A worker that dies costs the run that it had; another one takes its place.

    Args:
        share: what all jobs have in common.
        n_jobs: runs at once; None takes one a GPU where runs use GPUs, else one a core.

    Raises:
        ConfigError: joblib is not installed.
    """

    def __init__(self, share: Share, *, n_jobs: int | None = None) -> None:
        loky = import_extra("joblib.externals.loky", "joblib")
        self._make_executor = loky.ProcessPoolExecutor
        gpus, self._devices = gpu_count(share.config), devices_of(share.config)
        self._gpu_names = gpu_names(gpus)
        self.n_jobs: int = n_jobs or default_jobs(gpus, self._devices)
        self._packer = Packer(share, threads=max(1, available_cores() // self.n_jobs))
        self._workers: list[_Worker | None] = [None] * self.n_jobs

    def start(self, jobs: Sequence[Job]) -> None:
        """Give each job to a worker that has none."""
        for job in jobs:
            slot = next(slot for slot, one in enumerate(self._workers) if not (one and one.job))
            worker = self._workers[slot] or self._hire(slot)
            work = self._packer.pack(job)
            self._workers[slot] = worker
            worker.job, worker.result = job, worker.executor.submit(perform, work)

    def wait(self, timeout_s: float) -> list[Ended]:
        """Return the jobs that ended since the last call, after at most the time given."""
        results = {worker.result: slot for slot, worker in self._busy() if worker.result}
        if not results:
            return []
        done = wait(results, timeout=timeout_s, return_when=FIRST_COMPLETED).done
        return [self._end(results[result]) for result in done]

    def stop(self, grace_s: float) -> list[Ended]:
        """Pass a stop signal on, give every run time to seal its log, and kill what is left."""
        busy = self._busy()
        deadline = time.monotonic() + grace_s
        for _, worker in busy:
            _signal(worker, signal.SIGTERM, max(0.0, deadline - time.monotonic()))
        results = [worker.result for _, worker in busy if worker.result]
        wait(results, timeout=max(0.0, deadline - time.monotonic()))
        for _, worker in busy:
            if worker.result and not worker.result.done():
                _signal(worker, signal.SIGKILL, 0.0)
        return [self._end(slot) for slot, _ in busy]

    def close(self) -> None:
        """End the workers."""
        for worker in filter(None, self._workers):
            worker.executor.shutdown(wait=True, kill_workers=worker.job is not None)

    def _busy(self) -> list[tuple[int, _Worker]]:
        return [(slot, one) for slot, one in enumerate(self._workers) if one and one.job]

    def _hire(self, slot: int) -> _Worker:
        gpus = gpus_of_slot(slot, self._gpu_names, self._devices, n_jobs=self.n_jobs)
        env = {} if gpus is None else {"CUDA_VISIBLE_DEVICES": gpus}
        executor = self._make_executor(max_workers=1, env=env)
        return _Worker(executor, executor.submit(os.getpid))

    def _end(self, slot: int) -> Ended:
        worker = self._workers[slot]
        if worker is None or worker.job is None or worker.result is None:
            raise RuntimeError(f"worker {slot} has no job")
        job, result = worker.job, worker.result
        worker.job = worker.result = None
        try:
            return Ended(job, reason=result.result())
        except BrokenExecutor as error:
            worker.executor.shutdown(wait=False, kill_workers=True)
            self._workers[slot] = None
            return _death(job, str(error))
        except Exception as error:  # noqa: BLE001  what could not be sent or called
            return Ended(job, reason=f"{type(error).__name__}: {error}")


def _death(job: Job, told: str) -> Ended:
    """Say of a worker's death what the local engine says of a process."""
    how = _EXIT.search(told)
    if how is None:
        return Ended(job, died="its worker died")
    name, code = how.groups()
    if code:
        return Ended(job, reason=f"exited with code {code}; see output.log")
    return Ended(job, died=f"killed by {name}")


def _signal(worker: _Worker, number: signal.Signals, timeout_s: float) -> None:
    """Send a signal; a worker that has just been hired may need a while to tell its number."""
    with suppress(ProcessLookupError, BrokenExecutor, TimeoutError):
        os.kill(worker.pid.result(timeout=timeout_s), number)

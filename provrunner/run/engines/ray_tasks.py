"""Ray's engine: a task of a Ray cluster for each run."""

from __future__ import annotations

import signal
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from provrunner.compose.launchers import import_extra
from provrunner.log.folder import log_folder
from provrunner.run.engines.engine import Ended, Job, Share
from provrunner.run.engines.packing import Packer
from provrunner.run.engines.store import Store
from provrunner.run.engines.transfer import (
    Parcel,
    Returned,
    pack_folder,
    perform_anywhere,
    replace_folder,
)
from provrunner.run.signals import Stopped

__all__ = ["RayTasks"]

_QUIET: Mapping[str, Any] = {
    "include_dashboard": False,
    "log_to_driver": False,
    "logging_level": "warning",
}
_DEATHS = ("NodeDiedError", "ObjectLostError", "OutOfMemoryError", "WorkerCrashedError")


class RayTasks:
    """Runs jobs as tasks of a Ray cluster, in workers that stay from run to run.

    Args:
        share: what all jobs have in common.
        n_jobs: tasks at once; None takes as many as the cluster has room for now.
        num_cpus: that each task takes; torch gets as many threads.
        num_gpus: that each task takes.
        resources: further ones that each task takes, by name.
        shared_folder: whether the workers see the sweep's folder; None lets each of them look.
        store: URL that runs on workers which do not are sent to; None sends them back through Ray.
        init: what `ray.init` is given, unless Ray is connected already.

    Raises:
        ConfigError: Ray is not installed, or the store cannot be used.
    """

    def __init__(
        self,
        share: Share,
        *,
        n_jobs: int | None = None,
        num_cpus: float = 1,
        num_gpus: float = 0,
        resources: Mapping[str, float] | None = None,
        shared_folder: bool | None = None,
        store: str | None = None,
        init: Mapping[str, Any] | None = None,
    ) -> None:
        self._ray: Any = import_extra("ray", "ray")
        self._store = None if store is None else Store(store)
        if self._store is not None:
            self._store.check()
        if not self._ray.is_initialized():
            with _own_signals():
                self._ray.init(**{**_QUIET, **(init or {})})
        needs = {"CPU": num_cpus, "GPU": num_gpus, **(resources or {})}
        self.n_jobs: int | None = n_jobs or self._room(needs)
        self._perform = self._ray.remote(perform_anywhere).options(
            num_cpus=num_cpus, num_gpus=num_gpus, resources=dict(resources or {}), max_retries=0
        )
        self._packer = Packer(share, threads=max(1, int(num_cpus)))
        self._sweep = share.plan.sweep_id
        self._plan = (share.folder / "plan.json").read_bytes()
        self._is_shared = shared_folder
        self._jobs: dict[Any, Job] = {}

    def start(self, jobs: Sequence[Job]) -> None:
        """Make a task of each job."""
        for job in jobs:
            travels = not self._is_shared and log_folder(job.folder).is_dir()
            if self._store is not None:
                # of an attempt before: what is there from now on is of this one
                self._store.remove(self._stored(job))
            before = pack_folder(job.folder) if travels else None
            parcel = Parcel(self._plan, before, self._is_shared, self._store, self._stored(job))
            self._jobs[self._perform.remote(self._packer.pack(job), parcel)] = job

    def wait(self, timeout_s: float) -> list[Ended]:
        """Return the jobs that ended since the last call, after at most the time given."""
        if not self._jobs:
            return []
        with _stopped_as_such():
            self._ray.wait(list(self._jobs), timeout=timeout_s)
            ready, _ = self._ray.wait(list(self._jobs), num_returns=len(self._jobs), timeout=0)
        return [self._end(reference) for reference in ready]

    def stop(self, grace_s: float) -> list[Ended]:
        """Cancel the tasks, give every run time to seal its log, and kill what is left."""
        for reference in self._jobs:
            self._ray.cancel(reference)
        deadline = time.monotonic() + grace_s
        ended: list[Ended] = []
        while self._jobs and time.monotonic() < deadline:
            ended += self.wait(0.1)
        for reference in self._jobs:
            self._ray.cancel(reference, force=True)
        return ended + [self._end(reference) for reference in list(self._jobs)]

    def close(self) -> None:
        """Do nothing: this process stays connected, for a sweep that launches round by round."""

    def _room(self, needs: Mapping[str, float]) -> int:
        has = self._ray.cluster_resources()
        return max(1, int(min(has.get(name, 0) / need for name, need in needs.items() if need)))

    def _end(self, reference: Any) -> Ended:
        job = self._jobs.pop(reference)
        ended, packed = self._result(job, reference)
        try:
            if packed is None and self._store is not None:
                packed = self._store.take(self._stored(job))
            if packed is not None:
                replace_folder(packed, job.folder)
        except (OSError, tarfile.TarError) as error:
            return replace(ended, died=f"its folder did not come back: {error}")
        return ended

    def _stored(self, job: Job) -> str:
        return f"{self._sweep}/{job.point.run_id}.tar"

    def _result(self, job: Job, reference: Any) -> tuple[Ended, bytes | None]:
        """Say how a task ended, and give the folder that came back with its result."""
        try:
            with _stopped_as_such():
                returned: Returned = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            told = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
            is_death = any(cause.__name__ in _DEATHS for cause in type(error).__mro__)
            return (Ended(job, died=told) if is_death else Ended(job, reason=told)), None
        return Ended(job, reason=returned.reason), returned.run


@contextmanager
def _stopped_as_such() -> Iterator[None]:
    """Let a stop signal through as it is: what its handler raises in Ray's C code is wrapped."""
    try:
        yield
    except SystemError as error:
        if isinstance(error.__cause__, Stopped):
            raise error.__cause__ from None
        raise


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what stops a sweep in force: Ray puts a handler of its own in its place."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

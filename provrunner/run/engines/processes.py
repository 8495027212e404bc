"""The local engine: a process for each run, so that no run can take another down with it."""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import cloudpickle
from hydra.core.singleton import Singleton
from hydra.core.utils import setup_globals
from omegaconf import DictConfig

from provrunner.compose import available_cores, gpu_names
from provrunner.run.engines.engine import Ended, Job, Share
from provrunner.run.isolated import Isolation, run_isolated

__all__ = ["Processes", "default_jobs", "devices_of", "gpu_count", "gpus_of_slot"]


@dataclass(frozen=True, slots=True)
class _Running:
    job: Job
    slot: int
    process: ForkServerProcess
    result: Connection


class Processes:
    """Runs jobs on this machine, several at once, each forked from one warm process.

    The warm process has imported torch and Lightning, so that a run starts in a fraction of the
    time an interpreter needs; it has started no thread and touched no device, so that each run
    starts clean.

    Args:
        share: what all jobs have in common.
        n_jobs: runs at once; None takes one a GPU where runs use GPUs, else one a core.
    """

    def __init__(self, share: Share, *, n_jobs: int | None = None) -> None:
        setup_globals()
        self._payload = cloudpickle.dumps(
            (share.context, share.task, share.config, Singleton.get_state())
        )
        gpus, self._devices = gpu_count(share.config), devices_of(share.config)
        self._gpu_names = gpu_names(gpus)
        self.n_jobs: int = n_jobs or default_jobs(gpus, self._devices)
        self._threads = max(1, available_cores() // self.n_jobs)
        self._slots = deque(range(self.n_jobs))
        self._context = _warm_context()
        self._running: list[_Running] = []

    def start(self, jobs: Sequence[Job]) -> None:
        """Fork a process for each job."""
        for job in jobs:
            self._fork(job, self._slots.popleft())

    def wait(self, timeout_s: float) -> list[Ended]:
        """Return the jobs that ended since the last call, after at most the time given."""
        sentinels = {running.process.sentinel: running for running in self._running}
        ended = [sentinels[ready] for ready in wait(list(sentinels), timeout=timeout_s)]  # type: ignore[index]
        return [self._end(running) for running in ended]

    def stop(self, grace_s: float) -> list[Ended]:
        """Pass a stop signal on, give every run time to seal its log, and kill what is left."""
        for running in self._running:
            if running.process.is_alive() and running.process.pid:
                # The group of a terminal's Ctrl-C has it already; a run ignores the second.
                running.process.terminate()
        deadline = time.monotonic() + grace_s
        for running in self._running:
            running.process.join(max(0.0, deadline - time.monotonic()))
            if running.process.is_alive():
                running.process.kill()
        return [self._end(running) for running in list(self._running)]

    def close(self) -> None:
        """Do nothing: the warm process ends with this one."""

    def _fork(self, job: Job, slot: int) -> None:
        parent_end, child_end = self._context.Pipe(duplex=False)
        isolation = Isolation(
            payload=self._payload,
            overrides=job.overrides,
            index=job.index,
            folder=job.folder,
            threads=self._threads,
            gpus=gpus_of_slot(slot, self._gpu_names, self._devices, n_jobs=self.n_jobs),
        )
        process = self._context.Process(target=run_isolated, args=(isolation, child_end))
        process.start()
        child_end.close()
        self._running.append(_Running(job, slot, process, parent_end))

    def _end(self, running: _Running) -> Ended:
        running.process.join()
        code = running.process.exitcode or 0
        said = _told(running.result)
        running.result.close()
        running.process.close()
        self._running.remove(running)
        self._slots.append(running.slot)
        if code < 0:
            return Ended(running.job, died=f"killed by {signal.Signals(-code).name}")
        return Ended(running.job, reason=said or f"exited with code {code}; see output.log")


def gpu_count(config: DictConfig) -> int:
    """Return the number of GPUs that runs would use; 0 without asking torch where none can be."""
    accelerator = str(config.trainer.get("accelerator", "auto"))
    if accelerator not in ("auto", "gpu", "cuda") or not Path("/dev/nvidiactl").exists():
        return 0
    import torch

    return torch.cuda.device_count()


def devices_of(config: DictConfig) -> int:
    """Return how many devices each run takes, 1 where its Trainer decides that."""
    devices = config.trainer.get("devices", 1)
    return devices if isinstance(devices, int) and devices > 0 else 1


def default_jobs(gpus: int, devices: int) -> int:
    """Return how many runs fit on this machine at once: one for so many GPUs, or else cores."""
    return max(1, (gpus or available_cores()) // devices)


def gpus_of_slot(slot: int, gpus: Sequence[str], devices: int, *, n_jobs: int) -> str | None:
    """Return the GPUs that the run in a slot may see, as CUDA is told of them.

    Args:
        slot: number of the run among those at once.
        gpus: names of all.
        devices: that each run takes.
        n_jobs: runs at once.

    Returns:
        Names with commas between them; None where it may see all, or there are none.

    Example:
        >>> [gpus_of_slot(slot, ["0", "1", "2", "3"], 2, n_jobs=3) for slot in range(3)]
        ['0,1', '2,3', '0,1']
    """
    if n_jobs == 1 or devices > len(gpus):
        return None
    places = range(slot * devices, (slot + 1) * devices)
    return ",".join(gpus[place % len(gpus)] for place in places)


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

"""submitit's engine: a job of a scheduler for each run, or a process that stands for one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from provrunner.compose import available_cores
from provrunner.compose.launchers import import_extra
from provrunner.errors import ConfigError, ProvrunnerError
from provrunner.log.liveness import Owner, read_owner
from provrunner.run.engines.engine import Ended, Job, Share
from provrunner.run.engines.packing import Packer
from provrunner.run.work import Work, perform

__all__ = ["SUBMITIT_FOLDER", "SubmititJobs"]

SUBMITIT_FOLDER = "submitit"
"""What submitit keeps of jobs goes to this folder in the sweep's."""

_POLL_S = 0.2
_QUEUE_S = 10.0
"""How often Slurm is asked which jobs it has: one question for all of them."""

_SLURM_GRACE_S = 30.0
"""How long Slurm itself leaves a cancelled job, by default, before it kills it."""


@dataclass(slots=True)
class _Submitted:
    job: Job
    handle: Any
    is_missing: bool = False


class SubmititJobs:
    """Runs jobs through submitit: on Slurm, or as processes of this machine that live on their own.

    What submitit keeps of a job lies in the sweep's folder, for this user alone, until it ends:
    the job's configuration is in it, secrets and all.

    Args:
        share: what all jobs have in common.
        cluster: `slurm` or `local`.
        n_jobs: jobs queued or running at once; None takes one a core, and on Slurm all.
        parameters: of each job, as submitit's `AutoExecutor.update_parameters` takes them.

    Raises:
        ConfigError: submitit is not installed, does not take the parameters, or finds no Slurm.
    """

    def __init__(
        self,
        share: Share,
        *,
        cluster: str,
        n_jobs: int | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        submitit = import_extra("submitit", "slurm")
        told = submitit.core.utils
        self._refusals = (told.FailedJobError, told.FailedSubmissionError)
        self._folder = share.folder.resolve() / SUBMITIT_FOLDER
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._is_slurm = cluster == "slurm"
        given = {key: value for key, value in (parameters or {}).items() if value is not None}
        cores = given.setdefault("cpus_per_task", 1)
        if self._is_slurm:
            # who begins a run again is the sweep, which counts its attempts
            further = dict(given.get("slurm_additional_parameters") or {})
            given["slurm_additional_parameters"] = {"no-requeue": True, **further}
        try:
            self._executor = submitit.AutoExecutor(folder=self._folder / "%j", cluster=cluster)
            self._executor.update_parameters(**given)
        except (AssertionError, NameError, RuntimeError, TypeError, ValueError) as error:
            raise ConfigError(f"hydra.launcher.parameters: submitit says: {error}") from error
        self.n_jobs = n_jobs or (None if self._is_slurm else max(1, available_cores() // cores))
        self._packer = Packer(share, threads=cores)
        self._owner = read_owner(share.folder)
        self._submitted: list[_Submitted] = []
        self._asked = time.monotonic()

    def start(self, jobs: Sequence[Job]) -> None:
        """Submit jobs, several of them as one array."""
        works = [self._packer.pack(job) for job in jobs]
        submit = partial(self._executor.submit, perform_owned)
        try:
            with self._executor.batch():
                handles = [submit(work, self._owner) for work in works]
        except self._refusals as error:
            raise ProvrunnerError(
                f"the scheduler takes no further job: {error}; where it takes so many only, set "
                "hydra.launcher.n_jobs, and go on with provrunner resume"
            ) from error
        self._submitted += map(_Submitted, jobs, handles)

    def wait(self, timeout_s: float) -> list[Ended]:
        """Return the jobs that ended since the last call, after at most the time given."""
        deadline = time.monotonic() + timeout_s
        while True:
            self._ask_slurm()
            ended = [one for one in self._submitted if self._has_ended(one)]
            if ended or time.monotonic() > deadline:
                return [self._end(one) for one in ended]
            time.sleep(_POLL_S)

    def stop(self, grace_s: float) -> list[Ended]:
        """Cancel the jobs, give every run time to seal its log, and kill what is left."""
        for one in self._submitted:
            if self._is_slurm:
                one.handle.cancel(check=False)
            else:
                with suppress(ProcessLookupError):
                    # the process whose number is the job's passes it on
                    os.kill(int(one.handle.job_id), signal.SIGTERM)
        deadline = time.monotonic() + (_SLURM_GRACE_S if self._is_slurm else grace_s)
        ended: list[Ended] = []
        while self._submitted and time.monotonic() < deadline:
            ended += self.wait(_POLL_S)
        for one in self._submitted:
            one.handle.cancel(check=False)
        return ended + [self._end(one) for one in list(self._submitted)]

    def close(self) -> None:
        """Remove what submitit kept."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _has_ended(self, one: _Submitted) -> bool:
        if one.handle.paths.result_pickle.exists():
            return True
        return one.is_missing if self._is_slurm else bool(one.handle.done())

    def _ask_slurm(self) -> None:
        """Notice the jobs that Slurm knows no more of; accounting need not be set up for that."""
        if not self._is_slurm or time.monotonic() - self._asked < _QUEUE_S:
            return
        self._asked = time.monotonic()
        asked = ["squeue", "--me", "--array", "--noheader", "--format=%i"]
        told = subprocess.run(asked, capture_output=True, text=True, check=False)
        if told.returncode:
            return  # a scheduler that is away for a while has lost nothing
        queued = set(told.stdout.split())
        for one in self._submitted:
            one.is_missing = one.handle.job_id not in queued

    def _end(self, one: _Submitted) -> Ended:
        self._submitted.remove(one)
        if not one.handle.paths.result_pickle.exists():
            return Ended(one.job, died=_last_words(one.handle))
        try:
            return Ended(one.job, reason=one.handle.result())
        except Exception as error:  # noqa: BLE001  what could not be read or called
            return Ended(one.job, reason=f"{type(error).__name__}: {error}")


def perform_owned(work: Work, owner: Owner | None) -> str | None:
    """Perform a job, unless another process has taken over the sweep while it was queued."""
    if read_owner(work.sweep) != owner:
        return "another process runs the sweep by now"
    return perform(work)


def _last_words(handle: Any) -> str:
    """Say how a job died, in the last words that its scheduler wrote to its standard error."""
    with suppress(OSError):
        lines = handle.paths.stderr.read_text(errors="replace").split("\n")
        told = [line for line in lines if line.startswith("slurmstepd:")]
        if told:
            return f"its job died: {told[-1]}"
    return "its job died"

"""What happens inside the process of one run."""

from __future__ import annotations

import os
import sys
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import cloudpickle

from provrunner.compose.hydra_versions import changing
from provrunner.run.work import OUTPUT, call_task, name_command, restore_hydra

__all__ = ["Isolation", "run_isolated"]


@dataclass(frozen=True, slots=True)
class Isolation:
    """What a run's process is given.

    Attributes:
        payload: Hydra's context, the task, the sweep's configuration and Hydra's state, pickled.
        overrides: the job's command-line words.
        index: Hydra's number of the job.
        folder: the run's own folder; what the run prints goes to `output.log` in it.
        threads: torch's threads, so that runs side by side do not fight over cores.
        gpus: those that the run may see, as CUDA is told of them; None leaves all in sight.
    """

    payload: bytes
    overrides: tuple[str, ...]
    index: int
    folder: Path
    threads: int
    gpus: str | None


def run_isolated(isolation: Isolation, result: Connection) -> None:
    """Run one job in this process; send the reason down the pipe where it could not run."""
    isolation.folder.mkdir(parents=True, exist_ok=True)
    _redirect_output(isolation.folder / OUTPUT)
    if isolation.gpus is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = isolation.gpus
    name_command()
    try:
        _run_job(isolation)
    except Exception as error:  # noqa: BLE001  whatever it was, the parent is told
        traceback.print_exc()
        result.send(f"{type(error).__name__}: {error}")
        sys.exit(1)


def _run_job(isolation: Isolation) -> None:
    import torch

    torch.set_num_threads(isolation.threads)
    context, task, config, state = cloudpickle.loads(isolation.payload)
    restore_hydra(state)
    job_config = context.config_loader.load_sweep_config(config, list(isolation.overrides))
    with changing(job_config):
        job_config.hydra.job.id = str(isolation.index)
        job_config.hydra.job.num = isolation.index
    call_task(context, task, job_config)


def _redirect_output(path: Path) -> None:
    """Send all that this process and its children print to a file."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(descriptor, stream.fileno())
    os.close(descriptor)

"""One job in the process that an engine gives it."""

from __future__ import annotations

import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from provrunner.compose.hydra_versions import changing
from provrunner.log import run_folder
from provrunner.run.signals import Stopped

__all__ = ["OUTPUT", "Work", "call_task", "name_command", "perform", "restore_hydra"]

OUTPUT = "output.log"
"""What a run prints goes to this file in its folder."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker is given, here or on another machine.

    Attributes:
        common: Hydra's context, the task and Hydra's state, pickled.
        config: the job's configuration with Hydra's node, pickled.
        sweep: the sweep's folder.
        run_id: the run's id.
        cwd: the working folder of who runs the sweep.
        threads: torch's threads, so that runs side by side do not fight over cores.
    """

    common: bytes
    config: bytes
    sweep: Path
    run_id: str
    cwd: Path
    threads: int


def perform(work: Work) -> str | None:
    """Run one job in this process, and leave the process as it was.

    Returns:
        Why it could not run; None where its log tells how it ended, also where it was stopped.
    """
    folder = run_folder(work.sweep, work.run_id)
    folder.mkdir(parents=True, exist_ok=True)
    with _working_in(work.cwd), _printing_to(folder / OUTPUT), _as_command():
        try:
            import torch

            torch.set_num_threads(work.threads)
            context, task, state = cloudpickle.loads(work.common)
            restore_hydra(state)
            config = cloudpickle.loads(work.config)
            with changing(config):
                config.run.folder = config.hydra.sweep.dir = str(work.sweep)
            call_task(context, task, config)
        except Stopped:
            return None
        except KeyboardInterrupt:
            return "KeyboardInterrupt"
        except SystemExit as error:
            return f"exited with code {error.code}; see {OUTPUT}"
        except Exception as error:  # noqa: BLE001  whatever it was, the driver is told
            traceback.print_exc()
            return f"{type(error).__name__}: {error}"
        return None


def restore_hydra(state: Any) -> None:
    """Give this process what Hydra and OmegaConf knew in another one: plugins, resolvers."""
    from hydra.core.singleton import Singleton
    from hydra.core.utils import setup_globals

    setup_globals()
    Singleton.set_state(state)


def call_task(context: HydraContext, task: TaskFunction, config: DictConfig) -> None:
    """Call a task with a composed configuration, as Hydra does.

    Raises:
        Exception: what the task raised.
    """
    from hydra.core.utils import run_job

    job = run_job(
        task_function=task,
        config=config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
        hydra_context=context,
    )
    _ = job.return_value


def name_command() -> None:
    """Let Lightning find the command that starts further ranks: this package's own."""
    sys.modules["__main__"].__spec__ = importlib.util.find_spec("provrunner.__main__")
    del sys.argv[1:]


@contextmanager
def _printing_to(path: Path) -> Iterator[None]:
    """Send all that this process and its children print to the end of a file."""
    kept = {number: os.dup(number) for number in (1, 2)}
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        _point_output(dict.fromkeys(kept, descriptor))
        yield
    finally:
        _point_output(kept)
        for each in (descriptor, *kept.values()):
            os.close(each)


@contextmanager
def _as_command() -> Iterator[None]:
    main, words = sys.modules["__main__"], list(sys.argv)
    spec = main.__spec__
    name_command()
    try:
        yield
    finally:
        main.__spec__ = spec
        sys.argv[:] = words


def _point_output(targets: dict[int, int]) -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    for number, target in targets.items():
        os.dup2(target, number)


@contextmanager
def _working_in(cwd: Path) -> Iterator[None]:
    """Work where the sweep was started, if there is such a folder; put back what was there."""
    before, path, environment = Path.cwd(), list(sys.path), dict(os.environ)
    if cwd.is_dir():
        os.chdir(cwd)
    sys.path.insert(0, str(Path.cwd()))
    try:
        yield
    finally:
        os.chdir(before)
        sys.path[:] = path
        os.environ.clear()
        os.environ.update(environment)

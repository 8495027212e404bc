"""What the environment of this process says of how it was started."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = [
    "JoinedRun",
    "available_cores",
    "gpu_names",
    "is_further_rank",
    "is_under_torchrun",
    "joined_run",
    "may_be_further_rank",
    "next_run",
    "process_rank",
    "recorded_objective",
    "recorded_sweep",
    "recording_folder",
    "set_joined_run",
    "set_next_run",
    "set_recorded_sweep",
    "shared_folder",
]

_JOIN = "PROVRUNNER_JOIN"
_FOLDER = "PROVRUNNER_FOLDER"
_RECORD = "PROVRUNNER"
_OBJECTIVE = "PROVRUNNER_OBJECTIVE"
_DIRECTION = "PROVRUNNER_DIRECTION"
_SWEEP = "PROVRUNNER_SWEEP"
_NEXT = "PROVRUNNER_NEXT_RUN"

_OFF = ("", "0", "false", "no", "off")
_ON = ("1", "true", "yes", "on")

# Where launchers put a process's place: torchrun, Lightning, Slurm, jsrun.
_RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")


@dataclass(frozen=True, slots=True)
class JoinedRun:
    """A run that is under way and that this process takes part in as a further rank.

    Attributes:
        folder: the sweep folder.
        number: the run's number in the plan.
        config: the run's resolved configuration as YAML.
        checkpoint: what its training goes on from; None where it begins anew.
    """

    folder: str
    number: int
    config: str
    checkpoint: str | None = None


def joined_run(environ: Mapping[str, str] | None = None) -> JoinedRun | None:
    """Return the run that this process is a further rank of, or None for a process of its own.

    Lightning starts the ranks of a distributed run by calling the whole command again. The first
    rank leaves its run in the environment, and a rank above zero finds it there.
    """
    environ = os.environ if environ is None else environ
    if _JOIN not in environ or environ.get("LOCAL_RANK", "0") == "0":
        return None
    return JoinedRun(**json.loads(environ[_JOIN]))


def set_joined_run(run: JoinedRun, environ: MutableMapping[str, str] | None = None) -> None:
    """Leave a run in the environment, for the ranks that Lightning starts next.

    The environment is handed from process to process and never written to a file, so a secret in
    the configuration stays out of the sweep folder.
    """
    environ = os.environ if environ is None else environ
    environ[_JOIN] = json.dumps(asdict(run))


def shared_folder(
    make: Callable[[], Path], environ: MutableMapping[str, str] | None = None
) -> Path:
    """Return the folder that the first rank of a script made, or make it as the first rank.

    Lightning starts the further ranks of a script by calling it again, so each of them comes here.
    """
    environ = os.environ if environ is None else environ
    if _FOLDER in environ and environ.get("LOCAL_RANK", "0") != "0":
        return Path(environ[_FOLDER])
    folder = make()
    environ[_FOLDER] = str(folder.resolve())
    return folder


def recording_folder(environ: Mapping[str, str] | None = None) -> Path | None:
    """Return the folder below which the user wants every Trainer recorded, or None.

    Example:
        >>> recording_folder({"PROVRUNNER": "1"}), recording_folder({"PROVRUNNER": "off"})
        (PosixPath('outputs'), None)
    """
    environ = os.environ if environ is None else environ
    asked = environ.get(_RECORD, "")
    if asked.lower() in _OFF:
        return None
    return Path("outputs" if asked.lower() in _ON else asked)


def recorded_objective(environ: Mapping[str, str] | None = None) -> tuple[str, str]:
    """Return metric and direction by which the environment wants recorded runs judged.

    Example:
        >>> recorded_objective({"PROVRUNNER_OBJECTIVE": "val_acc"})
        ('val_acc', 'minimize')
    """
    environ = os.environ if environ is None else environ
    return environ.get(_OBJECTIVE, "val/loss"), environ.get(_DIRECTION, "minimize")


def recorded_sweep(environ: Mapping[str, str] | None = None) -> Path | None:
    """Return the sweep folder that every run of this program goes to, or None.

    `provrunner exec` names it, and the first Trainer of a program whose user asks for recording.
    """
    environ = os.environ if environ is None else environ
    return Path(environ[_SWEEP]) if environ.get(_SWEEP) else None


def set_recorded_sweep(
    folder: Path | None, environ: MutableMapping[str, str] | None = None
) -> None:
    """Let all runs of this program and of those it starts go to one sweep folder; None ends it."""
    environ = os.environ if environ is None else environ
    for name in (_SWEEP, _NEXT):
        environ.pop(name, None)
    if folder is not None:
        environ[_SWEEP] = str(folder.resolve())


def next_run(environ: Mapping[str, str] | None = None) -> int:
    """Return the number of the run of the recorded sweep that begins next in this process.

    A further rank, which the first one starts in the midst of its script, inherits the number of
    the run that it is started for.
    """
    environ = os.environ if environ is None else environ
    return int(environ.get(_NEXT, "0"))


def set_next_run(number: int, environ: MutableMapping[str, str] | None = None) -> None:
    """Set the number of the run that begins next."""
    environ = os.environ if environ is None else environ
    environ[_NEXT] = str(number)


def is_further_rank(environ: Mapping[str, str] | None = None) -> bool:
    """Say whether a launcher started this process as another rank than the first."""
    return process_rank(environ)[0] > 0


def may_be_further_rank(environ: Mapping[str, str] | None = None) -> bool:
    """Say whether any launcher calls this process another one than the first.

    Whether the processes work together only their process group can tell.

    Example:
        >>> may_be_further_rank({"NODE_RANK": "1"}), may_be_further_rank({"RANK": "0"})
        (True, False)
    """
    environ = os.environ if environ is None else environ
    return any(environ.get(name, "0") not in ("", "0") for name in _RANKS)


def process_rank(environ: Mapping[str, str] | None = None) -> tuple[int, int]:
    """Return rank and number of ranks, as launchers (torchrun, Lightning, Fabric) tell them."""
    environ = os.environ if environ is None else environ
    rank = environ.get("RANK") or environ.get("LOCAL_RANK") or "0"
    return int(rank), int(environ.get("WORLD_SIZE") or "1")


def is_under_torchrun(environ: Mapping[str, str] | None = None) -> bool:
    """Say whether torchrun started this process as one of several.

    Example:
        >>> is_under_torchrun({"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "2"})
        True
    """
    environ = os.environ if environ is None else environ
    return "TORCHELASTIC_RUN_ID" in environ and environ.get("WORLD_SIZE", "1") != "1"


def gpu_names(count: int, environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return what CUDA calls the GPUs that this process sees, in their order.

    Args:
        count: how many there are.
        environ: the process environment.
    """
    told = environ.get("CUDA_VISIBLE_DEVICES")
    names = told.split(",") if told else list(map(str, range(count)))
    return names[:count]


def available_cores() -> int:
    """Return the number of processors this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1

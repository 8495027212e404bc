"""What the environment of this process says of how it was started."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["JoinedRun", "available_cores", "joined_run", "set_joined_run", "shared_folder"]

_JOIN = "PROVRUNNER_JOIN"
_FOLDER = "PROVRUNNER_FOLDER"


@dataclass(frozen=True, slots=True)
class JoinedRun:
    """A run that is under way and that this process takes part in as a further rank.

    Attributes:
        folder: the sweep folder.
        number: the run's number in the plan.
        config: the run's resolved configuration as YAML.
    """

    folder: str
    number: int
    config: str


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


def available_cores() -> int:
    """Return the number of processors this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1

"""A recorded script, once more: from its command and its own code, as a new sweep."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import NoReturn

from provrunner.errors import LogError
from provrunner.log import run_folders, run_status
from provrunner.plan import Plan
from provrunner.run.execute import run_script
from provrunner.run.launching import Outcome
from provrunner.run.record import RunRecord

__all__ = ["Script", "recorded_script", "start_script"]

_WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")
_OWN = "provrunner"
_MASK = "***"


@dataclass(frozen=True, slots=True)
class Script:
    """What a Python command line ran.

    Attributes:
        target: path of the script; with `module`, a module's dotted name.
        arguments: what it found in `sys.argv[1:]`.
        module: whether it ran as `python -m` does.
    """

    target: str
    arguments: tuple[str, ...] = ()
    module: bool = False

    def found_in(self, start: Path) -> str:
        """Return what to run in a folder that the code was laid out in: the longest of its path.

        Raises:
            LogError: the script is not there.
        """
        if self.module:
            return self.target
        parts = PurePath(self.target).parts
        for first in range(len(parts)):
            path = PurePath(*parts[first:])
            if not path.is_absolute() and ".." not in path.parts and (start / path).is_file():
                return str(path)
        raise LogError(f"the script {self.target} is not among the run's code in {start}")


def recorded_script(plan: Plan) -> Script:
    """Return the script that a sweep's recorded command ran.

    Example:
        >>> from provrunner.plan import Objective
        >>> words = ("python", "-m", "provrunner", "exec", "--name", "x", "a.py", "--lr", "1")
        >>> recorded_script(Plan("s", "x", "", Objective("loss"), "single", (), (), command=words))
        Script(target='a.py', arguments=('--lr', '1'), module=False)

    Raises:
        LogError: it ran none, or a part of the command was secret.
    """
    told = " ".join(plan.command)
    if _MASK in told:
        raise LogError(f"a part of the command was secret and is not in the record: {told}")
    found = _python_words(plan.command[1:])
    if found is not None and PurePath(found.target).name == _OWN:
        found = _executed(found.arguments)
    if found is None or found.target.startswith("ipykernel"):
        raise LogError(f"the record names no script that could be run again: {told or 'nothing'}")
    return found


def start_script(
    record: RunRecord, script: Script, folder: Path, warn: Callable[[str], object]
) -> Outcome:
    """Run a recorded script in the working folder, which holds its code.

    What it prints goes to stderr. Every run of it is a run of the new sweep, by the same number.

    Args:
        record: the run that is repeated.
        script: what its command ran.
        folder: parent of the new sweep's folder.
        warn: is told where the script does not end well.

    Raises:
        LogError: the script is not here, or the sweep folder cannot be made.
    """
    plan = record.plan
    with redirect_stdout(sys.stderr):
        ended = run_script(
            script.found_in(Path.cwd()),
            script.arguments,
            module=script.module,
            name=plan.name,
            objective=plan.objective.metric,
            direction=plan.objective.direction,
            folder=folder,
            origin=record.origin,
        )
    if ended.exit_code:
        warn(f"the script ended with exit code {ended.exit_code}")
    return Outcome(ended.folder, Counter(run_status(run)[0] for run in run_folders(ended.folder)))


def _python_words(words: Sequence[str]) -> Script | None:
    """Read what the interpreter was told: its own options, then a module or a script."""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "-m":
            return Script(rest[0], tuple(rest[1:]), module=True) if rest else None
        if word in _WITH_VALUE:
            rest[:1] = []
        elif not word.startswith("-"):
            return Script(word, tuple(rest))
        elif word in {"-c", "-"}:
            return None
    return None


class _Words(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise LogError(f"the recorded command cannot be read: {message}")


def _executed(words: Sequence[str]) -> Script | None:
    """Read the words of `provrunner exec`."""
    if not words or words[0] != "exec":
        return None
    parser = _Words(add_help=False)
    parser.add_argument("-m", dest="module", action="store_true")
    for name in ("--name", "--objective", "--direction", "--folder"):
        parser.add_argument(name)
    parser.add_argument("target")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    found = parser.parse_args(list(words[1:]))
    return Script(found.target, tuple(found.arguments), module=found.module)

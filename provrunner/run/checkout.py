"""The code of a recorded run, laid out in a temporary folder while the run is run again."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

from provrunner.errors import LogError
from provrunner.ids import file_digest
from provrunner.repository import apply_patch, copy_commit, find_start, has_commit, is_whole
from provrunner.run.record import RunRecord

__all__ = ["recorded_code", "why_not", "working_in"]

_SHOWN = 12
_OWN = str(Path(__file__).resolve().parents[2])
"""Where this provrunner lies."""


def why_not(record: RunRecord, repository: Path) -> str | None:
    """Say why the code that a run ran cannot be laid out; None where it can.

    Args:
        record: the run.
        repository: a folder inside the git repository that should hold its commit.
    """
    code = record.code
    if not code.get("commit"):
        return f"its commit is unknown ({code.get('reason') or 'it was not captured'})"
    if code.get("dirty") and not code.get("patch"):
        return "its uncommitted changes were not captured"
    if code.get("dirty") and not is_whole(code["patch"], code.get("patch_sha256")):
        return "its uncommitted changes were cut, or held a secret that is masked"
    if not has_commit(repository, str(code["commit"])):
        return f"its commit {code['commit'][:_SHOWN]} is not in the repository at {repository}"
    return None


@contextmanager
def recorded_code(record: RunRecord, repository: Path) -> Iterator[Path]:
    """Lay out the code that a run ran, and give the folder that it was started in.

    It is the commit with the uncommitted changes. What the run's configuration names by a relative
    path and no commit holds, such as data that git ignores, is linked from the working folder;
    modules that were in no commit are copied from there if they have the recorded bytes.

    Args:
        record: the run; `why_not` found nothing.
        repository: a folder inside the git repository that holds its commit.

    Raises:
        LogError: git cannot lay it out.
    """
    with tempfile.TemporaryDirectory(prefix="provrunner-") as name:
        top = Path(name).resolve() / "code"
        code = record.code
        copy_commit(repository, str(code["commit"]), top, remote=code.get("remote"))
        if code.get("dirty"):
            _apply(code["patch"], Path(name) / "changes.patch", top)
        start = top / find_start(top, record.sources.values())
        _copy_modules(record, start)
        _link_inputs(record.config, start)
        yield start


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Make a folder the one that this process works in and imports from, for a while.

    provrunner itself stays the one at hand, also where the folder holds another one.
    """
    before, path = Path.cwd(), list(sys.path)
    ahead = [_OWN] if (folder / "provrunner" / "__init__.py").exists() else []
    os.chdir(folder)
    sys.path[:] = [*ahead, str(folder), *(one for one in path if one not in ("", str(before)))]
    try:
        yield
    finally:
        os.chdir(before)
        sys.path[:] = path


def _apply(patch: str, file: Path, top: Path) -> None:
    file.write_text(patch, encoding="utf-8", newline="")
    refused = apply_patch(file, top)
    if refused is not None:
        raise LogError(
            f"the run's uncommitted changes cannot be applied to its commit: {refused}; "
            "--code here runs the code in the working folder"
        )


def _copy_modules(record: RunRecord, start: Path) -> None:
    for path, sha256 in record.sources.values():
        here, there = Path(path), start / path
        if _is_inside(path) and not there.exists() and here.is_file():
            if file_digest(here) != sha256:
                continue
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(here, there)


def _link_inputs(config: Mapping[str, Any], start: Path) -> None:
    named = {text for text in _texts(config) if _is_inside(text) and _exists(Path(text))}
    # A folder before what lies in it, which is then there, too.
    for text in sorted(named, key=lambda one: len(PurePath(one).parts)):
        there = start / text
        if not _exists(there) and not there.is_symlink():
            there.parent.mkdir(parents=True, exist_ok=True)
            there.symlink_to(Path(text).resolve())


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict | list):
        for value in node.values() if isinstance(node, dict) else node:
            yield from _texts(value)


def _is_inside(path: str) -> bool:
    """Say whether a text may be the path of something below a folder."""
    parts = PurePath(path).parts
    return bool(parts) and not PurePath(path).is_absolute() and ".." not in parts


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long for a name, or with a NUL in it: a text of another use
        return False

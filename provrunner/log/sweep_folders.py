"""The folders of sweeps: made for one, and found again."""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from pathlib import Path

from provrunner.errors import LogError, nearest
from provrunner.log.folder import PLAN_FILE, RUNS, plain_name
from provrunner.log.plan_file import read_plan

__all__ = [
    "claim_sweep_folder",
    "create_sweep_folder",
    "find_sweep",
    "holds_sweep",
    "new_sweep_id",
    "project_sweeps",
]

_ATTEMPTS = 100
_DEPTH = 3
_STAMP = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d")


def create_sweep_folder(root: Path, name: str, *, now: datetime) -> Path:
    """Make `root/<name>/<date_time>-<6 hex>/` with an empty `runs/`, for this sweep alone.

    Of a name only letters, digits, `.`, `_` and `-` become part of the path.

    Raises:
        LogError: the folder cannot be made; the message names it.
    """
    parent = root / plain_name(name)
    stamp = now.strftime("%Y-%m-%d_%H-%M-%S")
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for _ in range(_ATTEMPTS):
            folder = parent / f"{stamp}-{secrets.token_hex(3)}"
            if _make_exclusively(folder):
                (folder / RUNS).mkdir()
                return folder
    except OSError as error:
        raise LogError(f"cannot make a sweep folder in {parent}: {error.strerror}") from error
    raise LogError(f"cannot make a sweep folder in {parent}: {_ATTEMPTS} names were taken")


def claim_sweep_folder(folder: Path) -> Path:
    """Make exactly `folder` with an empty `runs/`, for this sweep alone.

    A folder that exists and is empty is taken.

    Raises:
        LogError: it holds another sweep or other files, or cannot be made; it is left as it was.
    """
    if (folder / PLAN_FILE).exists():
        owner = read_plan(folder)
        raise LogError(
            f"{folder} already holds the sweep '{owner.name}' of {owner.created}; "
            "name another folder, or leave it out for a new one"
        )
    try:
        if folder.is_dir() and any(folder.iterdir()):
            raise LogError(f"{folder} is not empty and holds no sweep; name an empty or new folder")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RUNS).mkdir()
    except OSError as error:
        raise LogError(f"cannot make the sweep folder {folder}: {error.strerror}") from error
    return folder


def new_sweep_id(folder: Path, *, named: bool) -> str:
    """Return an id for the sweep that a folder was made for; no other sweep has it.

    Args:
        folder: of the sweep.
        named: whether a user named it: another sweep's may have the same name elsewhere, or have
            had it before. `create_sweep_folder` gives each a name of its own.
    """
    return f"{folder.name}-{secrets.token_hex(6)}" if named else folder.name


def holds_sweep(folder: Path) -> bool:
    """Say whether a folder has a plan in it."""
    return (folder / PLAN_FILE).is_file()


def find_sweep(path: Path | None) -> Path:
    """Return the sweep folder at `path`, or the newest one up to three levels below it.

    A sweep that repeats a run of another one counts only where there is no other.

    Args:
        path: a folder; None means `outputs` in the working directory.

    Raises:
        LogError: there is no such folder, or no `plan.json` in it or below.
    """
    folder = Path("outputs") if path is None else path
    if not folder.is_dir():
        siblings = folder.parent.iterdir() if folder.parent.is_dir() else ()
        near = nearest(folder.name, (sibling.name for sibling in siblings if sibling.is_dir()))
        raise LogError(f"there is no sweep folder {folder}{near}")
    if (folder / PLAN_FILE).is_file():
        return folder
    plans = [
        plan
        for depth in range(1, _DEPTH + 1)
        for plan in folder.glob("/".join(["*"] * depth) + f"/{PLAN_FILE}")
    ]
    if not plans:
        raise LogError(f"{folder} is no sweep folder: no {PLAN_FILE} in it or below")
    newest = sorted(plans, key=_age, reverse=True)
    return next((plan for plan in newest if not _repeats(plan)), newest[0]).parent


def project_sweeps(folder: Path) -> list[Path]:
    """List the sweep folders of a sweep's project, itself among them, sorted.

    A project is the folder in which sweeps of any name lie as `<name>/<date_time>-<6 hex>/` or in
    folders of their own; nothing deeper is looked at.

    Args:
        folder: of one of its sweeps.

    Raises:
        LogError: the folder holds no plan.
    """
    folder = folder.resolve()
    own = plain_name(read_plan(folder).name)
    is_dated = folder.parent.name == own and _STAMP.match(folder.name)
    root = folder.parent.parent if is_dated else folder.parent
    below = [path.parent for path in root.glob(f"*/{PLAN_FILE}")]
    dated = [path.parent for path in root.glob(f"*/[0-9]*-*_*-*/{PLAN_FILE}")]
    return sorted({folder, *below, *(path for path in dated if _STAMP.match(path.name))})


def _make_exclusively(folder: Path) -> bool:
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True


def _repeats(plan: Path) -> bool:
    try:
        return read_plan(plan.parent).origin is not None
    except LogError:
        return False


def _age(plan: Path) -> tuple[str, int]:
    changed = plan.stat().st_mtime_ns
    stamp = _STAMP.match(plan.parent.name)
    if stamp:
        return stamp[0], changed
    return datetime.fromtimestamp(changed / 1e9).strftime("%Y-%m-%d_%H-%M-%S"), changed

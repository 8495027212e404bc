"""The file that a sweep's plan is written to, and read from."""

from __future__ import annotations

import os
from pathlib import Path

from provrunner.errors import LogError
from provrunner.ids import file_digest
from provrunner.log.folder import PLAN_FILE, sync_folder
from provrunner.plan import Plan

__all__ = [
    "grow_plan",
    "parse_plan",
    "plan_digest",
    "read_plan",
    "read_plan_text",
    "replace_plan",
    "write_plan",
]


def write_plan(folder: Path, plan: Plan) -> None:
    """Write the first `plan.json` of a sweep durably.

    Raises:
        LogError: there is one already, or the folder cannot be written.
    """
    path = folder / PLAN_FILE
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(plan.to_json())
            file.flush()
            os.fsync(file.fileno())
        sync_folder(folder)
    except OSError as error:
        raise LogError(f"cannot write {path}: {error.strerror}") from error


def replace_plan(folder: Path, plan: Plan) -> None:
    """Put an extended plan in the place of the one before, which stays as `plan.<n>.json`.

    A kill at any point leaves one of the two, whole.

    Raises:
        LogError: the folder cannot be written.
    """
    path = folder / PLAN_FILE
    before = path.with_suffix(f".{max(len(plan.extensions) - 1, 0)}.json")
    try:
        before.write_bytes(path.read_bytes())
    except OSError as error:
        raise LogError(f"cannot write {before}: {error.strerror}") from error
    grow_plan(folder, plan)


def grow_plan(folder: Path, plan: Plan) -> None:
    """Put a plan that has grown in the place of the one before, of which it holds all.

    Raises:
        LogError: the folder cannot be written.
    """
    path = folder / PLAN_FILE
    following = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        with following.open("w", encoding="utf-8") as file:
            file.write(plan.to_json())
            file.flush()
            os.fsync(file.fileno())
        following.replace(path)
        sync_folder(folder)
    except OSError as error:
        following.unlink(missing_ok=True)
        raise LogError(f"cannot write {path}: {error.strerror}") from error


def read_plan(folder: Path) -> Plan:
    """Read a sweep's `plan.json`.

    Raises:
        LogError: it is missing, damaged or of a newer format.
    """
    return parse_plan(folder, read_plan_text(folder))


def read_plan_text(folder: Path) -> str:
    """Read the text of a sweep's `plan.json`.

    Raises:
        LogError: it is missing, or no text.
    """
    path = folder / PLAN_FILE
    try:
        # lines end as they were written: to look for others takes most of the time
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise LogError(f"cannot read {path}: {error}") from error


def parse_plan(folder: Path, text: str) -> Plan:
    """Return the plan that a text of a sweep's `plan.json` tells.

    Raises:
        LogError: it is damaged or of a newer format; the message names the file.
    """
    try:
        return Plan.from_json(text)
    except LogError as error:
        raise LogError(f"{folder / PLAN_FILE}: {error}") from error


def plan_digest(folder: Path) -> str:
    """Return the SHA-256 of a sweep's `plan.json`."""
    return file_digest(folder / PLAN_FILE)

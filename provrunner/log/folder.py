"""Where the files of a sweep and its runs lie: names and layout."""

from __future__ import annotations

import os
import re
from pathlib import Path

from provrunner.errors import LogError
from provrunner.plan import Plan, Point

__all__ = [
    "EVENTS_FILE",
    "METRICS_FILE",
    "NEXT_SEAL_FILE",
    "PLAN_FILE",
    "RUNS",
    "SEAL_FILE",
    "journal_name",
    "log_folder",
    "plain_name",
    "run_folder",
    "run_folders",
    "run_number",
    "sealed_name",
    "stream_name",
    "stream_parts",
    "sync_folder",
    "unplanned_runs",
]

METRICS_FILE = "metrics.arrow"
EVENTS_FILE = "events.arrow"
SEAL_FILE = "seal.json"
NEXT_SEAL_FILE = "seal.next.json"
PLAN_FILE = "plan.json"
RUNS = "runs"
_LOG = "log"
_NAME_CHARACTERS = 80
_PLAIN = re.compile(r"[0-9]{4,9}-[0-9a-f]{8}")
_STREAM = re.compile(r"(metrics|events)\.r(\d{1,9})\.(\d{1,9})\.(arrows|journal)")


def run_folder(folder: Path, run_id: str) -> Path:
    """Return the folder of a run, which need not exist yet.

    Raises:
        LogError: the id is no plain folder name.
    """
    if not _PLAIN.fullmatch(run_id) and plain_name(run_id) != run_id:
        raise LogError(f"{run_id!r} is no run id: it would leave {folder / RUNS}")
    return folder.joinpath(RUNS, run_id)


def run_folders(folder: Path) -> list[Path]:
    """List the folders of a sweep's runs, sorted by name, which is the order of the plan."""
    runs = folder / RUNS
    if not runs.is_dir():
        return []
    return [Path(entry) for entry in sorted(e.path for e in os.scandir(runs) if e.is_dir())]


def unplanned_runs(folder: Path, plan: Plan) -> tuple[Point, ...]:
    """Return the runs that have a log and are no point of the plan, by name.

    A script's further Trainers are such; they have no trial, no seed and no values.
    """
    planned = {point.run_id for point in plan.points}
    return tuple(
        Point(run_number(path.name), path.name, "", 0, None, {})
        for path in run_folders(folder)
        if path.name not in planned and log_folder(path).is_dir()
    )


def run_number(run_id: str) -> int:
    """Return the number that a run id starts with, or 0 for an id of another form.

    Example:
        >>> run_number("0003-9f2c41d8"), run_number("mine")
        (3, 0)
    """
    head = run_id.partition("-")[0]
    return int(head) if head.isascii() and head.isdigit() and len(head) < 10 else 0


def log_folder(folder: Path) -> Path:
    """Return the log folder of a run."""
    return folder / _LOG


def stream_name(table: str, rank: int, segment: int) -> str:
    """Return the file name of a live stream."""
    return f"{table}.r{rank}.{segment}.arrows"


def journal_name(table: str, rank: int, segment: int) -> str:
    """Return the file name of the journal beside a live stream."""
    return f"{table}.r{rank}.{segment}.journal"


def stream_parts(file_name: str) -> tuple[str, int, int, str] | None:
    """Read table, rank, segment and suffix from a live file's name; None for any other name.

    Example:
        >>> stream_parts("metrics.r0.1.arrows")
        ('metrics', 0, 1, 'arrows')
    """
    match = _STREAM.fullmatch(file_name)
    return (match[1], int(match[2]), int(match[3]), match[4]) if match else None


def sealed_name(table: str) -> str:
    """Return the file name of a sealed table."""
    return f"{table}.arrow"


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut, where the file system can."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def plain_name(name: str) -> str:
    """Return what of a name can be part of a path: letters, digits, `.`, `_` and `-`."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:_NAME_CHARACTERS].lstrip(".-")
    return plain or "sweep"

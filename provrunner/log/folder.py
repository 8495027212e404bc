"""Where a sweep and its runs lie on disk: names, layout, plan."""

from __future__ import annotations

import os
import re
import secrets
from datetime import datetime
from pathlib import Path

from provrunner.errors import LogError, nearest
from provrunner.ids import file_digest
from provrunner.plan import Plan, Point

__all__ = [
    "EVENTS_FILE",
    "METRICS_FILE",
    "NEXT_SEAL_FILE",
    "SEAL_FILE",
    "claim_sweep_folder",
    "create_sweep_folder",
    "find_sweep",
    "grow_plan",
    "holds_sweep",
    "journal_name",
    "log_folder",
    "new_sweep_id",
    "parse_plan",
    "plan_digest",
    "project_sweeps",
    "read_plan",
    "read_plan_text",
    "replace_plan",
    "run_folder",
    "run_folders",
    "run_number",
    "sealed_name",
    "stream_name",
    "stream_parts",
    "sync_folder",
    "unplanned_runs",
    "write_plan",
]

METRICS_FILE = "metrics.arrow"
EVENTS_FILE = "events.arrow"
SEAL_FILE = "seal.json"
NEXT_SEAL_FILE = "seal.next.json"
_PLAN_FILE = "plan.json"
_RUNS = "runs"
_LOG = "log"
_ATTEMPTS = 100
_NAME_CHARACTERS = 80
_DEPTH = 3
_PLAIN = re.compile(r"[0-9]{4,9}-[0-9a-f]{8}")
_STREAM = re.compile(r"(metrics|events)\.r(\d{1,9})\.(\d{1,9})\.(arrows|journal)")
_STAMP = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d")


def create_sweep_folder(root: Path, name: str, *, now: datetime) -> Path:
    """Make `root/<name>/<date_time>-<6 hex>/` with an empty `runs/`, for this sweep alone.

    Of a name only letters, digits, `.`, `_` and `-` become part of the path.

    Raises:
        LogError: the folder cannot be made; the message names it.
    """
    parent = root / _folder_name(name)
    stamp = now.strftime("%Y-%m-%d_%H-%M-%S")
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for _ in range(_ATTEMPTS):
            folder = parent / f"{stamp}-{secrets.token_hex(3)}"
            if _make_exclusively(folder):
                (folder / _RUNS).mkdir()
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
    if (folder / _PLAN_FILE).exists():
        owner = read_plan(folder)
        raise LogError(
            f"{folder} already holds the sweep '{owner.name}' of {owner.created}; "
            "name another folder, or leave it out for a new one"
        )
    try:
        if folder.is_dir() and any(folder.iterdir()):
            raise LogError(f"{folder} is not empty and holds no sweep; name an empty or new folder")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _RUNS).mkdir()
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
    return (folder / _PLAN_FILE).is_file()


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
    if (folder / _PLAN_FILE).is_file():
        return folder
    plans = [
        plan
        for depth in range(1, _DEPTH + 1)
        for plan in folder.glob("/".join(["*"] * depth) + f"/{_PLAN_FILE}")
    ]
    if not plans:
        raise LogError(f"{folder} is no sweep folder: no {_PLAN_FILE} in it or below")
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
    own = _folder_name(read_plan(folder).name)
    is_dated = folder.parent.name == own and _STAMP.match(folder.name)
    root = folder.parent.parent if is_dated else folder.parent
    below = [path.parent for path in root.glob(f"*/{_PLAN_FILE}")]
    dated = [path.parent for path in root.glob(f"*/[0-9]*-*_*-*/{_PLAN_FILE}")]
    return sorted({folder, *below, *(path for path in dated if _STAMP.match(path.name))})


def write_plan(folder: Path, plan: Plan) -> None:
    """Write the first `plan.json` of a sweep durably.

    Raises:
        LogError: there is one already, or the folder cannot be written.
    """
    path = folder / _PLAN_FILE
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
    path = folder / _PLAN_FILE
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
    path = folder / _PLAN_FILE
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
    path = folder / _PLAN_FILE
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
        raise LogError(f"{folder / _PLAN_FILE}: {error}") from error


def plan_digest(folder: Path) -> str:
    """Return the SHA-256 of a sweep's `plan.json`."""
    return file_digest(folder / _PLAN_FILE)


def run_folder(folder: Path, run_id: str) -> Path:
    """Return the folder of a run, which need not exist yet.

    Raises:
        LogError: the id is no plain folder name.
    """
    if not _PLAIN.fullmatch(run_id) and _folder_name(run_id) != run_id:
        raise LogError(f"{run_id!r} is no run id: it would leave {folder / _RUNS}")
    return folder.joinpath(_RUNS, run_id)


def run_folders(folder: Path) -> list[Path]:
    """List the folders of a sweep's runs, sorted by name, which is the order of the plan."""
    runs = folder / _RUNS
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


def _folder_name(name: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:_NAME_CHARACTERS].lstrip(".-")
    return plain or "sweep"


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

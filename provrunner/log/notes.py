"""What people say of a sweep afterwards: one line a note, in a file that only grows."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from provrunner.errors import ConfigError, LogError
from provrunner.log.folder import run_number
from provrunner.plan import Plan
from provrunner.redaction import redact, secret_values
from provrunner.schema import TABLES

__all__ = ["NOTES_FILE", "append_note", "read_notes"]

NOTES_FILE = "notes.jsonl"
_LONGEST = 10_000


def append_note(
    folder: Path, text: str, *, run_id: str | None, user: str | None, now: datetime
) -> None:
    """Add a note to a sweep, durably; notes before it are left as they are.

    Args:
        folder: the sweep's folder.
        text: what to say; secrets in it are masked.
        run_id: the run it is about; None for the whole sweep.
        user: who says so; None leaves it open.
        now: with its zone.

    Raises:
        ConfigError: the text is empty, or longer than 10,000 characters.
        LogError: the folder cannot be written.
    """
    if not text.strip() or len(text) > _LONGEST:
        raise ConfigError(
            f"a note has 1 to {_LONGEST} characters; this one has {len(text.strip())}"
        )
    time = now.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    said = redact(text.strip(), secret_values(os.environ))
    line = json.dumps({"time": time, "user": user, "run_id": run_id, "text": said})
    path = folder / NOTES_FILE
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            # One write a note: notes of several people at once do not mix.
            os.write(descriptor, f"{_missing_newline(descriptor)}{line}\n".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise LogError(f"cannot write {path}: {error.strerror}") from error


def read_notes(folder: Path, plan: Plan) -> pa.Table:
    """Read a sweep's notes as the public table `notes`, in the order written.

    A line that is no note, such as the last one of a writer that was killed, is left out.
    """
    try:
        lines = (folder / NOTES_FILE).read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        lines = []
    except OSError as error:
        raise LogError(f"cannot read {folder / NOTES_FILE}: {error.strerror}") from error
    numbers = {point.run_id: point.run for point in plan.points}
    rows = [row for line in lines if (row := _parse(line, numbers)) is not None]
    return pa.Table.from_pylist(rows, TABLES["notes"])


def _missing_newline(descriptor: int) -> str:
    size = os.lseek(descriptor, 0, os.SEEK_END)
    return "\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else ""


def _parse(line: str, numbers: dict[str, int]) -> dict[str, object] | None:
    try:
        note = json.loads(line)
        run_id, text, user = (note.get(key) for key in ("run_id", "text", "user"))
        time = datetime.fromisoformat(note["time"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if not isinstance(text, str) or time.tzinfo is None:
        return None
    if not all(value is None or isinstance(value, str) for value in (run_id, user)):
        return None
    run = None if run_id is None else numbers.get(run_id, run_number(run_id))
    return {"run": run, "run_id": run_id, "time": time, "user": user, "text": text}

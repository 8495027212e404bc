"""Which checkpoints of a sweep were removed to free their bytes: a line each, in a file that grows.

The logs of the runs are sealed and stay as they are.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from provrunner.errors import LogError
from provrunner.ids import digest
from provrunner.log.folder import run_number
from provrunner.plan import Plan
from provrunner.schema import TABLES

__all__ = [
    "COLLECTED_FILE",
    "Removals",
    "Tombstone",
    "append_tombstones",
    "read_collected",
    "removals_digest",
    "with_collected",
]

COLLECTED_FILE = "collected.jsonl"
Tombstone = tuple[str, str, str | None, int]
"""Of a checkpoint: its run's id, its path in the run, its SHA-256 and its size in bytes."""


def append_tombstones(
    folder: Path, tombstones: Sequence[Tombstone], *, user: str | None, now: datetime
) -> None:
    """Write down durably that checkpoints are removed, before they are.

    Args:
        folder: the sweep's folder.
        tombstones: one a checkpoint.
        user: who removes them; None leaves it open.
        now: with its zone.

    Raises:
        LogError: the folder cannot be written.
    """
    time = now.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    lines = [
        json.dumps(
            {"time": time, "user": _encodable(user), **dict(zip(_FIELDS, tombstone, strict=True))}
        )
        for tombstone in tombstones
    ]
    path = folder / COLLECTED_FILE
    try:
        with path.open("a", encoding="utf-8") as file:
            # the first line stands alone even after half a line of a writer that was killed
            file.write("\n" + "\n".join(lines) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise LogError(f"cannot write {path}: {error.strerror}") from error


def read_collected(folder: Path, plan: Plan) -> pa.Table:
    """Read the public table `collected`, in the order written; a line that is no tombstone is not.

    Raises:
        LogError: the file cannot be read.
    """
    try:
        text = (folder / COLLECTED_FILE).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        text = ""
    except OSError as error:
        raise LogError(f"cannot read {folder / COLLECTED_FILE}: {error.strerror}") from error
    numbers = {point.run_id: point.run for point in plan.points}
    rows = [row for line in text.split("\n") for row in _parse(line, numbers)]
    return pa.Table.from_pylist(rows, TABLES["collected"])


class Removals:
    """When checkpoints were removed; what their runs wrote later is not meant.

    Args:
        collected: the public table.
    """

    def __init__(self, collected: pa.Table) -> None:
        self._times: dict[tuple[str, str], list[datetime]] = {}
        for row in collected.select(["run_id", "path", "time"]).to_pylist():
            self._times.setdefault((row["run_id"], row["path"]), []).append(row["time"])

    def time_of(self, run_id: str, path: str, created: datetime | None) -> datetime | None:
        """Return when a checkpoint that was made at some time was removed; None if it was not."""
        times = self._times.get((run_id, path), ())
        return min((time for time in times if created is None or time >= created), default=None)


def removals_digest(collected: pa.Table) -> str:
    """Return what tells the removals of a table `collected` from any others."""
    rows = collected.select(["run_id", "path", "time"]).to_pylist()
    return digest("\n".join(f"{row['run_id']} {row['path']!r} {row['time']}" for row in rows))


def with_collected(artifacts: pa.Table, collected: pa.Table) -> pa.Table:
    """Say in the table `artifacts` when what was there to the end of its run was removed."""
    if not collected.num_rows:
        return artifacts
    removals = Removals(collected)
    deleted = [
        row["deleted"] or removals.time_of(row["run_id"], row["path"], row["created"])
        for row in artifacts.select(["run_id", "path", "created", "deleted"]).to_pylist()
    ]
    field = artifacts.schema.field("deleted")
    place = artifacts.column_names.index("deleted")
    return artifacts.set_column(place, field, pa.array(deleted, field.type))


_FIELDS = ("run_id", "path", "sha256", "size_bytes")


def _encodable(user: str | None) -> str | None:
    """Escape the bytes of a login that are no UTF-8."""
    return user and user.encode("utf-8", "backslashreplace").decode()


def _parse(line: str, numbers: dict[str, int]) -> Iterator[dict[str, object]]:
    try:
        told = json.loads(line)
        row = {name: told[name] for name in (*_FIELDS, "user")}
        time = datetime.fromisoformat(told["time"])
        time.astimezone(UTC)  # what no table can hold is no time, and no text
        "".join(text for text in row.values() if isinstance(text, str)).encode()
    except (ValueError, KeyError, TypeError, OverflowError):
        return
    texts = all(isinstance(row[name], str) for name in ("run_id", "path"))
    others = all(row[name] is None or isinstance(row[name], str) for name in ("sha256", "user"))
    size = row["size_bytes"]
    if texts and others and isinstance(size, int) and 0 <= size < 2**63 and time.tzinfo is not None:
        run_id = str(row["run_id"])
        yield {**row, "run": numbers.get(run_id, run_number(run_id)), "time": time}

"""The live files of one rank: a stream for each table and the journal, opened together."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from provrunner.errors import LogError
from provrunner.log.folder import journal_name, stream_name, stream_parts
from provrunner.log.liveness import Owner, this_process
from provrunner.log.rankreader import RankReader
from provrunner.log.reader import live_segments
from provrunner.log.sealed import Seal, read_seal
from provrunner.log.stream import StreamFile
from provrunner.schema import EVENTS, FORMAT_VERSION, METRICS

__all__ = ["Before", "Segment", "open_segment", "read_before"]

_SCHEMAS = {"metrics": METRICS, "events": EVENTS}


@dataclass(frozen=True, slots=True)
class Before:
    """What a rank's log holds already, so that the next segment can go on from it.

    Attributes:
        number: of the next segment.
        rows: rows by table.
        sha256, size_bytes: the whole messages of the last stream by table, where there is one.
    """

    number: int = 0
    rows: Mapping[str, int] = field(default_factory=dict)
    sha256: Mapping[str, str] = field(default_factory=dict)
    size_bytes: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Segment:
    """The open files of one segment."""

    number: int
    metrics: StreamFile
    events: StreamFile
    journal_path: Path

    def is_there(self) -> bool:
        """Say whether the files still lie where they were made."""
        return self.metrics.is_there() and self.events.is_there() and self.journal_path.exists()

    def beat(self) -> None:
        """Leave a sign of life.

        Raises:
            OSError: the journal is gone.
        """
        os.utime(self.journal_path)

    def close(self) -> None:
        """Give the descriptors back."""
        self.metrics.close()
        self.events.close()

    def discard(self) -> None:
        """Close and remove the streams: their journal could not be made."""
        for stream in (self.metrics, self.events):
            stream.close()
            stream.path.unlink(missing_ok=True)

    def before_next(self) -> Before:
        """Describe this segment for the one that follows it."""
        streams = {"metrics": self.metrics, "events": self.events}
        return Before(
            number=self.number + 1,
            rows={table: stream.rows for table, stream in streams.items()},
            sha256={table: stream.sha256 for table, stream in streams.items()},
            size_bytes={table: stream.size for table, stream in streams.items()},
        )


def read_before(log: Path, rank: int) -> Before:
    """Read what a rank has logged before.

    Raises:
        LogError: the process that writes it lives, or the log is damaged.
    """
    seal = read_seal(log)
    rows: dict[str, int] = {}
    sha256: dict[str, str] = {}
    size_bytes: dict[str, int] = {}
    for table in _SCHEMAS:
        rows[table] = _sealed_rows(seal, table, rank)
        segments = live_segments(log, table, seal).get(rank, [])
        if not segments:
            continue
        reader = RankReader(log, table, rank, rows=rows[table])
        reader.poll(segments)
        last = reader.readers[max(reader.readers)]
        if reader.is_alive():
            raise LogError(f"{log} is written by process {_owner_text(last.metadata)}")
        rows[table] = reader.rows
        sha256[table] = last.sha256(last.offset) or ""
        size_bytes[table] = last.offset
    return Before(_next_number(log, seal, rank), rows, sha256, size_bytes)


def open_segment(log: Path, rank: int, before: Before, ids: Mapping[str, str]) -> Segment:
    """Make the streams of a segment; its journal is left to `Journal`.

    Raises:
        OSError: a file is there already, or cannot be made; none is left behind then.
    """
    made: dict[str, StreamFile] = {}
    common = {
        "format": str(FORMAT_VERSION),
        **ids,
        "rank": str(rank),
        "segment": str(before.number),
        **this_process().to_metadata(),
        "start_time_us": str(time.time_ns() // 1000),
        "start_mono_ns": str(time.monotonic_ns()),
        "writer": f"provrunner {_version()}",
    }
    try:
        for table, schema in _SCHEMAS.items():
            rows = before.rows.get(table, 0)
            metadata = {
                **common,
                "table": table,
                "first_row": str(rows),
                "previous_sha256": before.sha256.get(table, ""),
                "previous_bytes": str(before.size_bytes.get(table, "")),
            }
            path = log / stream_name(table, rank, before.number)
            made[table] = StreamFile(path, schema, metadata=metadata, rows=rows)
    except OSError:
        for stream in made.values():
            stream.close()
            stream.path.unlink(missing_ok=True)
        raise
    journal = log / journal_name("metrics", rank, before.number)
    return Segment(before.number, made["metrics"], made["events"], journal)


def _sealed_rows(seal: Seal | None, table: str, rank: int) -> int:
    if seal is None:
        return 0
    return sum(s.rows for s in seal.streams if (s.table, s.rank) == (table, rank))


def _next_number(log: Path, seal: Seal | None, rank: int) -> int:
    used = [-1] if seal is None else [-1, *(s.segment for s in seal.streams if s.rank == rank)]
    parts = filter(None, (stream_parts(entry.name) for entry in log.iterdir()))
    return max([*used, *(number for _, of, number, _ in parts if of == rank)]) + 1


def _owner_text(metadata: Mapping[str, str]) -> str:
    owner = Owner.from_metadata(metadata)
    return f"{owner.pid} on {owner.host}"


def _version() -> str:
    try:
        return version("provrunner")
    except PackageNotFoundError:
        return "unknown"

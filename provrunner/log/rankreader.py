"""Joins the segments and journals of one rank into rows without holes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from provrunner.log.columns import EventRow, StepRows, event_batch, metric_batches
from provrunner.log.folder import journal_name, stream_name
from provrunner.log.liveness import Owner, is_alive
from provrunner.log.messages import Damage
from provrunner.log.records import JournalRows, read_journal
from provrunner.log.streamreader import StreamReader

__all__ = ["RankReader"]


class RankReader:
    """The rows of one table and rank, batches first, then what waits in journals.

    Rows carry numbers that rise over all segments of a rank; by them nothing is read twice.

    Attributes:
        readers: the streams by segment.
        rows: row number that comes next.
        damage: the first damage found, with the file it was found in.
        behind: a journal holds rows that do not follow on the last one read.

    Args:
        log: the log folder.
        table: `metrics` or `events`.
        rank: whose rows are read.
        rows: row number to begin with.
        alone: what lies beside the streams may have been left behind, and is no damage.
    """

    def __init__(self, log: Path, table: str, rank: int, *, rows: int = 0, alone: bool = False):
        self.table = table
        self.rank = rank
        self.rows = rows
        self.readers: dict[int, StreamReader] = {}
        self.damage: tuple[Path, Damage] | None = None
        self.behind = False
        self._log = log
        self._alone = alone

    @property
    def is_torn(self) -> bool:
        """Say whether the last stream ends in half a message."""
        return bool(self.readers) and self.readers[max(self.readers)].torn

    @property
    def has_ended(self) -> bool:
        """Say whether the last stream was ended by its writer."""
        return bool(self.readers) and self.readers[max(self.readers)].ended

    def poll(self, segments: list[int]) -> list[tuple[int, pa.Table]]:
        """Return the rows that came since the last call, in order, with their segments.

        Raises:
            FileNotFoundError: a stream is gone: the run was sealed.
        """
        # journals first: what is freed from one after this lies in its stream before that is read
        journals = [self._read_journal(segment) for segment in segments]
        pieces: list[tuple[int, pa.RecordBatch]] = []
        known = segments[0] if segments else 0
        for position, segment in enumerate(segments):
            if self.damage is not None:
                break
            reader = self.readers.get(segment) or self._open(segment)
            batches = reader.poll()
            if reader.metadata and position > 0:
                stop = reader.first_row
                pieces.extend(self._from_journals(journals, segments[position - 1], stop))
                if not self._joins(reader, segments[position - 1]):
                    break
            # a stream whose head is not whole has not begun: what waits is of the one before it
            known = segment if reader.metadata else known
            pieces.extend((segment, part) for part in self._new(batches))
            self.damage = self._damage_of(reader, journals[position], segment)
            if self.damage is not None and not reader.metadata:
                # what stands before a head that was cut may wait in the journals before it
                pieces.extend(self._from_journals(journals, known, None))
        if self.damage is None and segments:
            pieces.extend(self._from_journals(journals, known, None))
        self.behind = any(
            _last_row(rows, self.table) > self.rows or rows.damaged for rows in journals
        )
        return [(segment, pa.Table.from_batches([batch])) for segment, batch in pieces]

    def is_alive(self) -> bool:
        """Say whether the process that writes the last segment lives."""
        if not self.readers:
            return False
        segment = max(self.readers)
        owner = Owner.from_metadata(self.readers[segment].metadata)
        return is_alive(owner, self._heartbeat(segment))

    def _open(self, segment: int) -> StreamReader:
        path = self._log / stream_name(self.table, self.rank, segment)
        self.readers[segment] = StreamReader(path, self.table)
        return self.readers[segment]

    def _read_journal(self, segment: int) -> JournalRows:
        return read_journal(self._log / journal_name("metrics", self.rank, segment))

    def _damage_of(
        self, reader: StreamReader, journal: JournalRows, segment: int
    ) -> tuple[Path, Damage] | None:
        """Return what is wrong with a stream, or with what its writer made before its first row.

        That is the heads of both streams, then the journal.
        """
        if reader.damage is not None:
            return reader.path, reader.damage
        if journal.begun and not reader.metadata:
            return reader.path, Damage(0, "a head that was cut")
        missed = reader.rows > reader.first_row and not self._alone
        if missed and not self._has_begun(journal, segment):
            path = self._log / journal_name("metrics", self.rank, segment)
            return path, Damage(0, "it was cut or removed")
        return None

    def _has_begun(self, journal: JournalRows, segment: int) -> bool:
        # it may have been made after it was looked for
        return journal.begun or self._read_journal(segment).begun

    def _heartbeat(self, segment: int) -> float | None:
        names = (
            journal_name("metrics", self.rank, segment),
            stream_name(self.table, self.rank, segment),
        )
        times = [path.stat().st_mtime for name in names if (path := self._log / name).exists()]
        return max(times, default=None)

    def _joins(self, reader: StreamReader, before: int) -> bool:
        """Say whether a segment follows on the one before it, which is still what it was."""
        previous = self.readers[before]
        promised = reader.metadata.get("previous_sha256", "")
        size = reader.metadata.get("previous_bytes", "")
        if promised and size.isdigit() and previous.sha256(int(size)) != promised:
            self.damage = (
                previous.path,
                Damage(previous.offset, "bytes changed since the next segment"),
            )
        elif reader.first_row > self.rows:
            missing = reader.first_row - self.rows
            self.damage = (previous.path, Damage(previous.offset, f"{missing} rows are missing"))
        return self.damage is None

    def _new(self, batches: list[tuple[int, pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
        for first, batch in batches:
            if first + batch.num_rows > self.rows:
                yield batch.slice(max(0, self.rows - first))
                self.rows = first + batch.num_rows

    def _from_journals(
        self, journals: list[JournalRows], segment: int, stop: int | None
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Take rows that follow on the last one read, up to row `stop`."""
        for first, batch in _batches(journals, self.table, self.rows):
            if first > self.rows:
                return
            end = first + batch.num_rows if stop is None else min(first + batch.num_rows, stop)
            if end > self.rows:
                yield segment, batch.slice(self.rows - first, end - self.rows)
                self.rows = end


def _batches(
    journals: list[JournalRows], table: str, start: int
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Build batches of the rows from `start` on, each of rows that follow one another."""
    if table == "events":
        events = {row.seq: row for rows in journals for row in rows.events if row.seq >= start}
        yield from ((row.seq, event_batch([row])) for row in _following(events, start))
        return
    steps = {part.first_row: part for rows in journals for part in rows.steps}
    waiting = [part for _, part in sorted(steps.items()) if part.first_row + part.rows > start]
    yield from metric_batches(_joined(waiting))


def _following(events: dict[int, EventRow], start: int) -> Iterator[EventRow]:
    while start in events:
        yield events[start]
        start += 1


def _joined(parts: list[StepRows]) -> Iterator[StepRows]:
    """Give the parts up to the first hole: a batch knows only the number of its first row."""
    expected: int | None = None
    for part in parts:
        if expected is not None and part.first_row != expected:
            return
        expected = part.first_row + part.rows
        yield part


def _last_row(rows: JournalRows, table: str) -> int:
    if table == "events":
        return max((row.seq + 1 for row in rows.events), default=0)
    return max((part.first_row + part.rows for part in rows.steps), default=0)

"""The records of a journal, as they lie in its file and as they are read back."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from provrunner.log.columns import EventRow, NameSet, StepRows

__all__ = ["JournalRows", "parse_journal", "read_arena", "read_journal"]

MAGIC = b"PRVJRNL1"
HEADER = struct.Struct("<8sQQ")  # magic, size of the arena, row number at its first record
FRAME = struct.Struct("<II")  # length of the record, CRC-32 of what follows
BODY = "<QIiqq"  # row, name set or kind, epoch, step, time in microseconds
BODY_HEAD = struct.Struct("<QI")
STEP_BYTES = FRAME.size + struct.calcsize(BODY)
END = b"\0\0\0\0"  # the length of no record
DEFINITION = 0x80000000
EVENT = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class JournalRows:
    """What the records of a journal hold, in row order.

    Attributes:
        steps, events: the rows of the two tables.
        damaged: a record or the head of an arena is unreadable though newer records follow it, or
            the file was cut; no kill does that.
        begun: it has the size of the two arenas that are made before a row is written anywhere.
    """

    steps: tuple[StepRows, ...] = ()
    events: tuple[EventRow, ...] = ()
    damaged: bool = False
    begun: bool = False


def read_journal(path: Path) -> JournalRows:
    """Read the rows of a journal file, which may be live; empty where there is none."""
    try:
        with path.open("rb", buffering=0) as file:
            data = file.readall()
    except FileNotFoundError:
        return JournalRows()
    return parse_journal(memoryview(data or b""))


def parse_journal(data: memoryview) -> JournalRows:
    """Read the rows of all arenas of a journal, sorted by row number."""
    steps: list[StepRows] = []
    events: list[EventRow] = []
    _, first_bytes, _ = _header(data, 0)
    start = 0
    damaged = False
    while start < len(data):
        magic, size, _ = _header(data, start)
        if magic != MAGIC or size <= HEADER.size or size % 8:
            # one that was allocated and never used is empty
            damaged |= any(data[start : start + HEADER.size + FRAME.size])
            break
        # an arena has all its bytes before it is used: one that lacks some was cut afterwards
        damaged |= start + size > len(data)
        rows = read_arena(data[start : start + size])
        steps.extend(rows.steps)
        events.extend(rows.events)
        damaged |= rows.damaged
        start += size
    steps.sort(key=lambda part: part.first_row)
    events.sort(key=lambda row: row.seq)
    return JournalRows(tuple(steps), tuple(events), damaged, begun=len(data) >= 2 * first_bytes > 0)


def read_arena(data: memoryview) -> JournalRows:
    """Read the records of one arena up to the first that is torn or older than those before it."""
    sets: dict[int, NameSet] = {}
    parts: list[tuple[int, int, int, int]] = []  # first row, name set, offset, steps
    events: list[EventRow] = []
    at = HEADER.size
    expected: int | None = None
    while (record := _record(data, at)) is not None:
        size, row, kind = record
        if expected not in (None, row):
            break
        expected = row
        try:
            if kind == EVENT:
                events.append(_event(_payload(data, at, size)))
            elif kind >= DEFINITION:
                sets[kind - DEFINITION] = _name_set(_payload(data, at, size))
            else:
                expected += _add_step(parts, sets, (at, size, row, kind))
        except (ValueError, TypeError, KeyError, AttributeError):
            break  # right checksum, wrong content: forged
        at += size
    if expected is None:
        # one that was freed keeps what it held behind the mark of the end
        freed = bytes(data[at : at + len(END)]) == END
        damaged = not freed and _has_newer(data, at, HEADER.unpack_from(data)[2])
    else:
        damaged = _has_newer(data, at, expected)
    return JournalRows(_step_rows(data, parts, sets), tuple(events), damaged)


def _header(data: memoryview, start: int) -> tuple[bytes, int, int]:
    """Return magic, size and first row of the arena at `start`; nothing where it is cut."""
    whole = start + HEADER.size <= len(data)
    return HEADER.unpack_from(data, start) if whole else (b"", 0, 0)


def _has_newer(data: memoryview, start: int, row: int) -> bool:
    """Say whether a whole record with a row number of at least `row` follows after `start`.

    What an earlier use of the arena left there has lower ones. That `start` holds the mark of the
    end tells nothing: one flipped bit makes a length of 64 that.
    """
    end = len(data) - len(data) % 8
    if end - start < FRAME.size + BODY_HEAD.size + 8:
        return False
    words = np.frombuffer(data[start + 8 : end], "<u8")
    sizes, rows = words[:-1] & 0xFFFFFFFF, words[1:]
    likely = (sizes > 0) & (sizes <= end) & (sizes % 8 == 0) & (rows >= row) & (rows - row < 2**32)
    records = (_record(data, start + 8 + 8 * at) for at in np.flatnonzero(likely).tolist())
    return any(records)


def _add_step(
    parts: list[tuple[int, int, int, int]],
    sets: Mapping[int, NameSet],
    record: tuple[int, int, int, int],
) -> int:
    """Add a step to the run of steps it continues, or begin one; return its rows."""
    at, size, row, kind = record
    count = len(sets[kind].names)
    if size != STEP_BYTES + 8 * count:
        raise ValueError(f"a record of {size} bytes for {count} values")
    if parts and parts[-1][1] == kind and parts[-1][2] + parts[-1][3] * size == at:
        first, _, offset, steps = parts[-1]
        parts[-1] = (first, kind, offset, steps + 1)
    else:
        parts.append((row, kind, at, 1))
    return count


def _record(data: memoryview, at: int) -> tuple[int, int, int] | None:
    """Return size, row and kind of the record at `at`; None where there is no whole one."""
    if at + FRAME.size + BODY_HEAD.size > len(data):
        return None
    size, checksum = FRAME.unpack_from(data, at)
    if size < FRAME.size + BODY_HEAD.size or at + size > len(data):
        return None
    if zlib.crc32(data[at + FRAME.size : at + size]) != checksum:
        return None
    row, kind = BODY_HEAD.unpack_from(data, at + FRAME.size)
    return size, row, kind


def _payload(data: memoryview, at: int, size: int) -> bytes:
    return bytes(data[at + FRAME.size + BODY_HEAD.size : at + size]).rstrip(b"\0")


def _event(payload: bytes) -> EventRow:
    seq, time_us, mono_ns, step, epoch, kind, subject, data = json.loads(payload)
    return EventRow(
        int(seq),
        int(time_us),
        int(mono_ns),
        None if step is None else int(step),
        None if epoch is None else int(epoch),
        str(kind),
        str(subject),
        str(data),
    )


def _name_set(payload: bytes) -> NameSet:
    stage, *names = json.loads(payload)
    return NameSet(stage.encode(), tuple(name.encode() for name in names))


def _step_rows(
    data: memoryview, parts: Sequence[tuple[int, int, int, int]], sets: Mapping[int, NameSet]
) -> tuple[StepRows, ...]:
    made = []
    for first, kind, offset, steps in parts:
        names = sets[kind]
        layout = np.dtype(
            [
                ("frame", "<u8"),
                ("row", "<u8"),
                ("set", "<u4"),
                ("epoch", "<i4"),
                ("step", "<i8"),
                ("time", "<i8"),
                ("values", "<f8", (len(names.names),)),
            ]
        )
        made.append(StepRows(first, names, np.frombuffer(data, layout, count=steps, offset=offset)))
    return tuple(made)

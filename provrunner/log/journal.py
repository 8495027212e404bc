"""The journal: rows that wait for their batch, in memory that outlives the process.

A file of arenas, each mapped and allocated in full beforehand. Records fill an arena from its
start, which is used again once its rows lie in the stream. What is left of older records is told
from new ones by the row numbers, which only rise.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import zlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from provrunner.log.columns import EventRow, NameSet, StepRows, fit_text

__all__ = ["Arena", "Journal", "JournalRows", "parse_journal", "read_arena", "read_journal"]

ARENA_BYTES = 256 << 10
LIMIT_BYTES = 16 << 20
_MAGIC = b"PRVJRNL1"
_HEADER = struct.Struct("<8sQQ")  # magic, size of the arena, row number at its first record
_FRAME = struct.Struct("<II")  # length of the record, CRC-32 of what follows
_BODY = "<QIiqq"  # row, name set or kind, epoch, step, time in microseconds
_BODY_HEAD = struct.Struct("<QI")
_STEP_BYTES = _FRAME.size + struct.calcsize(_BODY)
_END = b"\0\0\0\0"  # the length of no record
_DEFINITION = 0x80000000
_EVENT = 0xFFFFFFFF

Moment = tuple[int, int, int, str]
"""Epoch, step, time in microseconds and stage of what a step logged."""


class Arena:
    """A stretch of the journal, or of plain memory when the disk had no room for one.

    Attributes:
        memory: its bytes.
        size: how many they are.
        home: number of the file it lies in; -1 for plain memory.
        used: offset of the next record.
        rows: metric rows inside.
    """

    __slots__ = ("home", "memory", "rows", "size", "used")

    def __init__(self, memory: mmap.mmap | bytearray, home: int):
        self.memory = memory
        self.size = len(memory)
        self.home = home
        self.used = _HEADER.size
        self.rows = 0

    def read(self) -> JournalRows:
        """Read the records; the rows hold a copy, so that the arena can be used again."""
        return read_arena(memoryview(bytes(self.memory[: self.used + len(_END)])))


@dataclass(frozen=True, slots=True)
class JournalRows:
    """What the records of a journal hold, in row order.

    Attributes:
        steps, events: the rows of the two tables.
        damaged: a record is unreadable though newer ones follow it; no kill does that.
    """

    steps: tuple[StepRows, ...] = ()
    events: tuple[EventRow, ...] = ()
    damaged: bool = False


class Journal:
    """The writer's side: appends records, hands full arenas on, takes them back.

    Not safe against two threads at once: its owner holds a lock.
    """

    def __init__(self, path: Path, *, row: int = 0):
        self.row = row
        self._home = -1
        self._descriptor = -1
        self._allocated = 0
        self._free: list[Arena] = []
        self._full: deque[Arena] = deque()
        self._sets: dict[tuple[str, ...], tuple[int, struct.Struct, int, int]] = {}
        self.move(path)

    @property
    def rows(self) -> int:
        """Rows that wait for their batch."""
        return self._active.rows + sum(arena.rows for arena in self._full)

    def move(self, path: Path) -> None:
        """Go on in a new file; rows that wait keep their place until they are freed.

        Raises:
            OSError: the file cannot be made or allocated; the journal goes on where it was.
        """
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o666)
        try:
            memories = [_map_arena(descriptor, at * ARENA_BYTES, ARENA_BYTES) for at in range(2)]
        except OSError:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        if self._home >= 0:
            os.close(self._descriptor)
            self._full.append(self._active)
        self._descriptor = descriptor
        self._home += 1
        self._allocated = 2 * ARENA_BYTES
        self._free = [Arena(memory, self._home) for memory in memories]
        self._activate(self._free.pop(0))

    def append(self, values: Mapping[str, float], moment: Moment) -> int:
        """Keep one step's values.

        Returns:
            The rows in the arena they went to; 0 when 16 MiB wait already and they were dropped.

        Raises:
            struct.error: a value, the step or the epoch is no number of the right size.
        """
        epoch, step, time_us, stage = moment
        key = (stage, *values)
        known = self._sets.get(key)
        if known is None:
            return self._append_new(key, values, moment)
        number, packer, size, count = known
        arena = self._active
        start = arena.used
        end = start + size
        if end > arena.size:
            self._full.append(arena)
            return self.append(values, moment) if self._next_arena(size) else 0
        body = packer.pack(self.row, number, epoch, step, time_us, *values.values())
        arena.memory[start:end] = _FRAME.pack(size - 4, zlib.crc32(body)) + body + _END
        arena.used = end - 4
        arena.rows += count
        self.row += count
        return arena.rows

    def append_event(self, row: EventRow) -> bool:
        """Keep an event whose stream cannot be written; False when there is no room at all."""
        payload = json.dumps(astuple(row), ensure_ascii=False).encode("utf-8", "backslashreplace")
        return self._append_text(_EVENT, payload)

    def take(self) -> list[Arena]:
        """Hand over the arenas that hold rows, oldest first; they stay until they are freed."""
        if self._active.used > _HEADER.size and self._free:
            self._full.append(self._active)
            self._activate(self._free.pop())
        return list(self._full)

    def free(self, arena: Arena) -> None:
        """Take back the oldest arena, whose rows now lie in the stream."""
        self._full.remove(arena)
        if arena.home == self._home:
            self._free.append(_emptied(arena))

    def take_last(self) -> list[Arena]:
        """Hand over all arenas, the one in use included: no more records will come."""
        return [*self._full, self._active]

    def close(self) -> None:
        """Let go of the file and its memory."""
        for arena in (*self._full, *self._free, self._active):
            if isinstance(arena.memory, mmap.mmap):
                arena.memory.close()
        os.close(self._descriptor)

    def _activate(self, arena: Arena) -> None:
        # name sets are defined again in each arena: it can be read, and freed, alone
        self._sets.clear()
        self._active = arena
        arena.memory[: _HEADER.size] = _HEADER.pack(_MAGIC, arena.size, self.row)

    def _append_new(self, key: tuple[str, ...], values: Mapping[str, float], moment: Moment) -> int:
        packer = struct.Struct(f"{_BODY}{len(values)}d")
        packer.pack(0, 0, *moment[:3], *values.values())
        size = _STEP_BYTES + 8 * len(values) + len(_END)
        texts = [fit_text(text).decode() for text in key]
        payload = json.dumps(texts, ensure_ascii=False).encode()
        if not self._append_text(_DEFINITION, payload, room=size):
            return 0
        self._sets[key] = (len(self._sets), packer, size, len(values))
        return self.append(values, moment)

    def _append_text(self, kind: int, payload: bytes, *, room: int = 0) -> bool:
        payload += b"\0" * (-(len(payload) + _BODY_HEAD.size) % 8)
        size = _FRAME.size + _BODY_HEAD.size + len(payload) + 4
        if self._active.used + size + room > self._active.size:
            self._full.append(self._active)
            if not self._next_arena(size + room):
                return False
        if kind == _DEFINITION:
            kind += len(self._sets)
        arena = self._active
        body = _BODY_HEAD.pack(self.row, kind) + payload
        frame = _FRAME.pack(size - 4, zlib.crc32(body))
        arena.memory[arena.used : arena.used + size] = frame + body + _END
        arena.used += size - 4
        return True

    def _next_arena(self, size: int) -> bool:
        """Use another arena with room for a record, now that the one in use is among the full."""
        needed = size + _HEADER.size
        for arena in self._free:
            if arena.size >= needed:
                self._free.remove(arena)
                self._activate(arena)
                return True
        # room for eight of the large records that thousands of names make
        step = (
            max(1, min(-(-8 * needed // ARENA_BYTES), 8), -(-needed // ARENA_BYTES)) * ARENA_BYTES
        )
        if sum(arena.size for arena in self._full) + step > LIMIT_BYTES:
            self._active = self._full.pop()
            return False
        self._activate(self._new_arena(step))
        return True

    def _new_arena(self, size: int) -> Arena:
        try:
            memory = _map_arena(self._descriptor, self._allocated, size)
        except OSError:
            # no room on the disk: the rows outlive no kill, but they may still reach the stream
            return Arena(bytearray(size), -1)
        self._allocated += size
        return Arena(memory, self._home)


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
    start = 0
    damaged = False
    while start + _HEADER.size <= len(data):
        magic, size, _ = _HEADER.unpack_from(data, start)
        if magic != _MAGIC or size <= _HEADER.size or size % 8:
            break
        rows = read_arena(data[start : start + size])
        steps.extend(rows.steps)
        events.extend(rows.events)
        damaged |= rows.damaged
        start += size
    steps.sort(key=lambda part: part.first_row)
    events.sort(key=lambda row: row.seq)
    return JournalRows(tuple(steps), tuple(events), damaged)


def read_arena(data: memoryview) -> JournalRows:
    """Read the records of one arena up to the first that is torn or older than those before it."""
    sets: dict[int, NameSet] = {}
    parts: list[tuple[int, int, int, int]] = []  # first row, name set, offset, steps
    events: list[EventRow] = []
    at = _HEADER.size
    expected: int | None = None
    while (record := _record(data, at)) is not None:
        size, row, kind = record
        if expected not in (None, row):
            break
        expected = row
        try:
            if kind == _EVENT:
                events.append(_event(_payload(data, at, size)))
            elif kind >= _DEFINITION:
                sets[kind - _DEFINITION] = _name_set(_payload(data, at, size))
            else:
                expected += _add_step(parts, sets, (at, size, row, kind))
        except (ValueError, TypeError, KeyError, AttributeError):
            break  # right checksum, wrong content: forged
        at += size
    oldest = _HEADER.unpack_from(data)[2] if expected is None else expected
    damaged = _has_newer(data, at, oldest)
    return JournalRows(_step_rows(data, parts, sets), tuple(events), damaged)


def _has_newer(data: memoryview, start: int, row: int) -> bool:
    """Say whether a whole record with a row number of at least `row` follows after `start`."""
    if bytes(data[start : start + len(_END)]) == _END:
        return False
    words = np.frombuffer(data[start + 8 : len(data) - len(data) % 8], "<u4")
    places = start + 8 + 8 * np.flatnonzero(words[::2])
    records = (_record(data, at) for at in places.tolist())
    return any(record is not None and record[1] >= row for record in records)


def _add_step(
    parts: list[tuple[int, int, int, int]],
    sets: Mapping[int, NameSet],
    record: tuple[int, int, int, int],
) -> int:
    """Add a step to the run of steps it continues, or begin one; return its rows."""
    at, size, row, kind = record
    count = len(sets[kind].names)
    if size != _STEP_BYTES + 8 * count:
        raise ValueError(f"a record of {size} bytes for {count} values")
    if parts and parts[-1][1] == kind and parts[-1][2] + parts[-1][3] * size == at:
        first, _, offset, steps = parts[-1]
        parts[-1] = (first, kind, offset, steps + 1)
    else:
        parts.append((row, kind, at, 1))
    return count


def _record(data: memoryview, at: int) -> tuple[int, int, int] | None:
    """Return size, row and kind of the record at `at`; None where there is no whole one."""
    if at + _FRAME.size + _BODY_HEAD.size > len(data):
        return None
    size, checksum = _FRAME.unpack_from(data, at)
    if size < _FRAME.size + _BODY_HEAD.size or at + size > len(data):
        return None
    if zlib.crc32(data[at + _FRAME.size : at + size]) != checksum:
        return None
    row, kind = _BODY_HEAD.unpack_from(data, at + _FRAME.size)
    return size, row, kind


def _payload(data: memoryview, at: int, size: int) -> bytes:
    return bytes(data[at + _FRAME.size + _BODY_HEAD.size : at + size]).rstrip(b"\0")


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


def _map_arena(descriptor: int, offset: int, size: int) -> mmap.mmap:
    # a hole in a mapped file is SIGBUS on a full disk; allocated space is not
    os.posix_fallocate(descriptor, offset, size)
    memory = mmap.mmap(descriptor, size, offset=offset)
    memory[: _HEADER.size] = _HEADER.pack(_MAGIC, size, 0)
    return memory


def _emptied(arena: Arena) -> Arena:
    arena.memory[_HEADER.size : _HEADER.size + 4] = _END
    arena.used = _HEADER.size
    arena.rows = 0
    return arena

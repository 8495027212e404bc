"""The journal: rows that wait for their batch, in memory that outlives the process.

A file of arenas, each mapped and allocated in full beforehand. Records fill an arena from its
start, which is used again once its rows lie in the stream. What is left of older records is told
from new ones by the row numbers, which only rise.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import mmap
import os
import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from zlib import crc32

from provrunner.log.columns import EventRow, StepRows, fit_text
from provrunner.log.records import (
    BODY,
    BODY_HEAD,
    DEFINITION,
    END,
    EVENT,
    FRAME,
    HEADER,
    MAGIC,
    STEP_BYTES,
    JournalRows,
    read_arena,
)

__all__ = ["Arena", "Journal", "Moment"]

ARENA_BYTES = 256 << 10
RESERVE_BYTES = 64 << 10
LIMIT_BYTES = 16 << 20
_MADV_POPULATE_WRITE = 23  # Linux 5.14
_frame = FRAME.pack
Moment = tuple[int, int, int, str]
"""Epoch, step, time in microseconds and stage of what a step logged."""
_Set = tuple[int, Callable[..., bytes], int, int]
"""Number, packer, size of a record and count of values of the steps that log one set of names."""


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
        self.used = HEADER.size
        self.rows = 0

    def read(self) -> JournalRows:
        """Read the records; the rows hold a copy, so that the arena can be used again."""
        return read_arena(memoryview(bytes(self.memory[: self.used + len(END)])))


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
        self._full: tuple[Arena, ...] = ()
        self._sets: dict[tuple[str, ...], _Set] = {}
        self._last: _Set = (0, struct.pack, 0, 0)
        self._last_names: tuple[str, ...] | None = None
        self._last_stage = ""
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
            reserve = _map_arena(descriptor, 2 * ARENA_BYTES, RESERVE_BYTES)
        except OSError:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        retired: tuple[Arena, ...] = ()
        if self._home >= 0:
            os.close(self._descriptor)
            retired = (self._active,)
        self._descriptor = descriptor
        self._home += 1
        self._allocated = 2 * ARENA_BYTES + RESERVE_BYTES
        self._reserve = Arena(reserve, self._home)
        self._free = [Arena(memory, self._home) for memory in memories]
        self._activate(self._free.pop(0), retired)

    def append(self, values: Mapping[str, float], moment: Moment) -> int:
        """Keep one step's values.

        Returns:
            The rows in the arena they went to; 0 when 16 MiB wait already and they were dropped.

        Raises:
            struct.error: a value, the step or the epoch is no number of the right size.
        """
        return self.append_numbers(tuple(values), [*values.values()], moment)

    def append_numbers(
        self, names: tuple[str, ...], numbers: Sequence[float], moment: Moment
    ) -> int:
        """Keep one step's values, as `append` does; quicker when `names` is the last one's."""
        epoch, step, time_us, stage = moment
        if names is not self._last_names or stage is not self._last_stage:
            known = self._sets.get((stage, *names))
            if known is None:
                return self._append_new((stage, *names), numbers, moment)
            self._last_names, self._last_stage, self._last = names, stage, known
        number, pack, size, count = self._last
        arena = self._active
        start = arena.used
        end = start + size
        if end > arena.size:
            if not self._next_arena(size):
                return 0
            return self.append_numbers(names, numbers, moment)
        body = pack(self.row, number, epoch, step, time_us, *numbers)
        record = _frame(size - 4, crc32(body)) + body + END
        # no call from here on: what a signal handler raises comes before all four or after
        arena.memory[start:end] = record
        arena.used = end - 4
        arena.rows += count
        self.row += count
        return arena.rows

    def append_event(self, row: EventRow) -> bool:
        """Keep an event whose stream cannot be written; False when there is no room at all.

        Where metrics have filled their arena, a stretch of the file is set aside for events.
        """
        payload = json.dumps(astuple(row), ensure_ascii=False).encode("utf-8", "backslashreplace")
        fits = self._active.home >= 0 and _has_room(self._active, payload)
        if not fits and _has_room(self._reserve, payload):
            # one row number for all, as in every arena whose records are no metrics
            _put(self._reserve, 0, EVENT, payload)
            return True
        return self._append_text(EVENT, payload)

    def forget_events(self) -> None:
        """Empty what is set aside for events, all of which lie in their stream."""
        if self._reserve.used > HEADER.size:
            # all of its records have one row number: none of them may look newer than the next
            self._reserve.memory[HEADER.size :] = bytes(self._reserve.size - HEADER.size)
            self._reserve.used = HEADER.size

    def unkept(self) -> list[StepRows]:
        """Return the rows that end with the process: those in plain memory, and all after them."""
        arenas = (*self._full, self._active)
        lost = itertools.dropwhile(lambda arena: arena.home >= 0 or not arena.rows, arenas)
        return [part for arena in lost for part in arena.read().steps]

    def take(self) -> list[Arena]:
        """Hand over the arenas that hold rows, oldest first; they stay until they are freed."""
        if self._active.used > HEADER.size and self._free:
            self._activate(self._free.pop(), (self._active,))
        return list(self._full)

    def free(self, arena: Arena) -> None:
        """Take back the oldest arena, whose rows now lie in the stream."""
        self._full = tuple(other for other in self._full if other is not arena)
        if arena.home == self._home:
            self._free.append(_emptied(arena))

    def take_last(self) -> list[Arena]:
        """Hand over all arenas, the one in use included: no more records will come."""
        return [*self._full, self._active]

    def close(self) -> None:
        """Let go of the file and its memory."""
        for arena in (*self._full, *self._free, self._active, self._reserve):
            if isinstance(arena.memory, mmap.mmap):
                arena.memory.close()
        os.close(self._descriptor)

    def _activate(self, arena: Arena, retired: tuple[Arena, ...]) -> None:
        arena.memory[: HEADER.size] = HEADER.pack(MAGIC, arena.size, self.row)
        # name sets are defined again in each arena: it can be read, and freed, alone
        self._last_names = None
        self._full, self._active, self._sets = (*self._full, *retired), arena, {}

    def _append_new(self, key: tuple[str, ...], numbers: Sequence[float], moment: Moment) -> int:
        packer = struct.Struct(f"{BODY}{len(numbers)}d")
        packer.pack(0, 0, *moment[:3], *numbers)
        size = STEP_BYTES + 8 * len(numbers) + len(END)
        texts = [fit_text(text).decode() for text in key]
        payload = json.dumps(texts, ensure_ascii=False).encode()
        if not self._append_text(DEFINITION, payload, room=size):
            return 0
        self._sets[key] = (len(self._sets), packer.pack, size, len(numbers))
        return self.append_numbers(key[1:], numbers, moment)

    def _append_text(self, kind: int, payload: bytes, *, room: int = 0) -> bool:
        if not _has_room(self._active, payload, room) and not self._next_arena(
            _text_bytes(payload) + room
        ):
            return False
        if kind == DEFINITION:
            kind += len(self._sets)
        _put(self._active, self.row, kind, payload)
        return True

    def _next_arena(self, size: int) -> bool:
        """Use another arena with room for a record; the one in use joins the full."""
        needed = size + HEADER.size
        for arena in self._free:
            if arena.size >= needed:
                self._free.remove(arena)
                self._activate(arena, (self._active,))
                return True
        # room for eight of the large records that thousands of names make
        step = (
            max(1, min(-(-8 * needed // ARENA_BYTES), 8), -(-needed // ARENA_BYTES)) * ARENA_BYTES
        )
        waiting = sum(arena.size for arena in (*self._full, self._active))
        if waiting + step > LIMIT_BYTES:
            return False
        self._activate(self._new_arena(step), (self._active,))
        return True

    def _new_arena(self, size: int) -> Arena:
        try:
            memory = _map_arena(self._descriptor, self._allocated, size)
        except OSError:
            # no room on the disk: the rows outlive no kill, but they may still reach the stream
            return Arena(bytearray(size), -1)
        self._allocated += size
        return Arena(memory, self._home)


def _text_bytes(payload: bytes) -> int:
    """Return the size of a record of text, with the mark of the end behind it."""
    return FRAME.size + -(-(len(payload) + BODY_HEAD.size) // 8) * 8 + len(END)


def _has_room(arena: Arena, payload: bytes, room: int = 0) -> bool:
    return arena.used + _text_bytes(payload) + room <= arena.size


def _put(arena: Arena, row: int, kind: int, payload: bytes) -> None:
    size = _text_bytes(payload)
    body = BODY_HEAD.pack(row, kind) + payload.ljust(size - FRAME.size - BODY_HEAD.size - 4, b"\0")
    record = FRAME.pack(size - 4, crc32(body)) + body + END
    arena.memory[arena.used : arena.used + size] = record
    arena.used += size - 4


def _map_arena(descriptor: int, offset: int, size: int) -> mmap.mmap:
    _allocate(descriptor, offset, size)
    memory = mmap.mmap(descriptor, size, offset=offset)
    if sys.platform == "linux":
        # else a page's first record, in the midst of a training, waits for it as long as for two
        with contextlib.suppress(OSError):
            memory.madvise(_MADV_POPULATE_WRITE)
    memory[: HEADER.size] = HEADER.pack(MAGIC, size, 0)
    return memory


def _emptied(arena: Arena) -> Arena:
    arena.memory[HEADER.size : HEADER.size + 4] = END
    arena.used = HEADER.size
    arena.rows = 0
    return arena


def _allocate(descriptor: int, offset: int, size: int) -> None:
    """Give a stretch of a file room on the disk: a mapped hole on a full one is SIGBUS."""
    try:
        os.posix_fallocate(descriptor, offset, size)
        return
    except AttributeError:
        # macOS has no such call
        pass
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
            raise
    if os.pwrite(descriptor, bytes(size), offset) < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

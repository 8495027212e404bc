"""Arrow IPC messages found one by one in bytes that may be cut, flipped or forged.

Arrow's own reader trusts the offsets it finds; its format has no checksum. What is accepted here
is whole, has the checksums that the writer put there, and stays within what memory allows.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = [
    "CHAIN",
    "CRC_BODY",
    "CRC_HEAD",
    "CRC_SCHEMA",
    "DICTIONARY",
    "END",
    "END_OF_STREAM",
    "FIRST_ROW",
    "HEAD_BYTES",
    "RECORD_BATCH",
    "SCHEMA",
    "Damage",
    "Message",
    "check_sizes",
    "find_whole_batch",
    "head_checksum",
    "parse_message",
]

FIRST_ROW = "provrunner.first_row"
CRC_BODY = "provrunner.crc32"
CRC_HEAD = "provrunner.head_crc32"
CRC_SCHEMA = "crc32"
HEAD_BYTES = "provrunner.head_bytes"
CHAIN = "provrunner.sha256_before"
END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"

END, SCHEMA, DICTIONARY, RECORD_BATCH = range(4)
_CONTINUATION = 0xFFFFFFFF
_HEAD_BYTES = 64 << 10
_ENTRIES = 256
_UNPACKED_BYTES = 256 << 20
_UNPACKED_RATIO = 64


class Damage(ValueError):  # noqa: N818 -- it is what was found, not what went wrong
    """What is wrong with the bytes of a log, and where.

    Attributes:
        offset: first byte of the message that cannot be trusted.
    """

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"{reason} at byte {offset}")
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Message:
    """One whole message of a stream.

    Attributes:
        start, body, end: byte offsets of the message, of its body, and of what follows it.
        kind: 1 schema, 2 dictionary, 3 record batch; 0 is the end of the stream.
        rows: rows of a record batch.
        unpacked: bytes that its buffers take once decompressed.
        metadata: the message's own key-value pairs.
    """

    start: int
    body: int
    end: int
    kind: int
    rows: int = 0
    unpacked: int = 0
    metadata: dict[str, str] = field(default_factory=dict)


def parse_message(data: memoryview, start: int, *, checked: bool = True) -> Message | None:
    """Read the message at `start`.

    Args:
        data: bytes of a stream.
        start: where the message begins.
        checked: whether a record batch must carry right checksums, as those of live streams do.

    Returns:
        The message, or None where the bytes end before it does.

    Raises:
        Damage: no writer of ours can have written these bytes.
    """
    if len(data) < start + 8:
        return None
    marker, head_bytes = struct.unpack_from("<II", data, start)
    if marker != _CONTINUATION:
        raise Damage(start, "no message")
    if head_bytes == 0:
        return Message(start, start + 8, start + 8, END)
    if head_bytes > _HEAD_BYTES or head_bytes % 8:
        raise Damage(start, "a message head of an impossible size")
    body = start + 8 + head_bytes
    if len(data) < body:
        _check_length(data, start, head_bytes)
        return None
    try:
        return _whole_message(data, start, body, checked)
    except (struct.error, UnicodeDecodeError) as error:
        raise Damage(start, "an unreadable message head") from error


def head_checksum(head: bytes, *marks: bytes) -> str:
    """Return the CRC-32 of a message's head in hex, its two checksums (`marks`) taken as zeros."""
    for mark in marks:
        # a flatbuffer text is its length, then its bytes: no digest elsewhere can look like this
        head = head.replace(b"\x08\0\0\0" + mark, b"\x08\0\0\0" + b"0" * 8)
    return f"{zlib.crc32(head):08x}"


def check_sizes(messages: list[Message], size: int) -> None:
    """Refuse a log whose messages unpack to far more than what logs hold.

    Raises:
        Damage: more than 256 MiB and 64 times the file's size.
    """
    total = 0
    for message in messages:
        total += message.unpacked
        if total > max(_UNPACKED_BYTES, _UNPACKED_RATIO * size):
            raise Damage(message.start, f"data that unpack to over {total >> 20} MiB")


def find_whole_batch(data: memoryview, start: int) -> bool:
    """Say whether a whole record batch follows somewhere after `start`.

    None does after a write that was cut short: where one does, the message at `start` was damaged.
    """
    raw = bytes(data[start:])
    at = raw.find(b"\xff\xff\xff\xff", 8)
    while at >= 0:
        if at % 8 == 0 and _is_batch(data, start + at):
            return True
        at = raw.find(b"\xff\xff\xff\xff", at + 1)
    return False


def _is_batch(data: memoryview, start: int) -> bool:
    try:
        message = parse_message(data, start)
    except Damage:
        return False
    return message is not None and message.kind == RECORD_BATCH


def _check_length(data: memoryview, start: int, head_bytes: int) -> None:
    """Tell a head that was cut from one whose length was damaged: it holds its length twice."""
    flat = _Flat(data[start + 8 :])
    try:
        claimed = dict(flat.pairs(flat.reference(0), 4)).get(HEAD_BYTES)
    except (struct.error, UnicodeDecodeError):
        return
    if claimed is not None and claimed != f"{head_bytes:08d}":
        raise Damage(start, "a wrong message length")


def _whole_message(data: memoryview, start: int, body: int, checked: bool) -> Message | None:
    flat = _Flat(data[start + 8 : body])
    root = flat.reference(0)
    kind = flat.number("<B", root, 1)
    metadata = dict(flat.pairs(root, 4))
    if checked and kind == RECORD_BATCH:
        _check_head(data[start:body], metadata, start)
    body_bytes = flat.number("<q", root, 3)
    if kind not in (SCHEMA, DICTIONARY, RECORD_BATCH) or body_bytes < 0 or body_bytes % 8:
        raise Damage(start, "an impossible message")
    end = body + body_bytes
    if len(data) < end:
        return None
    if (
        checked
        and kind == RECORD_BATCH
        and f"{zlib.crc32(data[body:end]):08x}" != metadata[CRC_BODY]
    ):
        raise Damage(start, "a wrong checksum")
    if kind == SCHEMA:
        return Message(start, body, end, kind, metadata=metadata)
    header = flat.reference(flat.place(root, 2))
    batch = header if kind == RECORD_BATCH else flat.reference(flat.place(header, 1))
    unpacked = _unpacked_bytes(flat, batch, data[body:end], start)
    return Message(start, body, end, kind, flat.number("<q", batch, 0), unpacked, metadata)


def _check_head(head: memoryview, metadata: dict[str, str], start: int) -> None:
    marks = [metadata.get(key, "").encode() for key in (CRC_HEAD, CRC_BODY)]
    if any(len(mark) != 8 for mark in marks):
        raise Damage(start, "a batch without checksums")
    if head_checksum(bytes(head), *marks).encode() != marks[0]:
        raise Damage(start, "a wrong checksum")


def _unpacked_bytes(flat: _Flat, batch: int, body: memoryview, start: int) -> int:
    """Add up what the buffers of a batch hold, and see that they lie inside its body."""
    compressed = flat.has(batch, 3)
    total = 0
    for offset, length in flat.pairs_of_numbers(batch, 2):
        if offset < 0 or length < 0 or offset + length > len(body):
            raise Damage(start, "a buffer outside its message")
        if compressed and length > 8:
            (unpacked,) = struct.unpack_from("<q", body, offset)
            if unpacked < -1:
                raise Damage(start, "a buffer of negative size")
            total += length if unpacked == -1 else unpacked
        else:
            total += length
    return total


@dataclass(frozen=True, slots=True)
class _Flat:
    """Flatbuffer tables, read with every offset checked (flatbuffers.dev, internals)."""

    data: memoryview

    def read(self, form: str, at: int) -> int:
        if at < 0:
            raise struct.error("a negative offset")
        return int(struct.unpack_from(form, self.data, at)[0])

    def place(self, table: int, index: int) -> int:
        """Return where a field lies, or 0 where the table has none."""
        vtable = table - self.read("<i", table)
        slot = 4 + 2 * index
        if slot + 2 > self.read("<H", vtable):
            return 0
        offset = self.read("<H", vtable + slot)
        return table + offset if offset else 0

    def has(self, table: int, index: int) -> bool:
        return self.place(table, index) != 0

    def number(self, form: str, table: int, index: int) -> int:
        at = self.place(table, index)
        return self.read(form, at) if at else 0

    def reference(self, at: int) -> int:
        return at + self.read("<I", at)

    def vector(self, table: int, index: int) -> tuple[int, int]:
        """Return where a vector's elements start and how many there are."""
        at = self.place(table, index)
        if not at:
            return 0, 0
        start = self.reference(at)
        count = self.read("<I", start)
        if count > _ENTRIES:
            raise struct.error(f"a vector of {count} elements")
        return start + 4, count

    def pairs(self, table: int, index: int) -> Iterator[tuple[str, str]]:
        start, count = self.vector(table, index)
        for position in range(count):
            pair = self.reference(start + 4 * position)
            yield self.text(pair, 0), self.text(pair, 1)

    def pairs_of_numbers(self, table: int, index: int) -> Iterator[tuple[int, int]]:
        start, count = self.vector(table, index)
        yield from struct.iter_unpack("<qq", self.data[start : start + 16 * count])

    def text(self, table: int, index: int) -> str:
        at = self.place(table, index)
        if not at:
            return ""
        start = self.reference(at)
        length = self.read("<I", start)
        if start + 4 + length > len(self.data):
            raise struct.error("a text beyond its message")
        return bytes(self.data[start + 4 : start + 4 + length]).decode("utf-8")

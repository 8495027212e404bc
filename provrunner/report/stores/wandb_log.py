"""The records of a `run-*.wandb` file, which W&B frames as LevelDB does its log."""

from __future__ import annotations

import struct
import zlib

__all__ = ["read_records"]

_MAGIC = b":W&B\xe1\xbe"
_START = 7  # the magic and a version byte, which is 0
_BLOCK_BYTES = 32_768
_HEAD = struct.Struct("<IHB")  # CRC-32 of what follows the length, length, kind of the piece
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


def read_records(data: bytes) -> tuple[list[bytes], int | None]:
    """Return the records of a file, and where it was cut off; None for a whole one.

    Raises:
        ValueError: it is no such file, or bytes in its midst are not what was written.
    """
    if data[:6] != _MAGIC or data[6:_START] != b"\0":
        raise ValueError("it does not begin as W&B's transaction log, version 0")
    records: list[bytes] = []
    pieces: list[bytes] = []
    at = _START
    while at < len(data):
        left = _BLOCK_BYTES - at % _BLOCK_BYTES
        if left < _HEAD.size:
            at += left
            continue
        piece = _read_piece(data, at)
        if piece is None:
            return records, at
        kind, content = piece
        if (kind in (_FULL, _FIRST)) == bool(pieces):
            raise ValueError(f"byte {at}: a piece of a record out of order")
        pieces.append(content)
        at += _HEAD.size + len(content)
        if kind in (_FULL, _LAST):
            records.append(b"".join(pieces))
            pieces = []
    return records, at if pieces else None


def _read_piece(data: bytes, at: int) -> tuple[int, bytes] | None:
    """Return kind and content of a piece; None where the file ends within it."""
    if at + _HEAD.size > len(data):
        return None
    checksum, size, kind = _HEAD.unpack_from(data, at)
    end = at + _HEAD.size + size
    if end > len(data) or (checksum == size == kind == 0 and not any(data[at:])):
        # a writer that was killed leaves half a piece, or a tail of zeros
        return None
    content = data[at + _HEAD.size : end]
    if kind not in (_FULL, _FIRST, _MIDDLE, _LAST) or (
        zlib.crc32(content, zlib.crc32(bytes([kind]))) != checksum
    ):
        raise ValueError(f"byte {at}: other bytes than were written")
    return kind, content

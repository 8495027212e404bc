"""The records of a TensorBoard event file, which are framed as TFRecord frames them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache

__all__ = ["read_records"]

_HEAD = struct.Struct("<QI")  # length, its checksum
_TAIL = struct.Struct("<I")
_POLYNOMIAL = 0x82F63B78
_LONGEST_CHECKED = 4096


def read_records(data: bytes) -> tuple[list[bytes], int | None]:
    """Return the records of a file, and where it was cut off; None for a whole one.

    The content of records over 4 KiB, pictures and graphs, which nobody reads here, is not checked.

    Raises:
        ValueError: it is no such file, or bytes in its midst are not what was written.
    """
    records: list[bytes] = []
    at = 0
    for size in _sizes(data):
        start = at + _HEAD.size
        content = data[start : start + size]
        if (
            size <= _LONGEST_CHECKED
            and _checksum(content) != _TAIL.unpack_from(data, start + size)[0]
        ):
            raise ValueError(f"byte {start}: other bytes than were written")
        records.append(content)
        at = start + size + _TAIL.size
    return records, at if at < len(data) else None


def _sizes(data: bytes) -> Iterator[int]:
    at = 0
    while at + _HEAD.size <= len(data):
        size, checksum = _HEAD.unpack_from(data, at)
        if _checksum(data[at : at + 8]) != checksum:
            raise ValueError(f"byte {at}: no length of a record of TensorBoard's")
        at += _HEAD.size + size + _TAIL.size
        if at > len(data):
            return
        yield size


def _checksum(data: bytes) -> int:
    """Return the CRC-32C that TFRecord writes, rotated and shifted as it is there."""
    table, value = _table(), 0xFFFFFFFF
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    value ^= 0xFFFFFFFF
    return (((value >> 15) | (value << 17)) + 0xA282EAD8) & 0xFFFFFFFF


@cache
def _table() -> tuple[int, ...]:
    rows = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
        rows.append(value)
    return tuple(rows)

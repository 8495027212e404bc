"""The fields of a protocol buffer, read without its schema."""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = ["Message", "content", "inner", "integer", "number", "read_message", "text"]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 70

Message = dict[int, list["int | bytes"]]
"""Values by field number, in order: integers as they stand, all else as its bytes."""


def read_message(data: bytes) -> Message:
    r"""Read the fields of a message.

    Raises:
        ValueError: it is none.

    Example:
        >>> read_message(b"\x08\x96\x01\x12\x02hi")
        {1: [150], 2: [b'hi']}
    """
    found: Message = {}
    for field, value in _fields(data):
        found.setdefault(field, []).append(value)
    return found


def number(value: int | bytes) -> float:
    r"""Return what eight or four bytes stand for as a float, or an integer as it is.

    Example:
        >>> number(b"\x00\x00\x80?"), number(3)
        (1.0, 3.0)
    """
    if isinstance(value, int):
        return float(value)
    return float(struct.unpack("<d" if len(value) == 8 else "<f", value)[0])


def integer(value: int | bytes) -> int:
    """Return what a varint stands for as a signed integer, or a fixed number cut to one.

    Example:
        >>> integer(2**64 - 1)
        -1
    """
    found = int(number(value)) if isinstance(value, bytes) else value
    return found - (1 << 64) if found >= 1 << 63 else found


def content(value: int | bytes) -> bytes:
    """Return the bytes that are the value of a field.

    Raises:
        ValueError: it is a number.
    """
    if isinstance(value, int):
        raise ValueError("a number where a text or message is expected")
    return value


def text(value: int | bytes) -> str:
    """Return what bytes stand for as a text."""
    return content(value).decode("utf-8")


def inner(value: int | bytes) -> Message:
    """Read a message that is the value of a field.

    Raises:
        ValueError: it is none.
    """
    return read_message(content(value))


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        field, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield field, value
            continue
        if kind == _BYTES:
            size, at = _varint(data, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"byte {at}: a field of the unknown kind {kind}")
        if at + size > len(data):
            raise ValueError(f"byte {at}: a field of {size} bytes where {len(data) - at} are left")
        yield field, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, _LONGEST_VARINT, 7):
        if at >= len(data):
            break
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
    raise ValueError(f"byte {at}: half a number")

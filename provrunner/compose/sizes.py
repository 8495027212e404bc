"""Amounts of bytes as people write them."""

from __future__ import annotations

import re
from fractions import Fraction

__all__ = ["to_bytes"]

_SIZE = re.compile(r"(\d{1,18}(?:\.\d{1,18})?) ?(?:([KMGTP])(i)?)?B?", re.IGNORECASE)
_POWERS = "KMGTP"


def to_bytes(size: object) -> int:
    """Return how many bytes are meant: `20GB` is 20 * 1000**3, `20GiB` is 20 * 1024**3.

    Args:
        size: a number, or a text of a number and a unit.

    Raises:
        ValueError: it is neither, or none above 0.

    Example:
        >>> to_bytes("1.5 kB"), to_bytes("20GiB"), to_bytes("2g"), to_bytes(2e16)
        (1500, 21474836480, 2000000000, 20000000000000000)
    """
    if isinstance(size, float) and size.is_integer():
        size = int(size)
    found = None if isinstance(size, bool) else _SIZE.fullmatch(str(size))
    if found is None:
        raise ValueError(f"expected an amount of bytes such as 20GB or 500MiB, got {size!r}")
    number, prefix, binary = found.groups()
    power = _POWERS.index(prefix.upper()) + 1 if prefix else 0
    count = int(Fraction(number) * (1024 if binary else 1000) ** power)
    if count < 1:
        raise ValueError(f"expected an amount of bytes above 0, got {size!r}")
    return count

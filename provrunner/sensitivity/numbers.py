"""Numbers as a reader wants them: digits by the uncertainty, levels as configured."""

from __future__ import annotations

import math
from collections.abc import Sequence

from provrunner.ids import canonical_json

__all__ = ["format_duration", "format_level", "format_list", "format_number", "format_uncertain"]

_LONGEST_FRACTION = 6

_ROUNDING = 1e-12
"""A half width of less than this share of its value is what rounding left."""


def format_uncertain(value: float, half_width: float) -> str:
    """Write a value and half its interval, with the digits that the interval leaves meaning.

    The half width keeps one significant digit, two when the first is 1.

    Example:
        >>> format_uncertain(0.11432, 0.0213), format_uncertain(1234.5, 130.0)
        ('0.11 ± 0.02', '1230 ± 130')
        >>> format_uncertain(1.5, 3e-8), format_uncertain(1.5, 3e-16)
        ('1.50000000 ± 0.00000003', '1.5')
        >>> format_uncertain(1.234e-8, 2e-9)
        '(1.2 ± 0.2)e-08'
    """
    if not math.isfinite(half_width) or half_width <= _ROUNDING * abs(value):
        return format_number(value)
    decimals = _decimals(half_width)
    exponent = math.floor(math.log10(max(abs(value), half_width)))
    if decimals > _LONGEST_FRACTION and exponent < 0:
        scaled = format_uncertain(value / 10**exponent, half_width / 10**exponent)
        return f"({scaled})e{exponent:+03d}"
    return f"{_fixed(value, decimals)} ± {_fixed(half_width, decimals)}"


def format_number(value: float, digits: int = 2) -> str:
    """Write a number with so many significant digits, without an exponent where it reads well.

    Example:
        >>> [format_number(x) for x in (0.03, 123456.0, 0.0000012, 0)]
        ['0.030', '120000', '1.2e-06', '0']
    """
    if value == 0:
        return "0"
    text = f"{value:#.{digits}g}"
    rounded = float(text)
    if "e" in text and 1e-4 <= abs(rounded) < 1e7:
        return f"{rounded:.0f}"
    return text.replace(".e", "e").rstrip(".")


def format_level(value: object) -> str:
    """Write a level as a configuration file would.

    Example:
        >>> format_level(0.001), format_level(True), format_level(None), format_level([64, 64])
        ('0.001', 'true', 'null', '[64,64]')
    """
    return value if isinstance(value, str) else canonical_json(value)


def format_list(words: Sequence[str]) -> str:
    """Join words as a sentence does.

    Example:
        >>> format_list(["a"]), format_list(["a", "b", "c"])
        ('a', 'a, b and c')
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def format_duration(seconds: float) -> str:
    """Write a duration in the unit that a person would say.

    Example:
        >>> format_duration(19.7), format_duration(200), format_duration(9000), format_duration(4e5)
        ('20 s', '3 min', '2.5 h', '4.6 days')
    """
    if seconds < 0.95:
        return f"{seconds:.1g} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.2g} h"
    return f"{seconds / 86400:.2g} days"


def _decimals(half_width: float) -> int:
    first = float(f"{half_width:.1e}")
    exponent = math.floor(math.log10(first))
    return (1 if first / 10**exponent < 1.95 else 0) - exponent


def _fixed(value: float, decimals: int) -> str:
    text = f"{round(value, decimals):.{max(decimals, 0)}f}"
    return text.lstrip("-") if float(text) == 0 else text

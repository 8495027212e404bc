"""How figures are written for people."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = [
    "NO_VALUE",
    "count",
    "decimals",
    "duration",
    "effect_text",
    "interval",
    "number",
    "p_value",
    "share",
    "size",
]

NO_VALUE = "–"
"""Stands where a number is not known."""


def number(value: float | None, digits: int = 3) -> str:
    """Write a figure with so many significant digits, without an exponent where it reads well.

    Example:
        >>> [number(x) for x in (0.0891234, 12345.6, 0.0, 1.25e-7, None)]
        ['0.0891', '12346', '0', '1.25e-07', '–']
    """
    if value is None or math.isnan(value):
        return NO_VALUE
    if math.isinf(value) or value == 0:
        return {math.inf: "∞", -math.inf: "−∞"}.get(value, "0")
    magnitude = math.floor(math.log10(abs(value)))
    if not -5 < magnitude < 7:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{max(digits - 1 - magnitude, 0)}f}"


def decimals(values: Iterable[float | None], digits: int = 4) -> int:
    """Choose how many decimals a column of figures needs, by their median size.

    Example:
        >>> decimals([0.0961, 0.242, None, 0.5]), decimals([1520.0, 900.0])
        (4, 0)
    """
    sizes = sorted(abs(value) for value in values if value and math.isfinite(value))
    if not sizes:
        return 0
    return min(max(digits - 1 - math.floor(math.log10(sizes[len(sizes) // 2])), 0), 9)


def size(size_bytes: int) -> str:
    """Write a number of bytes in the unit that suits it.

    Example:
        >>> size(512), size(1_258_291), size(3 << 40)
        ('512 B', '1.2 MiB', '3072.0 GiB')
    """
    units = [(2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")]
    fitting = ((unit, name) for unit, name in units if size_bytes >= unit)
    unit, name = next(fitting, (1, "B"))
    return f"{size_bytes / unit:.1f} {name}" if unit > 1 else f"{size_bytes} B"


def share(value: float | None) -> str:
    """Write a share of variance with two decimals; an estimate below zero reads 0.00.

    Example:
        >>> share(0.8312), share(-0.01), share(None)
        ('0.83', '0.00', '–')
    """
    return NO_VALUE if value is None or math.isnan(value) else f"{max(value, 0.0):.2f}"


def interval(low: float | None, high: float | None) -> str:
    """Write the interval of a share.

    Example:
        >>> interval(0.711, 0.9), interval(None, 0.9)
        ('0.71 – 0.90', '–')
    """
    return NO_VALUE if low is None or high is None else f"{share(low)} – {share(high)}"


def p_value(component: Mapping[str, Any]) -> str:
    """Write the p-value by which a component is judged: Holm's where there is one.

    Example:
        >>> p_value({"p": 0.0001, "p_holm": 0.0004}), p_value({"p": 0.312, "p_holm": None})
        ('<0.001', '0.31')
    """
    value = component.get("p_holm")
    value = component.get("p") if value is None else value
    if value is None or math.isnan(value):
        return ""
    return "<0.001" if value < 0.001 else f"{value:.3f}" if value < 0.01 else f"{value:.2f}"


def effect_text(component: Mapping[str, Any]) -> str:
    """Write the range of a component's means, in σ too where it stands out of the noise.

    Example:
        >>> effect_text({"effect": 0.4213, "effect_sigma": 9.1, "significant": True})
        '0.42 (9 σ)'
    """
    if component.get("effect") is None:
        return ""
    text = number(component["effect"], 2)
    sigma = component.get("effect_sigma")
    if sigma is None or not component.get("significant"):
        return text
    return f"{text} ({number(sigma, 2 if sigma < 3 else 1)} σ)"


def duration(seconds: float | None) -> str:
    """Write a time span in the two units that matter.

    Example:
        >>> [duration(s) for s in (0.42, 41.3, 200, 7500, 180000)]
        ['0.4 s', '41 s', '3 min 20 s', '2 h 5 min', '2 d 2 h']
    """
    if seconds is None or math.isnan(seconds):
        return NO_VALUE
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    for unit, name, part, part_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if whole >= unit:
            return f"{whole // unit} {name} {whole % unit // part} {part_name}"
    return f"{whole // 60} min {whole % 60} s"


def count(n: int, word: str) -> str:
    """Write a count with its noun.

    Example:
        >>> count(1, "seed"), count(3, "seed")
        ('1 seed', '3 seeds')
    """
    return f"{n} {word}" if n == 1 else f"{n} {word}s"

"""A range of numbers, and the unit coordinate in which its effects are polynomials."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from provrunner.sensitivity.basis import Floats
from provrunner.sensitivity.study import Parameter

__all__ = ["Range", "display_points", "find_range", "infer_scale", "is_number"]

LOG_RATIO = 1000.0
"""Positive values that span this ratio are read on a log axis."""

_SAMPLE = 10
"""Fewer numbers are levels, more may be a sample."""

_POINTS = 11
_EVEN = 0.02
_FAR_FROM_UNIFORM = 1.63
"""Kolmogorov's distance times the root of n that a uniform sample exceeds once in a hundred."""


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `low` to `high`, uniform or uniform in their logarithm."""

    low: float
    high: float
    is_log: bool = False
    is_integer: bool = False

    def unit(self, values: Floats) -> Floats:
        """Return where values lie: 0 at the lower end, 1 at the upper one.

        Example:
            >>> Range(0.001, 0.1, is_log=True).unit(np.array([0.01])).round(6).tolist()
            [0.5]
        """
        low, high = self._turn(self.low), self._turn(self.high)
        turned = np.log(values) if self.is_log else np.asarray(values, dtype=np.float64)
        return np.clip((turned - low) / (high - low), 0.0, 1.0)

    def value(self, unit: float) -> float | int:
        """Return the value at a unit coordinate, to three digits, inside the range.

        Example:
            >>> Range(1, 16, is_integer=True).value(0.5), Range(0.001, 0.1, True).value(0.25)
            (8, 0.00316)
        """
        low, high = self._turn(self.low), self._turn(self.high)
        turned = low + unit * (high - low)
        value = math.exp(turned) if self.is_log else turned
        if self.is_integer:
            return int(min(max(round(value), math.ceil(self.low)), math.floor(self.high)))
        if unit in (0.0, 1.0):
            return self.low if unit == 0.0 else self.high
        digits = 3 if self.is_log else 3 + max(_digits_before(self), 0)
        return min(max(float(f"{value:.{digits}g}"), self.low), self.high)

    def _turn(self, value: float) -> float:
        return math.log(value) if self.is_log else float(value)


def is_number(value: object) -> bool:
    """Tell whether a value is a finite number, truth values being none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def find_range(parameter: Parameter, values: Sequence[Any]) -> Range | None:
    """Return the range that a parameter's values lie in; None when they are not all numbers.

    The declared ends, widened to the values seen; without ends the values' own. Nulls are passed
    over: they are runs in which the parameter plays no part.

    Args:
        parameter: what was declared; an undeclared scale (`categorical`) is inferred.
        values: of the analysed runs.
    """
    known = [value for value in values if value is not None]
    if len(known) < 2 or not all(map(is_number, known)):
        return None
    ends = [end for end in (parameter.low, parameter.high) if end is not None]
    low, high = float(min([*known, *ends])), float(max([*known, *ends]))
    if low == high:
        return None
    declared = parameter.scale if parameter.scale != "categorical" else None
    is_log = (declared or infer_scale([*known, *ends])) == "log" and low > 0
    is_integer = all(isinstance(value, int) for value in known)
    return Range(low, high, is_log, is_integer)


def infer_scale(values: Sequence[Any]) -> str:
    """Tell whether numbers are better read on a log axis: `log`, else `linear`.

    They are when all are positive, and the largest is 1000 times the smallest or more, or they are
    evenly spaced in their logarithm: as levels, or as a sample that is far from uniform
    (Kolmogorov's test at 1 %). A sample must be nearer to uniform in the logarithm, too: uniform
    numbers from 0 to 1 have a small one among them.

    Example:
        >>> infer_scale([0.1, 0.01, 0.001]), infer_scale([0.0, 0.1, 0.5]), infer_scale([16, 32, 48])
        ('log', 'linear', 'linear')
    """
    found = np.unique(np.asarray([value for value in values if is_number(value)], dtype=np.float64))
    if found.size < 3 or found[0] <= 0:
        ratio = found[-1] / found[0] if found.size > 1 and found[0] > 0 else 0.0
        return "log" if ratio >= LOG_RATIO else "linear"
    logs = np.log(found)
    is_wide = bool(found[-1] / found[0] >= LOG_RATIO)
    if found.size < _SAMPLE:
        return "log" if is_wide or (_is_even(logs) and not _is_even(found)) else "linear"
    plain = _distance_to_uniform(found)
    is_far = plain * math.sqrt(found.size) > _FAR_FROM_UNIFORM
    is_nearer = _distance_to_uniform(logs) < plain
    return "log" if is_nearer and (is_wide or is_far) else "linear"


def display_points(span: Range, default: Any) -> tuple[float | int, ...]:
    """Return the points of a range at which a curve is shown, the default among them."""
    points = {span.value(i / (_POINTS - 1)) for i in range(_POINTS)}
    if is_number(default) and span.low <= default <= span.high:
        points.add(default)
    return tuple(sorted(points))


def _is_even(values: Floats) -> bool:
    steps = np.diff(values)
    return bool(np.ptp(steps) <= _EVEN * steps.mean())


def _distance_to_uniform(values: Floats) -> float:
    unit = (values - values[0]) / (values[-1] - values[0])
    ranks = np.arange(values.size)
    above = (ranks + 1) / values.size - unit
    below = unit - ranks / values.size
    return float(max(above.max(), below.max()))


def _digits_before(span: Range) -> int:
    """Digits that values share before they begin to differ, as in 1000.1 to 1000.9."""
    return math.ceil(math.log10(max(abs(span.low), abs(span.high)) / (span.high - span.low)))

"""The basis of a hyperparameter that takes any number in a range, also where it plays no part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from provrunner.sensitivity.basis import Floats, Ints, legendre
from provrunner.sensitivity.ranges import Range, display_points, find_range
from provrunner.sensitivity.study import Parameter

__all__ = ["MAX_DEGREE", "Axis", "Placed", "place_on_axis"]

MAX_DEGREE = 8
"""The highest degree of a polynomial that is tried."""

_STRETCHES = 10
_COVERED = 3


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """A range with its basis: Legendre polynomials, times whether the parameter is active.

    Attributes:
        unit: unit coordinate of each analysed run; NaN where the parameter is null.
        active: part of the design in which the parameter is not null; 1 where it never is.
        is_nested: whether another factor decides where it is null; then that factor has the
            difference between null and not, else the first column here has it.
        table: all columns that may be used, one row an analysed run.
        at_levels: the same columns at the points where a curve is shown.
        size: columns that the main effect uses, counted from the first.
    """

    span: Range
    unit: Floats
    active: float
    is_nested: bool
    table: Floats
    at_levels: Floats
    size: int

    @property
    def has_indicator(self) -> bool:
        """Whether the first column tells null from not."""
        return self.active < 1 and not self.is_nested

    @property
    def most(self) -> int:
        """Columns there are."""
        return int(self.table.shape[1])

    @property
    def coverage(self) -> float:
        """Part of ten equal stretches of the range that has three runs or more."""
        known = self.unit[~np.isnan(self.unit)]
        counts = np.bincount(np.minimum((known * _STRETCHES).astype(np.intp), _STRETCHES - 1))
        return float((counts >= _COVERED).sum()) / _STRETCHES

    def with_size(self, size: int) -> Axis:
        """Return the axis with a main effect of so many columns."""
        return replace(self, size=size)

    def columns_at(self, unit: Floats) -> Floats:
        """Return the columns at other unit coordinates."""
        degree = self.most - int(self.has_indicator)
        return _columns(unit, degree, self.active, is_nested=self.is_nested)


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A parameter placed on an axis, with the points at which its curve is shown."""

    axis: Axis
    levels: tuple[Any, ...]
    codes: Ints
    default: int | None


def place_on_axis(
    values: Sequence[Any], parameter: Parameter, parents: Sequence[tuple[Ints, int]]
) -> Placed | None:
    """Place a parameter's values on an axis; None when they are no range of numbers.

    Columns are orthonormal under the design's measure: uniform over the range while active, and
    active in the part of the design where it is. A run's code is that of the nearest point shown.

    Args:
        values: of the analysed runs; null where the parameter plays no part.
        parameter: as declared.
        parents: codes and number of levels of the factors that may decide where it is null.
    """
    span = find_range(parameter, values)
    if span is None:
        return None
    is_active = np.array([value is not None for value in values])
    unit = np.full(len(values), np.nan)
    unit[is_active] = span.unit(np.array([v for v in values if v is not None], dtype=np.float64))
    points = display_points(span, parameter.default)
    active, is_nested = _activity(is_active, parents)
    degree = min(MAX_DEGREE, np.unique(unit[is_active]).size - 1)
    at_points = span.unit(np.array(points, dtype=np.float64))
    table = _columns(unit, degree, active, is_nested=is_nested)
    levels: tuple[Any, ...] = points
    rows = at_points
    if active < 1 and not is_nested:
        levels, rows = (None, *points), np.concatenate([[np.nan], at_points])
    axis = Axis(
        span=span,
        unit=unit,
        active=active,
        is_nested=is_nested,
        table=table,
        at_levels=_columns(rows, degree, active, is_nested=is_nested),
        size=min(table.shape[1], 2 if active < 1 and not is_nested else 1),
    )
    default = levels.index(parameter.default) if parameter.default in levels else None
    if parameter.default is None:
        default = None
    return Placed(axis, levels, _nearest(unit, rows), default)


def _activity(
    is_active: np.ndarray[Any, np.dtype[np.bool_]], parents: Sequence[tuple[Ints, int]]
) -> tuple[float, bool]:
    """Return the part of the design in which a parameter is active, and whether one factor decides.

    A factor that decides counts each of its levels alike, however often it was run.
    """
    if is_active.all():
        return 1.0, False
    for codes, levels in parents:
        used = np.bincount(codes, minlength=levels)
        active = np.bincount(codes, is_active, minlength=levels)
        if (((active == 0) | (active == used)) & (used > 0)).all():
            return float((active > 0).mean()), True
    return float(is_active.mean()), False


def _columns(unit: Floats, degree: int, active: float, *, is_nested: bool) -> Floats:
    known = ~np.isnan(unit)
    table = legendre(np.where(known, unit, 0.5), degree) * known[:, None]
    if active == 1:
        return np.asarray(table)
    table = table / np.sqrt(active)
    if is_nested:
        return np.asarray(table)
    indicator = (known - active) / np.sqrt(active * (1 - active))
    return np.hstack([indicator[:, None], table])


def _nearest(unit: Floats, rows: Floats) -> Ints:
    """Return the position of the row nearest to each run; one past the last for a null without."""
    distance = np.abs(unit[:, None] - rows)
    null = np.isnan(rows)
    distance[:, null] = np.where(np.isnan(unit)[:, None], 0.0, np.inf)
    distance[np.isnan(distance)] = np.inf
    codes: Ints = np.argmin(distance, axis=1).astype(np.intp)
    if not null.any():
        codes[np.isnan(unit)] = rows.size
    return codes

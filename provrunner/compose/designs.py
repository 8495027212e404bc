"""The points of a design, from the axes that span its space."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from provrunner.compose.axes import Axis
from provrunner.compose.space import Space
from provrunner.errors import ConfigError
from provrunner.ids import canonical_json

__all__ = ["draw_trials", "ofat_trials"]

_DIGITS = 6
"""Significant digits of a number drawn from a range."""

_TRIES = 6
"""Times that more is drawn where points repeat; each time twice as much."""


def ofat_trials(axes: Mapping[str, Axis], defaults: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the point of all defaults, then those in which one factor has another level.

    Args:
        axes: with levels.
        defaults: of each axis.

    Raises:
        ConfigError: an axis has no default to hold the others against.
    """
    for name, axis in axes.items():
        if defaults.get(name) is None and None not in axis.levels:
            raise ConfigError(
                f"{axis.where}: {name!r} has no value outside the sweep; design ofat varies one "
                f"axis at a time around such values: give {name}=... in the file"
            )
    trials = [dict(defaults)]
    for name, axis in axes.items():
        trials += [{**defaults, name: one} for one in axis.levels if one != defaults[name]]
    return trials


def draw_trials(
    design: str, space: Space, count: int, *, seed: int, fixed: Sequence[Any] = ()
) -> list[dict[str, Any]]:
    """Return points drawn from ranges and levels, no two alike, after those that are fixed.

    The same seed gives the same points, and more of them begin with the fewer: a random or Sobol'
    design can be extended, a Latin hypercube cannot.

    Args:
        design: `random`, `sobol` or `lhs`.
        space: its ranges are drawn uniformly or uniformly in their logarithm, its levels all
            alike.
        count: points to draw.
        seed: of the draw.
        fixed: points that come first, by name of the axis.

    Raises:
        ConfigError: the axes have not so many points.
    """
    size = count
    for _ in range(_TRIES):
        points = [*fixed, *_placed(space, _unit(design, len(space.blocks), size, seed))]
        distinct = list({canonical_json(dict(point)): dict(point) for point in points}.values())
        if len(distinct) >= count + len(fixed):
            return distinct[: count + len(fixed)]
        if design == "lhs":
            break
        size *= 2
    where = next(iter(space.axes.values())).where
    raise ConfigError(
        f"{where}: design {design} finds {len(distinct) - len(fixed)} different points where "
        f"sweep.trials asks for {count}; ask for fewer, or take design grid"
    )


def _placed(space: Space, unit: npt.NDArray[np.float64]) -> Iterator[dict[str, Any]]:
    for row in unit.tolist():
        yield space.point(
            {
                name: _value(space.axes[name], u)
                for block, u in zip(space.blocks, row, strict=True)
                for name in block
            }
        )


def _unit(design: str, width: int, count: int, seed: int) -> npt.NDArray[np.float64]:
    """Return points of the unit cube, one a row."""
    if design == "random":
        return np.random.default_rng(seed).random((count, width))
    from scipy.stats import qmc  # it takes half a second to load

    rng = np.random.default_rng(seed)
    if design == "lhs":
        return np.asarray(qmc.LatinHypercube(width, seed=rng).random(count))
    powers = math.ceil(math.log2(count)) if count > 1 else 0
    return np.asarray(qmc.Sobol(width, seed=rng).random_base2(powers))[:count]


def _value(axis: Axis, unit: float) -> Any:
    if axis.span is None:
        return axis.levels[min(int(unit * len(axis.levels)), len(axis.levels) - 1)]
    low, high = axis.span
    is_whole = isinstance(low, int) and isinstance(high, int)
    # A whole number has the stretch from half below to half above it.
    ends = (low - 0.5, high + 0.5) if is_whole else (low, high)
    turned = [math.log(end) for end in ends] if axis.scale == "log" else list(ends)
    value = turned[0] + unit * (turned[1] - turned[0])
    value = math.exp(value) if axis.scale == "log" else value
    value = round(value) if is_whole else float(f"{value:.{_DIGITS}g}")
    return min(max(value, low), high)

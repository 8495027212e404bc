"""Where levels and values stand on a chart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import altair as alt

from provrunner.report.escape import visible
from provrunner.report.frame import Values
from provrunner.report.wording import value_text

__all__ = ["Axis", "axis_of", "choose_axis", "given_values", "value_scale"]

_LOG_RATIO = 100.0
_TICKS = 8


@dataclass(frozen=True, slots=True)
class Axis:
    """A hyperparameter's axis: numbers on a line, anything else side by side.

    Attributes:
        name: the hyperparameter.
        levels: its levels in order.
        scale: `linear`, `log` or `categorical`.
        domain: both ends of a line of numbers.
        marked: further numbers to name on it.
    """

    name: str
    levels: tuple[Any, ...]
    scale: str
    domain: tuple[float, float] = (0.0, 1.0)
    marked: tuple[float, ...] = ()

    @property
    def is_numeric(self) -> bool:
        """Whether levels are places on a line."""
        return self.scale != "categorical"

    def place(self, level: Any) -> float | str | None:
        """Give what stands in a chart's data for a level; None where the axis has no such place."""
        if not self.is_numeric:
            return value_text(level) if level in self.levels else None
        fits = _is_number(level) and (self.scale == "linear" or level > 0)
        return float(level) if fits else None

    def forward(self, level: float) -> float:
        """Return where a number lies on the line as it is drawn, in even steps."""
        return math.log10(level) if self.scale == "log" else float(level)

    def back(self, place: float) -> float:
        """Return the number that lies at such a place."""
        return 10.0**place if self.scale == "log" else place

    def middle(self, levels: Sequence[float]) -> float:
        """Return the place half way between the first and the last of some numbers."""
        return self.back((self.forward(levels[0]) + self.forward(levels[-1])) / 2)

    def x(self) -> alt.X:
        """Encode the field `x` of a chart's data."""
        scale, axis, order = self._looks()
        if order is not None:
            return alt.X("x:N", title=visible(self.name), sort=order, scale=scale, axis=axis)
        return alt.X("x:Q", title=visible(self.name), scale=scale, axis=axis)

    def y(self) -> alt.Y:
        """Encode the field `y` of a chart's data."""
        scale, axis, order = self._looks()
        if order is not None:
            return alt.Y("y:N", title=visible(self.name), sort=order, scale=scale, axis=axis)
        return alt.Y("y:Q", title=visible(self.name), scale=scale, axis=axis)

    def reaching(self, values: Sequence[Any]) -> Axis:
        """Widen a line of numbers to hold further values, with some room beyond them."""
        known = [place for place in map(self.place, values) if isinstance(place, float)]
        if not self.is_numeric or not known:
            return self
        low, high = (self.forward(end) for end in (min(known), max(known)))
        room = (high - low) * 0.08 or 0.5
        ends = (min(self.domain[0], self.back(low - room)), self.back(high + room))
        return Axis(self.name, self.levels, self.scale, (ends[0], max(self.domain[1], ends[1])))

    def _looks(self) -> tuple[alt.Scale, alt.Axis, list[str] | None]:
        if not self.is_numeric:
            order = [value_text(level) for level in self.levels]
            return alt.Scale(domain=order), alt.Axis(labelAngle=0), order
        scale = alt.Scale(type=_scale_type(self.scale), domain=list(self.domain), nice=False)
        named = [*(float(level) for level in self.levels), *self.marked]
        few = named if len(named) <= _TICKS else None
        if few is None:
            return scale, alt.Axis(format=".6~g", grid=False, labelSeparation=6), None
        return scale, alt.Axis(format=".6~g", grid=False, values=few, labelOverlap="greedy"), None

    def spans(self, chosen: Sequence[Any]) -> list[dict[str, Any]]:
        """Give the ground some levels cover: rows with `x`, for numbers `x2`, and `tip`."""
        tip = "as good as the best"
        if not self.is_numeric:
            return [
                {"x": value_text(level), "tip": tip} for level in self.levels if level in chosen
            ]
        edges = _edges([self.forward(level) for level in self.levels])
        return [
            {"x": self.back(edges[i]), "x2": self.back(edges[i + 1]), "tip": tip}
            for i, level in enumerate(self.levels)
            if level in chosen
        ]


def axis_of(summary: Mapping[str, Any], name: str, values: Values) -> Axis | None:
    """Choose the axis of a hyperparameter for all charts; None where it has no levels.

    Args:
        summary: the sensitivity summary as plain values.
        name: the hyperparameter.
        values: the values of each run by its number.
    """
    levels = [row for row in summary["marginals"] if row["parameter"] == name]
    found = [item for item in summary["parameters"] if item["name"] == name]
    if not levels or not found:
        return None
    return choose_axis(levels, found[0], given_values(summary, name, values))


def given_values(summary: Mapping[str, Any], name: str, values: Values) -> list[Any]:
    """Return a hyperparameter's value of each run, however it ended, and of each next point."""
    after = (summary.get("next_points") or {"points": []})["points"]
    return [given[name] for given in [*values.values(), *after] if name in given]


def choose_axis(
    levels: Sequence[Mapping[str, Any]], parameter: Mapping[str, Any], others: Iterable[Any] = ()
) -> Axis:
    """Choose a hyperparameter's axis by its levels and declared scale.

    Numbers get a log axis where that is declared. They get one too, as 0.001, 0.01, 0.1 do, where
    the levels and the default together are at least three numbers, all above 0, over a factor of
    100 or more, and stand more evenly by their logarithms. A number that is not above 0 has no
    place on a log axis: with one among the levels or the others the axis is linear.

    Args:
        levels: rows with `level` and `position`.
        parameter: with its `name`, `scale` and `default`.
        others: further values that charts show, such as those that all runs failed with.

    Example:
        >>> rows = [{"level": 0.01, "position": 0}, {"level": 0.1, "position": 1}]
        >>> axis = choose_axis(rows, {"name": "lr", "scale": "log", "default": None})
        >>> axis.scale, [round(end, 4) for end in axis.domain]
        ('log', [0.0032, 0.3162])
    """
    values = tuple(row["level"] for row in sorted(levels, key=lambda row: row["position"]))
    scale = parameter["scale"]
    if scale not in {"linear", "log"} or not all(map(_is_number, values)):
        return Axis(parameter["name"], values, "categorical")
    is_positive = all(value > 0 for value in [*values, *others] if _is_number(value))
    if scale == "log" and not is_positive:
        scale = "linear"
    elif is_positive and _is_even_in_logs([*values, parameter.get("default")]):
        scale = "log"
    axis = Axis(parameter["name"], tuple(sorted(values)), scale)
    default = axis.place(parameter.get("default"))
    shown = [*axis.levels, *([] if default is None else [default])]
    edges = _edges([axis.forward(value) for value in sorted(set(shown))])
    return Axis(axis.name, axis.levels, scale, (axis.back(edges[0]), axis.back(edges[-1])))


def value_scale(values: Sequence[float], direction: str) -> tuple[alt.Scale, float]:
    """Choose the scale of an objective, and its worse edge.

    It is logarithmic where positive values span a factor of 100.
    """
    finite = [value for value in values if value is not None and math.isfinite(value)] or [0.0]
    low, high = min(finite), max(finite)
    if low > 0 and high / low >= _LOG_RATIO:
        ends = (low / 1.3, high * 1.3)
        scale = alt.Scale(type="log", domain=list(ends), nice=False)
    else:
        room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
        ends = (low - room, high + room)
        scale = alt.Scale(domain=list(ends), nice=False, zero=False)
    return scale, ends[1] if direction == "minimize" else ends[0]


def _edges(places: Sequence[float]) -> list[float]:
    """Give the borders half way between places, and as far beyond both ends."""
    if len(places) == 1:
        return [places[0] - 0.5, places[0] + 0.5]
    middles = [(a + b) / 2 for a, b in pairwise(places)]
    return [2 * places[0] - middles[0], *middles, 2 * places[-1] - middles[-1]]


def _is_even_in_logs(values: Sequence[Any]) -> bool:
    """Say whether numbers over a factor of 100 stand more evenly by their logarithms."""
    places = sorted({float(value) for value in values if _is_number(value)})
    if len(places) < 3 or places[0] <= 0 or places[-1] / places[0] < _LOG_RATIO:
        return False
    linear, logs = (
        [b - a for a, b in pairwise(line)] for line in (places, [*map(math.log, places)])
    )
    if min(logs) <= 0:  # two levels are so close that their logarithms are equal
        return False
    return max(logs) / min(logs) < max(linear) / min(linear)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _scale_type(scale: str) -> Any:
    return "log" if scale == "log" else "linear"

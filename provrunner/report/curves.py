"""Learning curves: how the objective's metric moves while runs train."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pyarrow as pa
import pyarrow.compute as pc

from provrunner.report.axes import value_scale
from provrunner.report.escape import visible
from provrunner.report.frame import WIDE, Drawing, Values, chart_of, title
from provrunner.report.numbers import count, number
from provrunner.report.theme import ramp
from provrunner.report.wording import value_text

__all__ = ["curve_rows", "learning_curves"]

_ROWS = 5000
_GROUPS = 8
_BINS = 5


def learning_curves(
    epochs: pa.Table, values: Values, *, metric: str, parameter: str | None, width: int = WIDE
) -> Drawing | None:
    """Draw median and quartiles of a metric by epoch, one curve a level of a hyperparameter.

    Args:
        epochs: the table `epochs` with a column named as the metric.
        values: the values of each run by its number.
        metric: what to draw.
        parameter: the hyperparameter whose levels are told apart; None draws all runs as one.
        width: of the plot in pixels.

    Returns:
        The chart, or None where no run has two epochs of the metric.
    """
    rows = curve_rows(epochs, values, metric=metric, parameter=parameter)
    if len({row["epoch"] for row in rows}) < 2:
        return None
    levels = list(dict.fromkeys(row["level"] for row in rows))
    scale, _ = value_scale([row[key] for row in rows for key in ("low", "high")], "minimize")
    colour = alt.Color("level:N", title=visible(parameter or "all runs"), sort=levels).scale(
        domain=levels, range=ramp(len(levels))
    )
    base = chart_of(rows).encode(
        x=alt.X("epoch:Q", title="epoch").axis(tickMinStep=1, format=".6~g", grid=False),
        color=colour.legend(
            orient="bottom", columns=5 if width == WIDE else 3, symbolType="square", symbolOpacity=1
        ),
    )
    fan = base.mark_area(opacity=0.16).encode(y=alt.Y("low:Q").scale(scale), y2=alt.Y2("high:Q"))
    middle = alt.Y("value:Q", title=visible(metric)).scale(scale)
    lines = base.mark_line(strokeWidth=2).encode(y=middle)
    dots = base.mark_point(filled=True, size=18).encode(
        y=middle, description=alt.Description("tip:N")
    )
    total = len(set(epochs["run"].to_pylist()))
    by = f" by {visible(parameter)}" if parameter else ""
    subtitle = f"n = {count(total, 'run')} with all seeds. Median and quartiles{by}."
    return alt.layer(fan, lines, dots).properties(
        width=width,
        height=260,
        title=title(f"{metric} by epoch", [subtitle], width=width),
    )


def curve_rows(
    epochs: pa.Table, values: Values, *, metric: str, parameter: str | None
) -> list[dict[str, Any]]:
    """Aggregate a metric by level and epoch: rows with level, epoch, n, low, value, high, tip.

    At most 5,000 rows; epochs are left out evenly where there are more. NaN and infinities are too.
    """
    if metric not in epochs.column_names or epochs.num_rows == 0:
        return []
    labels = _labels(values, parameter)
    kept = _thinned(epochs, len(set(labels.values())))
    cells: dict[tuple[str, int], list[float]] = {}
    columns = (kept[key].to_pylist() for key in ("run", "epoch", metric))
    for run, epoch, value in zip(*columns, strict=True):
        if run in labels and epoch is not None and value is not None and math.isfinite(value):
            cells.setdefault((labels[run], epoch), []).append(value)
    order = {label: position for position, label in enumerate(dict.fromkeys(labels.values()))}
    keys = sorted(cells, key=lambda key: (order[key[0]], key[1]))
    return [_row(level, epoch, cells[level, epoch]) for level, epoch in keys]


def _row(level: str, epoch: int, values: Sequence[float]) -> dict[str, Any]:
    many = values if len(values) > 1 else [*values, *values]
    low, middle, high = statistics.quantiles(many, n=4, method="inclusive")
    tip = f"{level}, epoch {epoch}: {number(middle)}, {count(len(values), 'run')}"
    return {
        "level": level, "epoch": epoch, "n": len(values), "low": low, "value": middle,
        "high": high, "tip": tip,
    }  # fmt: skip


def _thinned(epochs: pa.Table, levels: int) -> pa.Table:
    first = epochs.filter(pc.equal(epochs["rank"], 0)) if "rank" in epochs.column_names else epochs
    known = sorted(set(first["epoch"].drop_null().to_pylist()))
    room = max(_ROWS // max(levels, 1), 2)
    if len(known) <= room:
        return first
    chosen = {known[round(i * (len(known) - 1) / (room - 1))] for i in range(room)}
    return first.filter(pc.is_in(first["epoch"], pa.array(sorted(chosen), pa.int32())))


def _labels(values: Values, parameter: str | None) -> Mapping[int, str]:
    """Give each run the level it is drawn with, the levels in order."""
    if parameter is None:
        return dict.fromkeys(values, "all runs")
    paired = sorted(
        ((given.get(parameter), run) for run, given in values.items()),
        key=lambda pair: (_rank(pair[0]), pair[1]),
    )
    levels = list(dict.fromkeys(value_text(value) for value, _ in paired))
    if len(levels) <= _GROUPS:
        return {run: value_text(value) for value, run in paired}
    if all(_rank(value)[0] == 0 for value, _ in paired):
        return _bins([(_rank(value)[1], run) for value, run in paired])
    named = set(levels[: _GROUPS - 1])
    texts = ((value_text(value), run) for value, run in paired)
    return {run: text if text in named else "others" for text, run in texts}


def _bins(paired: Sequence[tuple[float, int]]) -> dict[int, str]:
    """Label each run by one of five ranges that hold about equally many levels."""
    levels = sorted({value for value, _ in paired})
    bins: dict[int, list[float]] = {}
    for i, level in enumerate(levels):
        bins.setdefault(i * _BINS // len(levels), []).append(level)
    named = {
        level: f"{number(members[0], 2)} to {number(members[-1], 2)}"
        for members in bins.values()
        for level in members
    }
    return {run: named[value] for value, run in paired}


def _rank(value: object) -> tuple[int, float, str]:
    """Sort numbers by size, before everything else by its text."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return 0, float(value), ""
    return 1, 0.0, value_text(value)

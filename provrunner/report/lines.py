"""Every run as a line through its hyperparameters to its objective: parallel coordinates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pyarrow as pa

from provrunner.report.axes import Axis, axis_of, value_scale
from provrunner.report.escape import visible
from provrunner.report.frame import WIDE, Drawing, Values, chart_of, size_text, thinned, title
from provrunner.report.numbers import number
from provrunner.report.theme import RAMP, VERMILION
from provrunner.report.wording import short_names, value_text

__all__ = ["run_lines"]

_LINES = 500
_AXES = 7
_FEW = 6
_GAP = 6
_ENDED = frozenset({"finished", "failed", "diverged", "pruned", "interrupted", "lost"})


def run_lines(
    summary: Mapping[str, Any],
    names: Sequence[str],
    runs: pa.Table,
    values: Values,
    width: int = WIDE,
) -> Drawing | None:
    """Draw at most 500 runs as lines, the best ones darkest; None with fewer than two axes.

    Args:
        summary: the sensitivity summary as plain values.
        names: hyperparameters from left to right, of which the first seven are drawn.
        runs: the table `runs`.
        values: the values of each run by its number.
        width: of the plot in pixels.
    """
    known = (axis_of(summary, name, values) for name in names)
    axes = [axis for axis in known if axis is not None][:_AXES]
    every = [row for row in _runs(runs) if row["run"] in values]
    found = thinned(every, _LINES)
    if len(axes) < 2 or len(found) < 2:
        return None
    objective = _Objective([row["value"] for row in found], summary["sweep"])
    rows = [point for row in found for point in _points(row, values[row["run"]], axes, objective)]
    short = short_names(axis.name for axis in axes)
    columns = [visible(short[axis.name]) for axis in axes] + [visible(summary["sweep"]["metric"])]
    x = alt.X("column:O", title=None, sort=list(range(len(columns))))
    x = x.axis(None).scale(padding=0.25)
    y = alt.Y("height:Q", title=None).scale(domain=[-0.04, 1.04], nice=False).axis(None)
    lines = [
        chart_of([row for row in rows if row["whole"] is whole])
        .mark_line(strokeWidth=1.3, opacity=0.75, strokeDash=[1, 0] if whole else [4, 3])
        .encode(x=x, y=y, color=alt.Color("fill:N", scale=None), detail=alt.Detail("run:N"),
                description=alt.Description("tip:N"))
        for whole in (False, True)
        if any(row["whole"] is whole for row in rows)
    ]  # fmt: skip
    some = "" if len(found) == len(every) else f" Lines: {len(found)} of {len(every)} runs."
    text = f"{size_text(summary)}. A line is a run, dark: good; dashed: did not finish.{some}"
    return alt.layer(*lines, *_furniture(axes, columns, objective, x, y, width=width)).properties(
        width=width,
        height=230,
        title=title("Every run", [text], width=width),
    )


class _Objective:
    """The last axis: the better, the higher."""

    def __init__(self, values: Sequence[float | None], sweep: Mapping[str, Any]) -> None:
        known = [value for value in values if value is not None] or [0.0]
        self.is_log = value_scale(known, "minimize")[0].to_dict().get("type") == "log"
        self.worst, self.best = max(known), min(known)
        if sweep["direction"] != "minimize":
            self.worst, self.best = self.best, self.worst

    def height(self, value: float) -> float:
        low, high, at = (
            math.log(part) if self.is_log else part for part in (self.worst, self.best, value)
        )
        return (at - low) / (high - low) if high != low else 0.5


def _runs(runs: pa.Table) -> list[dict[str, Any]]:
    columns = (runs[key].to_pylist() for key in ("run", "status", "objective"))
    return [
        {
            "run": run,
            "status": status,
            "value": value
            if status == "finished" and value is not None and math.isfinite(value)
            else None,
        }
        for run, status, value in zip(*columns, strict=True)
        if status in _ENDED
    ]


def _points(
    row: Mapping[str, Any], given: Mapping[str, Any], axes: Sequence[Axis], objective: _Objective
) -> list[dict[str, Any]]:
    value = row["value"]
    heights = [_height(axis, given.get(axis.name)) for axis in axes]
    heights.append(None if value is None else objective.height(value))
    fill = VERMILION if value is None else _shade(heights[-1] or 0.0)
    tip = f"run {row['run']}: {visible(row['status']) if value is None else number(value)}"
    line = {"run": row["run"], "fill": fill, "whole": value is not None, "tip": tip}
    return [
        {**line, "column": column, "height": height}
        for column, height in enumerate(heights)
        if height is not None
    ]


def _shade(height: float) -> str:
    """Give good runs the dark end of the ramp."""
    return RAMP[round((1 - min(max(height, 0.0), 1.0)) * (len(RAMP) - 1))]


def _height(axis: Axis, value: Any) -> float | None:
    place = axis.place(value)
    if place is None:
        return None
    if isinstance(place, str):
        order = [value_text(level) for level in axis.levels]
        return (order.index(place) + 0.5) / len(order)
    low, high, at = (
        math.log(part) if axis.scale == "log" else part for part in (*axis.domain, place)
    )
    return (at - low) / (high - low)


def _furniture(
    axes: Sequence[Axis], columns: Sequence[str], objective: _Objective, x: alt.X, y: alt.Y,
    *, width: int,
) -> list[alt.Chart]:  # fmt: skip
    """Draw the axes, the names above them as far as they have room, and values beside them."""
    posts = [{"column": column, "height": 0, "top": 1} for column in range(len(columns))]
    heads = [{"column": column, "text": name} for column, name in enumerate(columns)]
    marks = [
        {"column": column, "height": height, "text": value_text(level)}
        for column, axis in enumerate(axes)
        for level in _marked(axis)
        if (height := _height(axis, level)) is not None
    ]
    marks += [
        {"column": len(axes), "height": height, "text": number(value)}
        for height, value in ((1.0, objective.best), (0.0, objective.worst))
    ]
    return [
        chart_of(posts).mark_rule(strokeWidth=1.2, opacity=0.6).encode(
            x=x, y=y, y2=alt.Y2("top:Q"), color=alt.ColorValue("currentColor")
        ),
        chart_of(heads).mark_text(
            dy=-9, baseline="bottom", fontWeight="bold", limit=width / len(columns) - _GAP
        ).encode(
            x=x, y=alt.value(0), text=alt.Text("text:N")
        ),
        *(
            chart_of([mark for mark in marks if (mark["column"] == 0) is is_first])
            .mark_text(align="right" if is_first else "left", dx=-5 if is_first else 5, fontSize=11)
            .encode(x=x, y=y, text=alt.Text("text:N"))
            for is_first in (True, False)
        ),
    ]  # fmt: skip


def _marked(axis: Axis) -> list[Any]:
    levels = list(axis.levels)
    return levels if len(levels) <= _FEW else [levels[0], levels[len(levels) // 2], levels[-1]]

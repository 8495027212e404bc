"""Curves of means over the levels of one hyperparameter."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import altair as alt
import pyarrow as pa

from provrunner.report.axes import Axis, axis_of, value_scale
from provrunner.report.escape import visible
from provrunner.report.frame import (
    NARROW,
    Drawing,
    Values,
    chart_of,
    run_dots,
    size_text,
    thinned,
    title,
)
from provrunner.report.numbers import count, number
from provrunner.report.theme import BLUE, GREEN, GREY, VERMILION
from provrunner.report.wording import direction_text, value_text

__all__ = ["marginal"]

_HEIGHT = 200
_SURE_RUNS = 3
_DOTS = 150


def marginal(
    summary: Mapping[str, Any], name: str, runs: pa.Table, values: Values
) -> Drawing | None:
    """Draw a hyperparameter's curve of means over the runs it is made of; None without levels.

    Args:
        summary: the sensitivity summary as plain values.
        name: a hyperparameter.
        runs: the table `runs`.
        values: the values of each run by its number.
    """
    levels = [row for row in summary["marginals"] if row["parameter"] == name]
    found = [item for item in summary["parameters"] if item["name"] == name]
    axis = axis_of(summary, name, values)
    if axis is None:
        return None
    points = _run_points(runs, values, name, axis)
    axis = _holding(axis, points)
    seen = [row for row in points if row["value"] is not None]
    dots = thinned(seen, _DOTS)
    crosses = thinned([row for row in points if row["value"] is None], _DOTS)
    scale, edge = value_scale(
        [*(row["value"] for row in seen), *_limits(levels)], summary["sweep"]["direction"]
    )
    y = alt.Y("value:Q", title=visible(summary["sweep"]["metric"])).scale(scale)
    layers = [
        *_as_good(levels, axis),
        *_default(levels, found[0], axis),
        run_dots(dots).encode(x=axis.x(), y=y),
        *_ended_early(crosses, axis, edge, y),
        *_means(levels, axis, y, scale),
    ]
    verdict = found[0].get("verdict") or visible(name)
    some = f" Dots: {len(dots)} of {len(seen)} runs." if len(dots) < len(seen) else ""
    lines = [f"{size_text(summary)}; {direction_text(summary['sweep']['direction'])}.{some}"]
    return alt.layer(*layers).properties(
        width=NARROW, height=_HEIGHT, title=title(verdict, lines, width=NARROW)
    )


def _holding(axis: Axis, points: Sequence[Mapping[str, Any]]) -> Axis:
    """Widen a line of numbers to the runs at levels that no run finished with."""
    if not axis.is_numeric:
        return axis
    low, high = axis.domain
    beyond = sorted({row["x"] for row in points if not low <= row["x"] <= high})
    return replace(axis.reaching(beyond), marked=tuple(beyond))


def _run_points(runs: pa.Table, values: Values, name: str, axis: Axis) -> list[dict[str, Any]]:
    """Give the runs that ended: rows with their place, objective (None when unusable) and tip."""
    columns = (runs[key].to_pylist() for key in ("run", "status", "objective"))
    rows = []
    for run, status, value in zip(*columns, strict=True):
        place = axis.place(values[run].get(name)) if run in values else None
        if place is None or status in {"planned", "running"}:
            continue
        known = status == "finished" and value is not None and math.isfinite(value)
        tip = f"run {run}: {number(value) if known else visible(status)}"
        rows.append({"x": place, "value": value if known else None, "tip": tip})
    return rows


def _ended_early(
    points: Iterable[Mapping[str, Any]], axis: Axis, edge: float, y: alt.Y
) -> list[alt.Chart]:
    """Mark the runs without an objective as crosses at the worse edge."""
    rows = [{**row, "value": edge} for row in points]
    crosses = chart_of(rows).mark_point(
        shape="cross", angle=45, filled=True, size=70, color=VERMILION
    )
    return [crosses.encode(x=axis.x(), y=y, description=alt.Description("tip:N"))] if rows else []


def _means(
    levels: Sequence[Mapping[str, Any]], axis: Axis, y: alt.Y, scale: alt.Scale
) -> list[alt.Chart]:
    rows = [
        {
            "x": axis.place(row["level"]),
            "value": row["mean"],
            "low": row["low"],
            "high": row["high"],
            "fill": BLUE if row["n"] >= _SURE_RUNS else GREY,
            "tip": f"{value_text(row['level'])}: mean {number(row['mean'])} "
            f"({number(row['low'])} to {number(row['high'])}), {count(row['n'], 'run')}",
        }
        for row in levels
        if row["mean"] is not None
    ]
    base = chart_of(rows).encode(x=axis.x())
    sure = chart_of([row for row in rows if row["low"] is not None])
    limits = sure.encode(x=axis.x(), y=alt.Y("low:Q").scale(scale), y2=alt.Y2("high:Q"))
    spread = (
        limits.mark_area(opacity=0.18, color=BLUE)
        if axis.is_numeric
        else limits.mark_rule(strokeWidth=2, color=BLUE)
    )
    line = [base.mark_line(color=BLUE, strokeWidth=2).encode(y=y)] if axis.is_numeric else []
    dots = base.mark_point(filled=True, size=80, opacity=1).encode(
        y=y, color=alt.Color("fill:N", scale=None), description=alt.Description("tip:N")
    )
    return [spread, *line, dots]


def _as_good(levels: Sequence[Mapping[str, Any]], axis: Axis) -> list[alt.Chart]:
    rows = axis.spans([row["level"] for row in levels if row["as_good"]])
    shade = chart_of(rows).mark_rect(opacity=0.14, color=GREEN)
    ends = {"x2": alt.X2("x2:Q")} if axis.is_numeric else {}
    top_to_bottom = {"y": alt.value(0), "y2": alt.value(_HEIGHT)}
    encoded = shade.encode(
        x=axis.x(), description=alt.Description("tip:N"), **ends, **top_to_bottom
    )
    return [encoded] if rows else []


def _default(
    levels: Sequence[Mapping[str, Any]], parameter: Mapping[str, Any], axis: Axis
) -> list[alt.Chart]:
    marked = [row["level"] for row in levels if row["is_default"]]
    value = marked[0] if marked else parameter.get("default")
    place = axis.place(value)
    if place is None or (value is None and not marked):
        return []
    base = chart_of([{"x": place, "text": "default"}]).encode(x=axis.x())
    ink = alt.ColorValue("currentColor")
    return [
        base.mark_rule(strokeDash=[4, 3], opacity=0.6).encode(color=ink),
        base.mark_text(align="left", dx=4, dy=4, baseline="top", fontSize=11).encode(
            y=alt.value(0), text=alt.Text("text:N")
        ),
    ]


def _limits(levels: Iterable[Mapping[str, Any]]) -> list[float]:
    return [row[key] for row in levels for key in ("mean", "low", "high") if row[key] is not None]

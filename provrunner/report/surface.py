"""The fitted surface over two ranges, drawn as bands of equal height."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import pyarrow as pa

from provrunner.report.axes import Axis, axis_of
from provrunner.report.escape import visible
from provrunner.report.frame import NARROW, Drawing, Values, chart_of, size_text, thinned, title
from provrunner.report.numbers import number
from provrunner.report.theme import RAMP
from provrunner.report.wording import short_names

__all__ = ["surface"]

_LEAST_R2 = 0.3
"""A surface that predicts less of unseen runs is not worth looking at."""

_STEPS = 36
_DOTS = 300
_PALEST = 0.25


def surface(
    summary: Mapping[str, Any], a: str, b: str, runs: pa.Table, values: Values
) -> Drawing | None:
    """Draw the fitted mean over two ranges, with the runs, paler where it is uncertain.

    Between the pairs of values of the summary it is interpolated by cubic splines.

    Args:
        summary: the sensitivity summary as plain values.
        a: a hyperparameter.
        b: another one.
        runs: the table `runs`.
        values: the values of each run by its number.

    Returns:
        None where no surface was fitted to the two, or it predicts less than 0.3 of the variance
        of unseen runs.
    """
    cells = [row for row in summary["interactions"] if (row["a"], row["b"]) == (a, b)]
    known = [row for row in cells if row.get("surface") is not None]
    x, y = (axis_of(summary, name, values) for name in (a, b))
    r2 = (summary.get("trust") or {}).get("press_r2")
    if not known or x is None or y is None or r2 is None or r2 < _LEAST_R2:
        return None
    if not x.is_numeric or not y.is_numeric:
        return None
    rows = _bands(known, x, y, summary["sweep"]["direction"])
    x, y = _within(x), _within(y)
    seen = _seen(x, y, runs, values)
    names = short_names(item["name"] for item in summary["parameters"])
    pair = f"{visible(names.get(a, a))} × {visible(names.get(b, b))}"
    shown = min(len(seen), _DOTS)
    line = (
        f"{size_text(summary)}. The surface predicts {number(r2, 2)} of the variance of unseen "
        "runs; others are averaged. Pale: uncertain; dots: "
        f"{'runs' if shown == len(seen) else f'{shown} of {len(seen)} runs'}."
    )
    return alt.layer(
        _field(rows, x, y, visible(summary["sweep"]["metric"])),
        _dots(thinned(seen, _DOTS), x, y),
    ).properties(
        width=NARROW,
        height=NARROW * 3 // 4,
        title=title(f"Fitted: {pair}", [line], width=NARROW),
    )


def _field(rows: Sequence[Mapping[str, Any]], x: Axis, y: Axis, metric: str) -> alt.Chart:
    """Draw the bands, with a legend from the best to the worst."""
    ranked = sorted(rows, key=lambda row: (row["rank"], row["opacity"]))
    colours = {row["band"]: row["colour"] for row in ranked}
    shades = alt.Scale(domain=list(colours), range=list(colours.values()))
    legend = alt.Legend(orient="bottom", columns=4, symbolType="square", symbolOpacity=1)
    # the rim hides hairs of paper between neighbours, which the legend alone tells of
    field: alt.Chart = (
        chart_of(ranked)
        .mark_rect(strokeWidth=0.6, aria=False)
        .encode(
            x=x.x(),
            x2=alt.X2("x2:Q"),
            y=y.y(),
            y2=alt.Y2("y2:Q"),
            color=alt.Color(
                "band:N", scale=shades, sort=list(colours), title=f"mean {metric}", legend=legend
            ),
            stroke=alt.Stroke("band:N", scale=shades, legend=None),
            opacity=alt.Opacity("opacity:Q", scale=None),
        )
    )
    return field


def _dots(seen: Sequence[Mapping[str, Any]], x: Axis, y: Axis) -> alt.Chart:
    dots = chart_of(seen).mark_point(
        filled=True, size=22, opacity=1, color="#fff", stroke="#111", strokeWidth=1
    )
    marks: alt.Chart = dots.encode(x=x.x(), y=y.y(), description=alt.Description("tip:N"))
    return marks


def _seen(x: Axis, y: Axis, runs: pa.Table, values: Values) -> list[dict[str, Any]]:
    """Give the runs with an objective: rows with their place and tip."""
    rows = []
    for run, value in zip(runs["run"].to_pylist(), runs["objective"].to_pylist(), strict=True):
        given = values.get(run, {})
        place = x.place(given.get(x.name)), y.place(given.get(y.name))
        if value is not None and math.isfinite(value) and None not in place:
            rows.append({"x": place[0], "y": place[1], "tip": f"run {run}: {number(value)}"})
    return rows


def _bands(
    cells: Sequence[Mapping[str, Any]], x: Axis, y: Axis, direction: str
) -> list[dict[str, Any]]:
    """Give rows of rectangles with their band, neighbours of one look in a row joined."""
    edges_x, means = _refined(cells, x, y, "surface")
    edges_y, widths = _refined(cells, x, y, "half_width", swapped=True)
    low, high = float(means.min()), float(means.max())
    reach = (high - low) or 1.0
    names = _told_apart([low + (i + 0.5) / len(RAMP) * reach for i in range(len(RAMP))])
    band = np.minimum(((means - low) / reach * len(RAMP)).astype(int), len(RAMP) - 1)
    sure = 1 - np.clip(widths / reach, 0, 1) * (1 - _PALEST)
    rows: list[dict[str, Any]] = []
    for j in range(_STEPS):
        for i in range(_STEPS):
            look = int(band[i, j]), round(float(sure[i, j]), 1)
            last = rows[-1] if i else None
            if last is not None and last["look"] == look:
                last["x2"] = edges_x[i + 1]
                continue
            rows.append(
                {
                    "look": look,
                    "x": edges_x[i],
                    "x2": edges_x[i + 1],
                    "y": edges_y[j],
                    "y2": edges_y[j + 1],
                    "rank": look[0] if direction == "minimize" else -look[0],
                    "band": names[look[0]],
                    "colour": RAMP[look[0] if direction == "minimize" else -1 - look[0]],
                    "opacity": look[1],
                }
            )
    return [{key: value for key, value in row.items() if key != "look"} for row in rows]


def _told_apart(values: Sequence[float]) -> list[str]:
    """Write figures with as few digits as make each another where it is one; two at least."""
    written = [[number(value, digits) for value in values] for digits in range(2, 18)]
    return next((names for names in written if len({*names}) == len(names)), written[-1])


def _refined(
    cells: Sequence[Mapping[str, Any]], x: Axis, y: Axis, key: str, *, swapped: bool = False
) -> tuple[list[float], np.ndarray[Any, np.dtype[np.float64]]]:
    """Return edges of even steps along one axis, and a column of the cells between all edges."""
    from scipy.interpolate import RectBivariateSpline

    known = {(row["level_a"], row["level_b"]): float(row[key]) for row in cells}
    table = np.array([[known[a, b] for b in y.levels] for a in x.levels])
    places = [np.array([axis.forward(level) for level in axis.levels]) for axis in (x, y)]
    orders = [min(3, own.size - 1) for own in places]
    spline = RectBivariateSpline(*places, table, kx=orders[0], ky=orders[1])
    edges = [np.linspace(own[0], own[-1], _STEPS + 1) for own in places]
    middles = [(own[1:] + own[:-1]) / 2 for own in edges]
    axis, own = (y, edges[1]) if swapped else (x, edges[0])
    return [axis.back(float(place)) for place in own], np.asarray(spline(*middles))


def _within(axis: Axis) -> Axis:
    """Return the axis from its first level to its last, with nothing beyond."""
    return Axis(axis.name, axis.levels, axis.scale, (axis.levels[0], axis.levels[-1]))

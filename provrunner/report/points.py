"""Charts of where a sweep went: the design, failures, cost, and each run's line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pyarrow as pa

from provrunner.report.axes import Axis, axis_of, choose_axis, given_values, value_scale
from provrunner.report.escape import visible
from provrunner.report.frame import (
    NARROW,
    WIDE,
    Drawing,
    Values,
    chart_of,
    listed,
    size_text,
    thinned,
    title,
)
from provrunner.report.numbers import count, duration, number, p_value
from provrunner.report.theme import BLUE, GREEN, VERMILION
from provrunner.report.wording import direction_text, value_text, values_text

__all__ = ["design_map", "failure_rate", "quality_cost"]

_UNDONE = frozenset({"planned", "running"})
_MOST_DOTS = 400
_TURNED = 5
_TOLD_VALUES = 4


def design_map(
    summary: Mapping[str, Any],
    names: Sequence[str],
    runs: pa.Table,
    values: Values,
    width: int = WIDE,
) -> Drawing | None:
    """Draw how many runs there are of each pair of values, and where to run next; None without.

    Args:
        summary: the sensitivity summary as plain values.
        names: hyperparameters, of which the first two make the axes.
        runs: the table `runs`.
        values: the values of each run by its number.
        width: of the plot in pixels.
    """
    found = (axis_of(summary, name, values) for name in names)
    axes = [axis for axis in found if axis is not None][:2]
    if len(axes) < 2:
        return None
    after = (summary.get("next_points") or {"points": []})["points"]
    x, y = (axis.reaching(given_values(summary, axis.name, values)) for axis in axes)
    dots, failed = _map_rows(x, y, runs, values)
    marked = _next_rows(x, y, after)
    if not dots and not failed:
        return None
    sized = alt.Size("n:Q", legend=None).scale(domain=[1, 20], range=[50, 420], clamp=True)
    layers = [
        chart_of(thinned(dots, _MOST_DOTS))
        .mark_point(filled=True, opacity=0.55, color=BLUE)
        .encode(x=x.x(), y=y.y(), size=sized, description=alt.Description("tip:N"))
    ]
    if len(dots) <= 60:
        layers.append(_texts(dots, x, y, dx=8))
    if failed:
        crosses = chart_of(thinned(failed, _MOST_DOTS)).mark_point(
            shape="cross", angle=45, filled=True, size=70, color=VERMILION
        )
        layers.append(crosses.encode(x=x.x(), y=y.y(), description=alt.Description("tip:N")))
    if marked:
        diamonds = chart_of(marked).mark_point(
            shape="diamond", size=130, strokeWidth=2, color=GREEN, opacity=1
        )
        layers.append(diamonds.encode(x=x.x(), y=y.y(), description=alt.Description("tip:N")))
        layers.append(_texts(marked, x, y, dx=11))
    words = ["figures: runs there" if len(dots) <= 60 else "one dot a pair of values"]
    words += [f"{_MOST_DOTS} of {len(dots)} shown"] if len(dots) > _MOST_DOTS else []
    words += ["crosses: runs that did not finish"] if failed else []
    words += ["green: worth running next, best first"] if marked else []
    line = f"{size_text(summary)}; {'; '.join(words)}."
    return alt.layer(*layers).properties(
        width=width,
        height=240,
        title=title(f"Where the runs are: {x.name} × {y.name}", [line], width=width),
    )


def failure_rate(summary: Mapping[str, Any], name: str, width: int = NARROW) -> Drawing | None:
    """Draw how often runs fail by the values of a hyperparameter, with Wilson's intervals.

    Numbers lie on a line, with the logistic curve where there were enough failures to fit one.
    """
    told = summary.get("failure_rates") or {"parameters": []}
    found = next((item for item in told["parameters"] if item["name"] == name), None)
    rows = [] if found is None else [_rate_row(rate) for rate in found["rates"] if rate["runs"]]
    if found is None or not rows:
        return None
    axis = _curve_axis(found)
    if axis is None:
        order = [row["level"] for row in rows]
        turned = -40 if len(order) > _TURNED or max(map(len, order)) > 9 else 0
        x = alt.X("level:N", sort=order, title=visible(name)).axis(labelAngle=turned)
    else:
        rows = [{**row, "x": axis.middle(row["places"])} for row in rows]
        x = axis.x()
    y = alt.Y("rate:Q", title="runs that failed").scale(domain=[0, 1]).axis(format=".0%")
    base = chart_of(rows).encode(x=x)
    limits = base.mark_rule(strokeWidth=2, color=VERMILION).encode(
        y=alt.Y("low:Q").scale(domain=[0, 1]), y2=alt.Y2("high:Q")
    )
    dots = base.mark_point(filled=True, size=80, opacity=1, color=VERMILION).encode(
        y=y, description=alt.Description("tip:N")
    )
    text, above = alt.Text("text:N"), alt.Y("high:Q").scale(domain=[0, 1])
    figures = (
        base.mark_text(align="left", dx=7, fontSize=11).encode(y=y, text=text)
        if axis is None
        else base.mark_text(dy=-11, fontSize=11).encode(y=above, text=text)
    )
    p = p_value(found)
    tested = f"p (Holm) {p}" if p else "not tested: too few of one kind"
    ended = told["failures"] + told["successes"]
    line = f"n = {count(ended, 'ended run')}; 95 % intervals; {tested}."
    curve = []
    if axis is not None:
        points = [{"x": point["value"], "rate": point["rate"]} for point in found["curve"]]
        smooth = chart_of(points).mark_line(color=VERMILION, strokeWidth=1.5, opacity=0.7)
        curve = [smooth.encode(x=x, y=y)]
        line += f" Line: logistic regression on {visible(name)} alone."
    return alt.layer(*curve, limits, dots, figures).properties(
        width=width,
        height=160,
        title=title(_failure_title(name, found), [line], width=width),
    )


def quality_cost(summary: Mapping[str, Any], runs: pa.Table, width: int = WIDE) -> Drawing | None:
    """Draw each trial's mean time and objective, and those that no other beats in both."""
    cost = summary.get("cost")
    if not cost:
        return None
    front = {row["trial_id"]: row for row in cost["front"]}
    times_of = dict(zip(runs["run"].to_pylist(), runs["duration_s"].to_pylist(), strict=True))
    rows = [row for trial in summary["trials"] if (row := _cost_row(trial, times_of, front))]
    best = sorted((row for row in rows if row["front"]), key=lambda row: float(row["seconds"]))
    if len(rows) < 2:
        return None
    times, _ = value_scale([row["seconds"] for row in rows], "minimize")
    objectives, _ = value_scale([row["value"] for row in rows], "minimize")
    sweep = summary["sweep"]
    x = alt.X("seconds:Q", title="seconds a run").scale(times).axis(format=".6~g", grid=False)
    y = alt.Y("value:Q", title=visible(sweep["metric"])).scale(objectives)
    rest = [row for row in rows if not row["front"]]
    shown = thinned(rest, _MOST_DOTS)
    dots = chart_of(shown)
    kept = chart_of(best)
    layers = [
        dots.mark_point(filled=True, size=60, opacity=0.5, color=BLUE).encode(
            x=x, y=y, description=alt.Description("tip:N")
        ),
        kept.mark_line(color=GREEN, interpolate="step-after", strokeWidth=1.5).encode(x=x, y=y),
        kept.mark_point(filled=True, size=90, opacity=1, color=GREEN).encode(
            x=x, y=y, description=alt.Description("tip:N")
        ),
    ]
    lines = [
        f"n = {count(len(rows), 'trial')}, means over their runs; "
        f"{direction_text(sweep['direction'])}. Green: no other is better in both."
        + (f" Blue: {len(shown)} of the {len(rest)} others." if len(shown) < len(rest) else "")
    ]
    return alt.layer(*layers).properties(
        width=width, height=240, title=title(cost["text"], lines, width=width)
    )


def _map_rows(
    x: Axis, y: Axis, runs: pa.Table, values: Values
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Give a row for each pair of values with runs, and one for each with runs that failed."""
    done: dict[tuple[Any, Any], list[int]] = {}
    failed: dict[tuple[Any, Any], list[int]] = {}
    for run, status in zip(runs["run"].to_pylist(), runs["status"].to_pylist(), strict=True):
        given = values.get(run, {})
        place = x.place(given.get(x.name)), y.place(given.get(y.name))
        if None not in place and status not in _UNDONE:
            (done if status == "finished" else failed).setdefault(place, []).append(run)
    return _counted(done, "finished here"), _counted(failed, "did not finish here")


def _counted(places: Mapping[tuple[Any, Any], Sequence[int]], word: str) -> list[dict[str, Any]]:
    """Give rows of places and how many runs are there, the fullest first."""
    ordered = sorted(places.items(), key=lambda item: (-len(item[1]), str(item[0])))
    return [
        {
            "x": a,
            "y": b,
            "n": len(runs),
            "text": str(len(runs)),
            "tip": f"run {runs[0]} {word}"
            if len(runs) == 1
            else f"{len(runs)} runs {word}: {listed(runs)}",
        }
        for (a, b), runs in ordered
    ]


def _next_rows(x: Axis, y: Axis, points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    rows: dict[tuple[Any, Any], dict[str, Any]] = {}
    for number_, point in enumerate(points, start=1):
        place = x.place(point.get(x.name)), y.place(point.get(y.name))
        if None in place:
            continue
        row = rows.setdefault(place, {"x": place[0], "y": place[1], "text": "", "tip": ""})
        row["text"] = ", ".join(filter(None, [row["text"], str(number_)]))
        row["tip"] = "; ".join(filter(None, [row["tip"], f"{number_}: {values_text(point)}"]))
    return list(rows.values())


def _texts(rows: Sequence[Mapping[str, Any]], x: Axis, y: Axis, *, dx: int) -> alt.Chart:
    texts = chart_of(rows).mark_text(align="left", dx=dx, dy=-7, fontSize=11)
    encoded: alt.Chart = texts.encode(x=x.x(), y=y.y(), text=alt.Text("text:N"))
    return encoded


def _rate_row(rate: Mapping[str, Any]) -> dict[str, Any]:
    level, places = value_text(rate["level"]), [rate["level"]]
    if rate["start"] is not None and rate["stop"] is not None:
        level = f"{number(rate['start'], 2)} – {number(rate['stop'], 2)}"
        places = [rate["start"], rate["stop"]]
    return {
        "places": places,
        **{key: rate[key] for key in ("rate", "low", "high")},
        "level": level,
        "text": f"{rate['failed']}/{rate['runs']}",
        "tip": f"{level}: {rate['failed']} of {rate['runs']} failed",
    }


def _curve_axis(found: Mapping[str, Any]) -> Axis | None:
    """Choose the line of numbers that a logistic curve lies on; None without a curve."""
    if len(found.get("curve") or ()) < 3:
        return None
    low, *between, high = [point["value"] for point in found["curve"]]
    middle = between[len(between) // 2]
    is_log = low > 0 and abs(middle - math.sqrt(low * high)) < abs(middle - (low + high) / 2)
    scale = "log" if is_log else "linear"
    levels = [rate["level"] for rate in found["rates"] if rate["level"] is not None]
    if not levels:
        return Axis(found["name"], (low, *between, high), scale, (low, high))
    rows = [{"level": level, "position": i} for i, level in enumerate(levels)]
    return choose_axis(rows, {"name": found["name"], "scale": scale})


def _failure_title(name: str, found: Mapping[str, Any]) -> str:
    if found["significant"]:
        return f"How often runs fail depends on {name}"
    if found["p"] is None:
        return f"Failures by {name}"
    return f"{name} is not seen to change how often runs fail"


def _cost_row(
    trial: Mapping[str, Any],
    times: Mapping[int, float | None],
    front: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any] | None:
    on_front = front.get(trial["trial_id"])
    if on_front is not None:
        seconds, value = on_front["duration_s"], on_front["objective"]
    else:
        seconds, value = _mean([times.get(run) for run in trial["runs"]]), trial["mean"]
    if seconds is None or value is None:
        return None
    given = f"{values_text(trial['values'])}: " if len(trial["values"]) <= _TOLD_VALUES else ""
    tip = f"{given}{number(value)} in {duration(seconds)}, run {listed(trial['runs'])}"
    return {"seconds": seconds, "value": value, "front": on_front is not None, "tip": tip}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None

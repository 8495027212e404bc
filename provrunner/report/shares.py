"""Charts of shares: through training, among the better half of the runs, and how well known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from provrunner.report.escape import visible
from provrunner.report.frame import WIDE, Drawing, chart_of, size_text, title
from provrunner.report.numbers import count, interval, number, share
from provrunner.report.theme import BLUE, GREEN, GREY, KINDS, LIGHT_GREY, PALE, VERMILION
from provrunner.report.wording import component_name, short_names

__all__ = ["better_half", "course", "course_names", "precision"]

_TERMS = 5
_OTHERS = "all others"
_FIXED = {"seed": "seed (shared)", "unresolved": "unresolved", "noise": "seed noise"}
_GREYS = {"seed (shared)": "#5F6B76", "unresolved": LIGHT_GREY, "seed noise": GREY}


def course(summary: Mapping[str, Any], width: int = WIDE) -> Drawing | None:
    """Draw how the shares change from epoch to epoch, stacked; None with fewer than two epochs."""
    found = summary.get("over_time")
    if not found or len(found["epochs"]) < 2:
        return None
    names = course_names(summary)
    rows = [row for moment in found["epochs"] for row in _moment_rows(moment, names)]
    order = list(dict.fromkeys(row["name"] for row in rows))
    tops = [sum(row["share"] for row in rows if row["epoch"] == epoch) for epoch in _epochs(rows)]
    scale = alt.Scale(domain=[0, max(1.0, *tops)], nice=False)
    x = alt.X("epoch:Q", title="epoch").scale(nice=False)
    x = x.axis(tickMinStep=1, format=".6~g", grid=False)
    colours = alt.Scale(domain=order, range=_colours(order))
    areas = (
        chart_of(rows)
        .mark_area()
        .encode(
            x=x,
            y=alt.Y("share:Q", title="share of variance", stack="zero").scale(scale),
            color=alt.Color("name:N", scale=colours, sort=order, title=None).legend(
                orient="bottom", columns=2 if width == WIDE else 1, labelLimit=width // 2
            ),
            order=alt.Order("place:Q"),
        )
    )
    lines = [f"{_runs_at(found['epochs'])}. Each epoch is analysed with the model of the end."]
    return alt.layer(areas, *_stable_mark(found, x)).properties(
        width=width,
        height=220,
        title=title(found.get("text") or "Shares by epoch", lines, width=width),
    )


def course_names(summary: Mapping[str, Any]) -> dict[str, str]:
    """Give each component of `over_time` the name it is drawn by: the smallest share one."""
    short = short_names(name for item in summary["components"] for name in item["parameters"])
    shown = {item["component"]: component_name(item, short) for item in summary["components"]}
    last = summary["over_time"]["epochs"][-1]["shares"]
    terms = sorted((name for name in last if name not in _FIXED), key=lambda name: -last[name])
    kept = {name: shown.get(name, visible(name)) for name in terms[:_TERMS]}
    rest = dict.fromkeys(terms[_TERMS:], _OTHERS)
    return {**kept, **rest, **{name: text for name, text in _FIXED.items() if name in last}}


def better_half(summary: Mapping[str, Any], width: int = WIDE) -> Drawing | None:
    """Draw shares among the better half of the runs beside those among all; None without both."""
    half = summary.get("better_half")
    if not half or not half["text"] or not summary["components"]:
        return None
    short = short_names(name for item in summary["components"] for name in item["parameters"])
    whole = [{**item, "name": component_name(item, short)} for item in summary["components"]]
    names = {item["component"]: item["name"] for item in whole}
    part = [{**row, "name": names.get(row["component"])} for row in half["components"]]
    order = [item["name"] for item in whole]
    sets = (("all runs", whole, BLUE, -7), ("better half", part, GREEN, 7))
    layers = [
        layer
        for label, items, colour, shift in sets
        for layer in _share_layers(_share_rows(items, label), order, colour, shift)
    ]
    lines = [
        f"Blue: {count(len(summary['components'][0]['runs']), 'run')}. Green: the better "
        f"{half['n_runs']}, of {visible(summary['sweep']['metric'])} "
        f"{number(half['limit'])} or better; without tests, since the objective chose them.",
        "Bars: share of variance, 95 % interval.",
    ]
    return alt.layer(*layers).properties(
        width=width,
        height=alt.Step(38),
        title=title(half["text"], lines, width=width),
    )


def precision(summary: Mapping[str, Any], width: int = WIDE) -> Drawing | None:
    """Draw half the width of each share's interval beside the width that is aimed at."""
    found = summary.get("precision")
    short = short_names(name for item in summary["components"] for name in item["parameters"])
    known = [item for item in summary["components"] if item["low"] is not None]
    if not found or not known:
        return None
    rows = [_width_row(item, component_name(item, short), found["target"]) for item in known]
    base = chart_of(rows).encode(
        y=alt.Y("name:N", sort=[row["name"] for row in rows], title=None),
        description=alt.Description("tip:N"),
    )
    reach = max(*(row["half"] for row in rows), found["target"]) * 1.15
    x = alt.X("half:Q", title="half the width of the 95 % interval")
    bars = base.mark_bar(height=14).encode(
        x=x.scale(domain=[0, reach], nice=False).axis(format=".3~g", tickCount=5),
        color=alt.Color("fill:N", scale=None),
    )
    figures = base.mark_text(align="left", dx=5).encode(x=alt.X("half:Q"), text=alt.Text("text:N"))
    aim = chart_of([{"half": found["target"]}]).mark_rule(strokeDash=[4, 3], strokeWidth=1.5)
    return alt.layer(
        bars, figures, aim.encode(x=alt.X("half:Q"), color=alt.ColorValue(GREEN))
    ).properties(
        width=width,
        height=alt.Step(26),
        title=title(
            found["text"],
            [f"{size_text(summary)}. Dashed: known to ± {number(found['target'], 1)}."],
            width=width,
        ),
    )


def _moment_rows(moment: Mapping[str, Any], names: Mapping[str, str]) -> list[dict[str, Any]]:
    sums: dict[str, float] = dict.fromkeys(names.values(), 0.0)
    for component, value in moment["shares"].items():
        name = names.get(component, _OTHERS)
        sums[name] = sums.get(name, 0.0) + value
    return [
        {"epoch": moment["epoch"], "name": name, "share": value, "place": place}
        for place, (name, value) in enumerate(sums.items())
    ]


def _epochs(rows: Sequence[Mapping[str, Any]]) -> list[int]:
    return list(dict.fromkeys(row["epoch"] for row in rows))


def _colours(order: Sequence[str]) -> list[str]:
    free = iter(KINDS)
    return [_GREYS.get(name) or (PALE if name == _OTHERS else next(free)) for name in order]


def _runs_at(epochs: Sequence[Mapping[str, Any]]) -> str:
    counts = [moment["runs"] for moment in epochs]
    low, high = min(counts), max(counts)
    return f"n = {count(low, 'run')} at each epoch" if low == high else f"n = {low} to {high} runs"


def _stable_mark(found: Mapping[str, Any], x: alt.X) -> list[alt.Chart]:
    if found["stable_from"] is None:
        return []
    base = chart_of([{"epoch": found["stable_from"], "text": "ranking as at the end"}])
    at_end = found["stable_from"] > 0.6 * found["epochs"][-1]["epoch"]
    label = base.mark_text(
        align="right" if at_end else "left", dx=4 if at_end else -4, dy=-5, fontSize=11
    )
    rule = base.mark_rule(strokeDash=[4, 3], strokeWidth=2, color="#fff")
    named = label.encode(
        x=x, y=alt.value(0), text=alt.Text("text:N"), color=alt.ColorValue("currentColor")
    )
    return [rule.encode(x=x), named]


def _share_rows(items: Sequence[Mapping[str, Any]], label: str) -> list[dict[str, Any]]:
    return [
        {
            "name": item["name"],
            "share": min(max(item["share"] or 0.0, 0.0), 1.0),
            "low": item["low"],
            "high": item["high"],
            "tip": f"{item['name']}, {label}: {share(item['share'])} "
            f"({interval(item['low'], item['high'])})",
        }
        for item in items
        if item["name"] is not None
    ]


def _share_layers(
    rows: Sequence[Mapping[str, Any]], order: Sequence[str], colour: str, shift: int
) -> list[alt.Chart]:
    base = chart_of(rows).encode(y=alt.Y("name:N", sort=list(order), title=None))
    x = alt.X("share:Q", title="share of variance").scale(domain=[0, 1])
    x = x.axis(format=".3~g", values=[0, 0.2, 0.4, 0.6, 0.8, 1])
    bars = base.mark_bar(height=11, color=colour, yOffset=shift).encode(
        x=x, description=alt.Description("tip:N")
    )
    limits = base.mark_rule(strokeWidth=1.5, yOffset=shift).encode(
        x=alt.X("low:Q"), x2=alt.X2("high:Q"), color=alt.ColorValue("currentColor")
    )
    return [bars, limits]


def _width_row(item: Mapping[str, Any], name: str, target: float) -> dict[str, Any]:
    half = (item["high"] - item["low"]) / 2
    fill = GREY if item["kind"] not in {"main", "interaction"} else BLUE
    return {
        "name": name,
        "half": half,
        "fill": VERMILION if half > target and fill == BLUE else fill,
        "text": f"± {share(half)}",
        "tip": f"{name}: {interval(item['low'], item['high'])}, ± {share(half)}",
    }

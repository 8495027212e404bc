"""Charts of what the sensitivity summary says."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import altair as alt
import pyarrow as pa

from provrunner.report.axes import value_scale
from provrunner.report.escape import visible
from provrunner.report.frame import (
    NARROW,
    WIDE,
    Drawing,
    chart_of,
    run_dots,
    size_text,
    thinned,
    title,
)
from provrunner.report.numbers import count, interval, number, p_value, share
from provrunner.report.theme import BLUE, GREY, PALE
from provrunner.report.wording import component_name, short_names, value_text, values_text

__all__ = ["importance", "interaction", "seed_noise"]

_TRIALS, _DOTS = 40, 25
_ROOMY = 6


def importance(summary: Mapping[str, Any], width: int = WIDE) -> Drawing | None:
    """Draw each component's share with its interval, noise as a bar of its own; None when empty.

    The axis is always 0 to 1: shares are never rescaled to fill it.
    """
    components = summary["components"]
    if not components:
        return None
    names = short_names(name for item in components for name in item["parameters"])
    rows = [_component_row(item, names) for item in components]
    base = chart_of(rows).encode(
        y=alt.Y("name:N", sort=[row["name"] for row in rows], title=None),
        description=alt.Description("tip:N"),
    )
    shares = alt.X("share:Q", title="share of variance").scale(domain=[0, 1])
    shares = shares.axis(values=[0, 0.2, 0.4, 0.6, 0.8, 1], format=".3~g")
    bars = base.mark_bar(height=16).encode(x=shares, color=alt.Color("fill:N", scale=None))
    limits = base.mark_rule(strokeWidth=1.5).encode(
        x=alt.X("low:Q"), x2=alt.X2("high:Q"), color=alt.ColorValue("currentColor")
    )
    ends = [
        base.mark_tick(thickness=1.5, height=8).encode(
            x=alt.X(f"{end}:Q"), color=alt.ColorValue("currentColor")
        )
        for end in ("low", "high")
    ]
    figures = base.mark_text(align="left").encode(
        x=alt.value(width + 10), text=alt.Text("figure:N")
    )
    return alt.layer(bars, limits, *ends, figures).properties(
        width=width,
        height=alt.Step(30),
        title=title(
            (summary["verdicts"] or [""])[0],
            [
                f"Share of the variance of one run's {visible(summary['sweep']['metric'])}, "
                "95 % interval.",
                f"{size_text(summary)}. Pale: not significant; grey: what the seed does.",
            ],
            width=width,
        ),
    )


def interaction(summary: Mapping[str, Any], a: str, b: str) -> Drawing | None:
    """Draw what two hyperparameters do together beyond each alone; None without such cells."""
    cells = [row for row in summary["interactions"] if (row["a"], row["b"]) == (a, b)]
    known = [row["component"] for row in cells if row["component"] is not None]
    if not known:
        return None
    reach = max(map(abs, known)) or 1.0
    rows = [_cell_row(row, reach) for row in cells]
    columns = _levels(cells, "level_a")
    is_roomy = len(columns) <= _ROOMY
    base = chart_of(rows).encode(
        x=alt.X("level_a:N", title=visible(a), sort=columns).axis(
            labelAngle=0 if is_roomy else -45
        ),
        y=alt.Y("level_b:N", title=visible(b), sort=_levels(cells, "level_b")),
        description=alt.Description("tip:N"),
    )
    colours = alt.Scale(scheme="blueorange", domain=[-reach, reach], domainMid=0)
    fields = base.mark_rect().encode(
        color=alt.Color("component:Q", scale=colours, title="beyond each alone").legend(
            orient="bottom", gradientLength=180, format=".3~g"
        )
    )
    means = base.mark_text().encode(text=alt.Text("mean:N"), color=alt.Color("ink:N", scale=None))
    names = short_names(item["name"] for item in summary["parameters"])
    drawn = [fields, means] if is_roomy else [fields]
    layers: alt.LayerChart = alt.layer(*drawn).resolve_scale(color="independent")
    figures = f"Figures: mean {visible(summary['sweep']['metric'])}. " if is_roomy else ""
    return layers.properties(
        width=NARROW,
        height=alt.Step(34),
        title=title(
            f"{visible(names.get(a, a))} × {visible(names.get(b, b))}",
            [
                *_pair_facts(summary, {a, b}),
                f"{figures}Colour: what the pair adds to its two curves.",
            ],
            width=NARROW,
        ),
    )


def seed_noise(summary: Mapping[str, Any], runs: pa.Table, width: int = WIDE) -> Drawing | None:
    """Draw the runs of each trial beside each other, best trial first; None without replicates."""
    known = [trial for trial in summary["trials"] if trial["mean"] is not None]
    trials = known[:_TRIALS]
    if not any(trial["n"] > 1 for trial in trials):
        return None
    objective = dict(zip(runs["run"].to_pylist(), runs["objective"].to_pylist(), strict=True))
    rows = [row for trial in trials for row in _trial_rows(trial, objective)]
    sigma = summary["noise"].get("sigma")
    means = [
        {
            "trial": _trial_name(trial),
            "value": trial["mean"],
            "low": trial["mean"] - (sigma or 0),
            "high": trial["mean"] + (sigma or 0),
        }
        for trial in trials
    ]
    every = [row["value"] for row in [*rows, *means]]
    scale, _ = value_scale([*every, *(row["low"] for row in means)], "minimize")
    x = alt.X("value:Q", title=visible(summary["sweep"]["metric"])).scale(scale)
    x = x.axis(tickCount=8 if width == WIDE else 4)
    y = alt.Y("trial:N", title=None, sort=[row["trial"] for row in means])
    over = chart_of(means).encode(y=y)
    band = over.mark_bar(height=14, opacity=0.3, color=GREY).encode(
        x=alt.X("low:Q").scale(scale), x2=alt.X2("high:Q")
    )
    ticks = over.mark_tick(thickness=2, height=14).encode(x=x, color=alt.ColorValue("currentColor"))
    dots = run_dots(rows).encode(x=x, y=y)
    left = len(known) - len(trials)
    text = "σ is not known." if sigma is None else f"Grey: mean ± σ, σ = {number(sigma, 2)}."
    more = f" The best {len(trials)} of {len(known)} trials." if left else ""
    return alt.layer(band, ticks, dots).properties(
        width=width,
        height=alt.Step(22),
        title=title(
            "What the seed alone does", [f"{size_text(summary)}. {text}{more}"], width=width
        ),
    )


def _component_row(item: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    name = component_name(item, names)
    fill = BLUE if item["significant"] else PALE
    p = p_value(item)
    return {
        "name": name,
        "share": min(max(item["share"] or 0.0, 0.0), 1.0),
        "low": item["low"],
        "high": item["high"],
        "fill": fill if item["kind"] in {"main", "interaction"} else GREY,
        "figure": share(item["share"]),
        "tip": f"{name}: {share(item['share'])} ({interval(item['low'], item['high'])})"
        + (f", p {p}" if p else ""),
    }


def _pair_facts(summary: Mapping[str, Any], pair: set[str]) -> list[str]:
    return [
        f"Share {share(item['share'])} ({interval(item['low'], item['high'])}), "
        f"{'' if item['significant'] else 'not '}significant."
        for item in summary["components"]
        if item["kind"] == "interaction" and set(item["parameters"]) == pair
    ]


def _cell_row(row: Mapping[str, Any], reach: float) -> dict[str, Any]:
    component = row["component"]
    strong = component is not None and abs(component) > reach * 0.6
    pair = f"{value_text(row['level_a'])}, {value_text(row['level_b'])}"
    return {
        "level_a": value_text(row["level_a"]),
        "level_b": value_text(row["level_b"]),
        "component": component,
        "mean": number(row["mean"]) if row["n"] else "no run",
        "ink": "#fff" if strong else "#111",
        "tip": f"{pair}: {number(component)} beyond each alone, {count(row['n'], 'run')}",
    }


def _levels(cells: Iterable[Mapping[str, Any]], key: str) -> list[str]:
    return list(dict.fromkeys(value_text(row[key]) for row in cells))


def _trial_rows(
    trial: Mapping[str, Any], objective: Mapping[int, float | None]
) -> list[dict[str, Any]]:
    return [
        {"trial": _trial_name(trial), "value": value, "tip": f"run {run}: {number(value)}"}
        for run in thinned(trial["runs"], _DOTS)
        if (value := objective.get(run)) is not None and math.isfinite(value)
    ]


def _trial_name(trial: Mapping[str, Any]) -> str:
    return values_text(trial["values"]) or visible(trial["trial_id"])

"""The charts of a page, drawn and made harmless."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa
from altair.utils.schemapi import debug_mode

from provrunner.plan import Plan
from provrunner.report.compact_svg import compact_svg
from provrunner.report.curves import learning_curves
from provrunner.report.escape import visible
from provrunner.report.frame import PHONE, WIDE, Drawing, Values, render_svg
from provrunner.report.lines import run_lines
from provrunner.report.marginals import marginal
from provrunner.report.markup import Markup, element, join
from provrunner.report.plots import importance, interaction, seed_noise
from provrunner.report.points import design_map, failure_rate, quality_cost
from provrunner.report.shares import better_half, course, precision
from provrunner.report.surface import surface
from provrunner.report.svg import inline_svg

__all__ = ["Figures", "Picture", "draw_figures", "list_pictures"]

_MARGINALS = 12
_FAILURES = 6
_PAIRS, _CELLS = 6, 400
_SURFACES = 2

_Draw = Callable[[int], Drawing | None]


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart that can be drawn in any width.

    Attributes:
        key: its name among a sweep's pictures: letters, digits and hyphens.
        label: what it shows, for those who do not see it.
        draw: gives the chart for a width in pixels, None where there is nothing to draw.
        is_wide: whether it stands alone; else two stand side by side.
    """

    key: str
    label: str
    draw: _Draw
    is_wide: bool = True


Figures = Mapping[str, Markup]
"""Charts as inline SVG elements by the key of their picture; what cannot be drawn is absent."""


def draw_figures(
    summary: Mapping[str, Any], plan: Plan, *, runs: pa.Table, epochs: pa.Table
) -> Figures:
    """Draw all charts of a sweep; the same data give the same text."""
    drawn = {
        picture.key: _markup(picture) for picture in list_pictures(summary, plan, runs, epochs)
    }
    return {key: chart for key, chart in drawn.items() if chart}


def list_pictures(
    summary: Mapping[str, Any], plan: Plan, runs: pa.Table, epochs: pa.Table
) -> list[Picture]:
    """List the charts of a sweep, the most telling first; some may turn out to have nothing."""
    metric = summary["sweep"]["metric"]
    values = {point.run: point.values for point in plan.points}
    names = _by_share(summary)
    top = names[0] if names else None
    shown = visible(metric)
    return [
        Picture("importance", f"Shares of the variance of {shown}", partial(importance, summary)),
        Picture(
            "better-half", "Shares among the better half of the runs", partial(better_half, summary)
        ),
        *_marginals(summary, names, runs, values),
        *_interactions(summary),
        *_surfaces(summary, runs, values),
        Picture(
            "curves",
            f"{shown} by epoch",
            partial(_curves, epochs, values, metric, top),
        ),
        Picture("course", "Shares of the variance by epoch", partial(course, summary)),
        Picture("noise", "The runs of each trial, best first", partial(seed_noise, summary, runs)),
        Picture("cost", "Time and objective of each trial", partial(quality_cost, summary, runs)),
        Picture(
            "lines",
            "Every run as a line through its values",
            partial(run_lines, summary, names, runs, values),
        ),
        *_failures(summary),
        Picture(
            "design",
            "How many runs there are of each pair of values",
            partial(design_map, summary, names, runs, values),
        ),
        Picture("precision", "How well each share is known", partial(precision, summary)),
    ]


def _curves(
    epochs: pa.Table, values: Values, metric: str, parameter: str | None, width: int
) -> Drawing | None:
    return learning_curves(epochs, values, metric=metric, parameter=parameter, width=width)


def _marginals(
    summary: Mapping[str, Any], names: Sequence[str], runs: pa.Table, values: Values
) -> list[Picture]:
    metric = visible(summary["sweep"]["metric"])
    return [
        Picture(
            f"marginal{i}",
            f"Mean {metric} by {visible(name)}, with each run",
            partial(_whatever_width, marginal, summary, name, runs, values),
            is_wide=False,
        )
        for i, name in enumerate(names[:_MARGINALS])
    ]


def _interactions(summary: Mapping[str, Any]) -> list[Picture]:
    return [
        Picture(
            f"pair{i}",
            f"What {visible(a)} and {visible(b)} do together",
            partial(_whatever_width, interaction, summary, a, b),
            is_wide=False,
        )
        for i, (a, b) in enumerate(_pairs(summary)[:_PAIRS])
    ]


def _surfaces(summary: Mapping[str, Any], runs: pa.Table, values: Values) -> list[Picture]:
    return [
        Picture(
            f"surface{i}",
            f"The fitted surface over {visible(a)} and {visible(b)}",
            partial(_whatever_width, surface, summary, a, b, runs, values),
            is_wide=False,
        )
        for i, (a, b) in enumerate(_pairs(summary)[:_SURFACES])
    ]


def _failures(summary: Mapping[str, Any]) -> list[Picture]:
    tested = (summary.get("failure_rates") or {"parameters": []})["parameters"]
    ordered = sorted(tested, key=lambda item: 2.0 if item["p_holm"] is None else item["p_holm"])
    return [
        Picture(
            f"failure{i}",
            f"How often runs fail by {visible(item['name'])}",
            partial(_whatever_width, failure_rate, summary, item["name"]),
            is_wide=False,
        )
        for i, item in enumerate(ordered[:_FAILURES])
    ]


def _whatever_width(draw: Callable[..., Drawing | None], *arguments: Any) -> Drawing | None:
    """Draw a chart of one width, whatever the width that is asked for last."""
    return draw(*arguments[:-1])


def _markup(picture: Picture) -> Markup:
    """Draw a wide chart for large and for small screens; the style sheet shows one of them."""
    large = _drawn(picture, WIDE, "")
    if not large or not picture.is_wide:
        return large
    small = _drawn(picture, PHONE, "-small")
    return join([element("div", large, class_="large"), element("div", small, class_="small")])


def _drawn(picture: Picture, width: int, ending: str) -> Markup:
    with debug_mode(False):  # the charts' own tests check them against the schema of Vega-Lite
        chart = picture.draw(width)
        if chart is None:
            return Markup("")
        svg = compact_svg(render_svg(chart))
    return Markup(inline_svg(svg, prefix=f"{picture.key}{ending}-", label=picture.label))


def _by_share(summary: Mapping[str, Any]) -> list[str]:
    mains = [
        name
        for item in summary["components"]
        if item["kind"] == "main"
        for name in item["parameters"]
    ]
    rest = [item["name"] for item in summary["parameters"]]
    return list(dict.fromkeys([*mains, *rest]))


def _pairs(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Give the pairs whose cells can be told apart, in the order of their components."""
    cells = Counter((row["a"], row["b"]) for row in summary["interactions"])
    known = [pair for pair, total in cells.items() if total <= _CELLS]
    order = [
        frozenset(item["parameters"])
        for item in summary["components"]
        if item["kind"] == "interaction"
    ]
    rank = {pair: position for position, pair in enumerate(order)}
    return sorted(known, key=lambda pair: rank.get(frozenset(pair), len(rank)))

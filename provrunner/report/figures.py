"""The charts of a page, drawn and made harmless."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from provrunner.plan import Plan
from provrunner.report.curves import learning_curves
from provrunner.report.escape import visible
from provrunner.report.frame import PHONE, WIDE, Drawing, render_svg
from provrunner.report.marginals import marginal
from provrunner.report.markup import Markup, element, join
from provrunner.report.plots import importance, interaction, seed_noise
from provrunner.report.svg import inline_svg

__all__ = ["Figures", "draw_figures"]

_MARGINALS = 12
_PAIRS, _CELLS = 6, 400


_NONE = Markup("")


@dataclass(frozen=True, slots=True)
class Figures:
    """Charts as inline SVG elements; an empty one could not be drawn from what there is.

    Attributes:
        importance: shares with intervals.
        marginals: a curve a hyperparameter, the one that explains most first.
        interactions: a heat map a pair, the one that explains most first.
        curves: learning curves.
        noise: the runs of each trial.
    """

    importance: Markup = _NONE
    marginals: Mapping[str, Markup] = field(default_factory=dict)
    interactions: tuple[Markup, ...] = ()
    curves: Markup = _NONE
    noise: Markup = _NONE


def draw_figures(
    summary: Mapping[str, Any], plan: Plan, *, runs: pa.Table, epochs: pa.Table
) -> Figures:
    """Draw all charts of a sweep; the same data give the same text."""
    metric = summary["sweep"]["metric"]
    values = {point.run: point.values for point in plan.points}
    names = _by_share(summary)
    top = names[0] if names else None
    return Figures(
        importance=_twice(
            lambda width: importance(summary, width),
            "importance",
            f"Shares of the variance of {visible(metric)}",
        ),
        marginals={
            name: _drawn(
                marginal(summary, name, runs, values),
                f"marginal{i}",
                f"Mean {visible(metric)} by {visible(name)}, with each run",
            )
            for i, name in enumerate(names[:_MARGINALS])
        },
        interactions=tuple(
            _drawn(
                interaction(summary, a, b),
                f"pair{i}",
                f"What {visible(a)} and {visible(b)} do together",
            )
            for i, (a, b) in enumerate(_pairs(summary)[:_PAIRS])
        ),
        curves=_twice(
            lambda width: learning_curves(
                epochs, values, metric=metric, parameter=top, width=width
            ),
            "curves",
            f"{visible(metric)} by epoch",
        ),
        noise=_twice(
            lambda width: seed_noise(summary, runs, width),
            "noise",
            "The runs of each trial, best first",
        ),
    )


def _twice(draw: Callable[[int], Drawing | None], prefix: str, label: str) -> Markup:
    """Draw a chart for large and for small screens; the style sheet shows one of them."""
    large = _drawn(draw(WIDE), prefix, label)
    small = _drawn(draw(PHONE), f"{prefix}-small", label)
    if not large:
        return _NONE
    return join([element("div", large, class_="large"), element("div", small, class_="small")])


def _drawn(chart: Drawing | None, prefix: str, label: str) -> Markup:
    if chart is None:
        return _NONE
    return Markup(inline_svg(render_svg(chart), prefix=f"{prefix}-", label=label))


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

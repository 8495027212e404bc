"""The sections of a page on cost, failures and what to run next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from provrunner.report.escape import visible
from provrunner.report.figures import Figures
from provrunner.report.markup import Content, Markup, Section, details, element, figure, join, table
from provrunner.report.numbers import count, duration, interval, number, p_value, share
from provrunner.report.runs_table import run_links, run_name
from provrunner.report.wording import run_label, value_text, values_text

__all__ = ["beyond", "failures"]

_LISTED = 200


def beyond(summary: Mapping[str, Any], figures: Figures) -> Iterator[Section]:
    """Give the sections on cost and on what comes next; one without anything to say has no body."""
    yield Section("cost", "Cost", "Quality and cost", _cost(summary, figures))
    yield Section("next", "Next", "What to run next", _next(summary, figures))


def failures(summary: Mapping[str, Any], figures: Figures) -> Section:
    """Give the section on the runs that did not finish."""
    body = _failures(summary, figures)
    return Section("failures", "Not finished", "Runs that did not finish", body)


def _cost(summary: Mapping[str, Any], figures: Figures) -> Markup:
    cost = summary.get("cost")
    others = summary.get("objectives") or {"list": [], "front": []}
    rows: list[Sequence[Content]] = [
        (
            values_text(row["values"]), number(row["objective"]), duration(row["duration_s"]),
            str(len(row["runs"])), run_links(row["runs"]),
        )
        for row in (cost["front"] if cost else [])
    ]  # fmt: skip
    head = ("trial", f"mean {summary['sweep']['metric']}", "mean time", "runs", "which")
    metrics = [other["metric"] for other in others["list"]]
    several: list[Sequence[Content]] = [
        (values_text(row["values"]), *map(number, row["means"]), run_links(row["runs"]))
        for row in others["front"]
    ]
    heads = ("trial", *_front_names(summary, metrics, others["front"]), "which")
    return join(
        [
            figure("cost", figures),
            element("h3", "Beaten by no other in both") if rows else None,
            table("Trials on the front", head, rows, figures=(1, 2, 3)),
            details("What the time depends on", _compact(cost["components"])) if cost else None,
            element("h3", "Beaten by no other in all objectives") if several else None,
            table("Trials on the front of all objectives", heads, several),
        ]
    )


def _front_names(
    summary: Mapping[str, Any], metrics: Sequence[str], front: Sequence[Mapping[str, Any]]
) -> list[str]:
    every = [summary["sweep"]["metric"], *metrics]
    width = len(front[0]["means"]) if front else len(every)
    return every[-width:]


def _compact(components: Sequence[Mapping[str, Any]]) -> Markup:
    rows = [
        (visible(row["component"]), share(row["share"]), interval(row["low"], row["high"]),
         p_value(row))
        for row in components
    ]  # fmt: skip
    head = ("component", "share of log time", "95 % interval", "p (Holm)")
    return table("Shares of the variance of log time", head, rows, figures=(1, 2, 3))


def _failures(summary: Mapping[str, Any], figures: Figures) -> Markup:
    rates = summary.get("failure_rates")
    charts = [figure(key, figures) for key in figures if key.startswith("failure")]
    lines = [
        element("li", run_name(item), f" {visible(item['status'])}: {run_label(item)}")
        for item in summary["failures"][:_LISTED]
    ]
    left = len(summary["failures"]) - len(lines)
    listed = element("ul", *lines) if lines else Markup("")
    return join(
        [
            element("p", rates["text"]) if rates else None,
            element("div", *charts, class_="grid") if charts else None,
            listed if len(lines) <= 12 else details(f"All {len(lines)} of them", listed),
            element("p", f"{count(left, 'more run')} in summary.json.") if left > 0 else None,
        ]
    )


def _next(summary: Mapping[str, Any], figures: Figures) -> Markup:
    found = summary.get("next_points")
    advice = (summary.get("advice") or {}).get("text")
    texts = [text for text in (advice,) if text]
    return join(
        [
            *(element("p", text) for text in texts),
            figure("precision", figures),
            _points(found) if found else None,
        ]
    )


def _points(found: Mapping[str, Any]) -> Markup:
    names = list(found["points"][0]) if found["points"] else []
    rows = [
        (str(position), *(value_text(point.get(name)) for name in names))
        for position, point in enumerate(found["points"], start=1)
    ]
    reason = f"{found['reason'][:1].upper()}{found['reason'][1:]}."
    return join(
        [
            element("h3", "Points worth running"),
            element("p", reason),
            table("Points worth running", ("", *names), rows),
            details("A sweep of these points (next.yaml)", element("pre", _lines(found["config"]))),
        ]
    )


def _lines(text: str) -> Markup:
    """Keep the lines of a text; what is in them stays text."""
    return join([element("code", line) for line in text.splitlines()], "\n")

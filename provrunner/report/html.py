"""The report as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Mapping, Sequence
from importlib.resources import files
from typing import Any

import pyarrow as pa

from provrunner.plan import Plan
from provrunner.report.about import about_lines
from provrunner.report.escape import visible
from provrunner.report.markup import Markup, Section, element, join
from provrunner.report.numbers import duration
from provrunner.report.theme import DARK
from provrunner.report.wording import (
    design_sentence,
    direction_text,
    status_lines,
    with_ordered_values,
)

__all__ = ["build_page"]

_SCRIPT, _GRAPH_SCRIPT = "page.js", "graph.js"


def build_page(
    *,
    summary: Mapping[str, Any],
    plan: Plan,
    tables: Mapping[str, pa.Table],
    pictures: Mapping[str, bytes | str] | None = None,
    links: Mapping[str, str] | None = None,
    view: Mapping[str, object] | None = None,
    configs: Collection[str] = (),
) -> str:
    """Build the page of a sweep; the same inputs give the same text.

    It holds its pictures as SVG, one style sheet and a short script, with a graph to open a second
    one, and a content policy that allows these by digest and nothing from elsewhere. Every name
    and value is escaped.

    Args:
        summary: the sensitivity summary as plain values (`Summary.to_dict`).
        plan: what the sweep promised.
        tables: the public tables `runs` and `epochs`; `environment`, `datasets`, `artifacts` and
            `notes` where known.
        pictures: SVG documents of the provenance graph by caption.
        links: files beside the page by label, as relative paths; others are left out.
        view: the provenance graph, folded to be opened run by run (`graph.build_view`).
        configs: ids of the runs whose `config.yaml` lies beside the page, in their folders.
    """
    from provrunner.report.beyond import beyond
    from provrunner.report.figures import draw_figures
    from provrunner.report.findings import findings
    from provrunner.report.records import records

    summary = with_ordered_values(summary)
    figures = draw_figures(summary, plan, runs=tables["runs"], epochs=tables["epochs"])
    sections = [
        *findings(summary, figures, tables.get("artifacts")),
        *beyond(summary, figures),
        *records(
            summary,
            plan,
            tables,
            figures=figures,
            configs=configs,
            pictures=pictures or {},
            links=links or {},
            view=view,
        ),
    ]
    shown = [section for section in sections if section.body]
    scripts = [
        _resource(name) for name in ([_SCRIPT] if view is None else [_SCRIPT, _GRAPH_SCRIPT])
    ]
    body = element(
        "body",
        element("a", "Skip to the verdict", href="#verdict", class_="skip"),
        _header(
            summary, plan, tables["runs"], about_lines(plan, tables["runs"], tables.get("notes"))
        ),
        _contents(shown),
        element("main", *(section.to_html() for section in shown)),
        element("footer", element("p", "Made by provrunner from the sweep's log alone.")),
        *(element("script", Markup(script)) for script in scripts),
    )
    return f'<!DOCTYPE html>\n<html lang="en">\n{_head(plan.name, scripts)}\n{body}\n</html>\n'


def _head(name: str, scripts: Sequence[str]) -> Markup:
    style = _style_text()
    allowed = " ".join(f"'{_source_hash(script)}'" for script in scripts)
    policy = (
        f"default-src 'none'; style-src '{_source_hash(style)}'; "
        f"script-src {allowed}; img-src data:; base-uri 'none'; form-action 'none'"
    )
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", f"{name}: sweep report"),
        element("link", rel="icon", href="data:,"),
        element("style", Markup(style)),
    )


def _header(summary: Mapping[str, Any], plan: Plan, runs: pa.Table, about: Sequence[str]) -> Markup:
    sweep = summary["sweep"]
    facts = [
        design_sentence(sweep),
        f"{sweep['metric']}, {direction_text(sweep['direction'])}",
        plan.created[:16].replace("T", " ") + " UTC",
        *_wall_time(runs),
    ]
    statuses = [
        element("li", words, class_="status good" if words.startswith("finished") else "status bad")
        for words, _ in status_lines(summary)
    ]
    return element(
        "header",
        element("p", "Sweep report", class_="brand"),
        element("h1", plan.name),
        element("p", join(facts, Markup(" · ")), class_="facts"),
        element("ul", *statuses, class_="statuses"),
        *(element("p", visible(line), class_="aside") for line in about),
    )


def _wall_time(runs: pa.Table) -> list[str]:
    starts, ends = (runs[name].drop_null().to_pylist() for name in ("start", "end"))
    return [duration((max(ends) - min(starts)).total_seconds())] if starts and ends else []


def _contents(shown: Sequence[Section]) -> Markup:
    links = [element("li", element("a", section.name, href=f"#{section.key}")) for section in shown]
    return element("nav", element("ul", *links), aria_label="Sections")


def _style_text() -> str:
    """Give the style sheet, with dark paper's colours for charts that are drawn for light."""
    swaps = "".join(
        f'.chart [fill="{light}"]{{fill:{dark}}}.chart [stroke="{light}"]{{stroke:{dark}}}'
        for light, dark in DARK.items()
    )
    return f"{_resource('page.css')}@media screen and (prefers-color-scheme:dark){{{swaps}}}"


def _resource(name: str) -> str:
    return files("provrunner.report").joinpath(name).read_text("utf-8")


def _source_hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"

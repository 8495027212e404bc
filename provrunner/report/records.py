"""The sections of a page that say what a sweep's numbers rest on."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pyarrow as pa

from provrunner.plan import Plan
from provrunner.report.beyond import failures
from provrunner.report.escape import visible
from provrunner.report.explorer import graph_view
from provrunner.report.figures import Figures
from provrunner.report.markup import (
    Content,
    Markup,
    Section,
    details,
    element,
    figure,
    join,
    region,
    table,
)
from provrunner.report.questions import questions
from provrunner.report.runs_table import runs_table
from provrunner.report.svg import inline_svg
from provrunner.report.wording import flag_text, value_text

__all__ = ["records"]

_RUN_FACTS = {
    "commit": "commit",
    "uncommitted changes": "dirty",
    "user": "user",
    "host": "host",
    "model": "architecture_hash",
    "weights": "parameters",
    "data": "dataset_digest",
    "log": "log_state",
}
_FACT_NAMES = {("code", "reason"): "no commit known", ("hardware", "memory_bytes"): "memory"}
_PLAIN_KINDS = ("code", "python", "os", "hardware", "launcher")
_PICTURE_BYTES = 700_000


def records(
    summary: Mapping[str, Any],
    plan: Plan,
    tables: Mapping[str, pa.Table],
    *,
    figures: Figures,
    configs: Collection[str],
    pictures: Mapping[str, bytes | str],
    links: Mapping[str, str],
    view: Mapping[str, object] | None = None,
) -> Iterator[Section]:
    """Give the sections in their order; one that has nothing to say has no body."""
    drawn = [_picture(label, drawing, i) for i, (label, drawing) in enumerate(pictures.items())]
    every = runs_table(plan, tables["runs"], tables.get("epochs"), configs)
    yield Section("runs", "Runs", "Runs", join([figure("lines", figures), every]))
    yield failures(summary, figures)
    yield Section("design", "Design", "Design and limits", _design(summary, plan, figures))
    opened = graph_view(view, (summary.get("best") or {}).get("run"))
    yield Section("provenance", "Provenance", "Where it comes from", join([opened, *drawn]))
    yield Section("facts", "Environment", "Code, data and environment", _facts(tables))
    yield Section("questions", "Questions", "What else to ask", _questions())
    yield Section("repeat", "Repeat", "Repeat it", _repeat(summary, plan, links))


def _design(summary: Mapping[str, Any], plan: Plan, figures: Figures) -> Markup:
    advice = summary.get("advice")
    lines = [
        summary["sweep"]["design_text"],
        *(flag_text(flag) for flag in summary["flags"]),
        *(f"Left out: {item['name']}, {item['reason']}." for item in summary["dropped"]),
        *([advice["text"]] if advice and advice.get("text") else []),
    ]
    rows = [
        (
            axis.name,
            element("code", axis.grammar or ", ".join(map(value_text, axis.levels))),
            axis.scale,
            value_text(axis.default),
        )
        for axis in plan.hyperparameters
    ]
    items = element("ul", *(element("li", line) for line in lines if line))
    axes = table("Axes", ("axis", "values", "scale", "default"), rows)
    return join([items, figure("design", figures), axes])


def _picture(label: str, picture: bytes | str, position: int) -> Markup:
    caption = element("figcaption", label)
    if len(picture) > _PICTURE_BYTES:
        return element("figure", element("p", "Too large to show here; see prov/."), caption)
    try:
        drawn = Markup(inline_svg(picture, prefix=f"graph{position}-", label=label))
    except ValueError as error:
        return element("figure", element("p", f"Not shown: {error}."), caption)
    zoom = element("label", element("input", type="checkbox"), " full size", class_="zoom")
    return element("figure", zoom, region(label, drawn, class_="scroll paper"), caption)


def _facts(tables: Mapping[str, pa.Table]) -> Markup:
    runs = tables["runs"]
    rows = [
        (name, ", ".join(values))
        for name, column in _RUN_FACTS.items()
        if (values := _distinct(runs, column))
    ]
    groups = _environment(tables.get("environment"))
    rows += [fact for kind in _PLAIN_KINDS for fact in groups.pop(kind, [])]
    head = ("data", "split", "samples", "overlap", "digest")
    lists = [
        details(f"{kind}s ({len(items)})", table(kind, (kind, "value"), items))
        for kind, items in groups.items()
    ]
    return join(
        [
            table("Facts", ("fact", "value"), rows),
            table("Data", head, _data_rows(tables.get("datasets")), figures=(2,)),
            *lists,
        ]
    )


def _environment(environment: pa.Table | None) -> dict[str, list[tuple[str, str]]]:
    """Group facts by kind, each with all the values that runs had."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    if environment is None:
        return {}
    for row in (
        environment.group_by(["kind", "name", "value"], use_threads=False).aggregate([]).to_pylist()
    ):
        values = found.setdefault((row["kind"] or "", row["name"] or ""), {})
        values[_fact(row["name"] or "", row["value"])] = None
    groups: dict[str, list[tuple[str, str]]] = {}
    for (kind, name), seen in sorted(found.items()):
        shown = _FACT_NAMES.get((kind, name), name)
        groups.setdefault(kind, []).append((shown, ", ".join(sorted(seen))))
    return groups


def _fact(name: str, value: str | None) -> str:
    if name.endswith("_bytes") and value is not None and value.isdecimal():
        return f"{int(value) / 2**30:.1f} GiB"
    return value_text(value)


def _data_rows(datasets: pa.Table | None) -> list[tuple[Content, ...]]:
    columns = ("dataset", "split", "size", "overlap", "digest", "index_digest")
    rows = [] if datasets is None else datasets.to_pylist()
    found = dict.fromkeys(tuple(row[name] for name in columns) for row in rows)
    return [
        (
            data,
            split or "",
            "" if size is None else str(size),
            _overlap(overlap),
            element("code", (digest or indices or "")[:16]),
        )
        for data, split, size, overlap, digest, indices in found
    ]


def _overlap(text: str | None) -> str:
    """Say with which splits samples are shared; `text` is a JSON object of counts."""
    try:
        counts = json.loads(text or "null")
    except ValueError:
        return visible(text)
    if not isinstance(counts, dict) or not counts:
        return ""
    shared = [f"{total} with {visible(name)}" for name, total in counts.items() if total]
    return ", ".join(shared) or "none"


def _distinct(table_: pa.Table, column: str) -> list[str]:
    """Give the values of a column in order of appearance, shortened, at most five."""
    values = list(dict.fromkeys(value for value in table_[column].to_pylist() if value is not None))
    more = [f"and {len(values) - 5} more"] if len(values) > 5 else []
    return [*(value_text(value)[:24] for value in values[:5]), *more]


def _questions() -> Markup:
    """List the questions that have a name, each with the command that answers it."""
    rows = [
        (question.text, element("code", f"provrunner ask {question.name}"))
        for question in questions()
    ]
    return details(
        f"{len(rows)} questions with an answer in the logs",
        table("Questions", ("question", "command"), rows),
    )


def _repeat(summary: Mapping[str, Any], plan: Plan, links: Mapping[str, str]) -> Markup:
    commands = [("the whole sweep", shlex.join(plan.command))] if plan.command else []
    best = summary.get("best")
    if best and best.get("run_id"):
        log = f"runs/{best['run_id']}/log/metrics.arrow"
        commands.append(("the best run's log", f'pd.read_feather("{log}")'))
    commands.append(("this page, from the log", "provrunner report SWEEP"))
    files = [
        element("li", element("a", label, href=path))
        for label, path in links.items()
        if _is_local(path)
    ]
    rows = [(name, element("code", visible(command))) for name, command in commands]
    identity = (
        f"Sweep {plan.sweep_id}, planned {plan.created}, specification {plan.spec_sha256[:16]}."
    )
    return join(
        [
            table("Commands", ("what", "command"), rows),
            element("p", identity, class_="aside"),
            element("ul", *files, class_="files") if files else None,
        ]
    )


def _is_local(path: str) -> bool:
    """Whether a link stays in the sweep's folder, whatever a browser makes of it."""
    plain = path.isprintable() and not any(sign in path for sign in ":\\%")
    return plain and not path.startswith("/") and ".." not in path.split("/")

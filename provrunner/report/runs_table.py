"""The table of all runs, each with its curve and the way to its files and lineage."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from provrunner.plan import Plan
from provrunner.report.axes import value_scale
from provrunner.report.compact_svg import polyline
from provrunner.report.escape import html_text, visible
from provrunner.report.markup import Content, Markup, element, join, region
from provrunner.report.numbers import NO_VALUE, count, decimals, duration, number
from provrunner.report.wording import value_text

__all__ = ["MOST_ROWS", "run_links", "run_name", "runs_table"]

MOST_ROWS = 2000
"""Runs that the page lists; numbers of further runs lead nowhere."""

_SHOWN_LINKS = 12
_WIDTH, _HEIGHT, _POINTS = 72, 20, 18
"""Of a run's curve in pixels, which `page.css` knows too, and the most epochs it shows."""

_EXACT = 9
"""Significant digits by which numbers are sorted and compared."""

_CALM = frozenset({"pruned", "planned", "running"})


def run_links(numbers: Iterable[int]) -> Markup:
    """Write numbers of runs as links to their rows, the first dozen of many.

    Example:
        >>> run_links([3])
        '<a href="#run-3">3</a>'
    """
    wanted = list(numbers)
    links: list[Content] = [
        element("a", str(run), href=f"#run-{run}") if run < MOST_ROWS else str(run)
        for run in wanted[:_SHOWN_LINKS]
    ]
    left = len(wanted) - len(links)
    return join([*links, *([f"and {left} more"] if left > 0 else [])], Markup(", "))


def run_name(run: Mapping[str, Any]) -> Markup:
    """Write a run's id as a link to its row; `run` has its number and run_id.

    Example:
        >>> run_name({"run": 3, "run_id": "0003-ab"})
        '<a href="#run-3">0003-ab</a>'
    """
    if run["run"] >= MOST_ROWS:
        return join([run["run_id"]])
    return element("a", run["run_id"], href=f"#run-{run['run']}")


def runs_table(
    plan: Plan, runs: pa.Table, epochs: pa.Table | None, configs: Collection[str] = ()
) -> Markup:
    """Write the table that `page.js` sorts and filters; nothing without runs.

    Args:
        plan: what the sweep promised.
        runs: the table `runs`; of more than 2,000 the first are listed.
        epochs: the table `epochs`, for the curves.
        configs: ids of the runs whose `config.yaml` lies beside the page.
    """
    swept = [axis.name for axis in plan.hyperparameters if axis.name in runs.column_names]
    rows = sorted(runs.to_pylist(), key=lambda row: row["run"])
    metric = plan.objective.metric
    head = ["run", "status", metric, "epoch", *swept, "seed", "time"]
    plain = {name for name in ("seed", *swept) if _is_numeric(row[name] for row in rows)}
    names = [
        element(
            "th", element("button", name, type="button"), scope="col", aria_sort="none",
            data_plain=name in plain,
        )
        for name in head
    ]  # fmt: skip
    curves = _curves(epochs, metric)
    curve = join(["curve", element("span", f" of {visible(metric)}", class_="unseen")])
    names.append(element("th", curve if curves else "", scope="col"))
    places = decimals(row["objective"] for row in rows)
    body = [
        _row(row, swept, plain, places, _last(row, curves, configs)) for row in rows[:MOST_ROWS]
    ]
    left = len(rows) - MOST_ROWS
    grid = element(
        "table", element("caption", "All runs", class_="unseen"),
        element("thead", element("tr", *names)), element("tbody", *body), id="all-runs",
    )  # fmt: skip
    more = f"{count(left, 'more run')} in tables/runs.parquet."
    return join(
        [
            _tools(len(body), swept),
            region("All runs", grid, class_="scroll tall"),
            element("p", more) if left > 0 else None,
        ]
    )


def _tools(shown: int, swept: Sequence[str]) -> Markup:
    name = swept[0] if swept else "epoch"
    search = element(
        "label", "Filter ",
        element("input", type="search", id="filter", autocomplete="off",
                aria_describedby="filter-help"),
    )  # fmt: skip
    told = element("output", count(shown, "run"), id="shown", for_="filter")
    hint = f"Words, or comparisons such as {name}<1 or status=failed; all must hold."
    return element(
        "div",
        element("p", search, " ", told),
        element("p", hint, id="filter-help", class_="aside"),
        class_="tools",
        hidden=True,
    )


def _row(
    row: Mapping[str, Any], swept: Sequence[str], plain: Collection[str], places: int, last: Markup
) -> Markup:
    """Write a row without its end tags, which HTML does not ask for and many rows add up."""
    status = element("span", row["status"], class_=f"status {_status_class(row['status'])}")
    reason = element("small", f" {visible(row['reason'])}") if row["reason"] else None
    cells = [
        _cell(join([status, reason])),
        _cell(_objective(row["objective"], places), row["objective"]),
        _cell(_whole(row["objective_epoch"]), row["objective_epoch"]),
        *(_level(row[name], is_plain=name in plain) for name in swept),
        _cell("") if row["seed"] is None else _level(row["seed"], is_plain="seed" in plain),
        _cell(duration(row["duration_s"]), row["duration_s"]),
    ]
    number_, id_ = row["run"], html_text(row["run_id"])
    first = f'<th scope="row" id="run-{number_}" data-v="{number_}">{id_}'
    return Markup(f'<tr>{first}{"".join(cells)}<td class="ways">{last}')


def _last(row: Mapping[str, Any], curves: Mapping[int, Markup], configs: Collection[str]) -> Markup:
    """Give a run's curve and the way to what it was given; its lineage is added by `page.js`."""
    path = f"runs/{quote(str(row['run_id']), safe='')}/config.yaml"
    link = element("a", "config", href=path) if row["run_id"] in configs else None
    return join([curves.get(row["run"]), link], " ")


def _curves(epochs: pa.Table | None, metric: str) -> dict[int, Markup]:
    """Draw each run's metric by epoch, all on one scale."""
    found: dict[int, list[tuple[int, float]]] = {}
    if epochs is None or metric not in epochs.column_names:
        return {}
    columns = [epochs[key].to_pylist() for key in ("run", "epoch", metric)]
    ranks = epochs["rank"].to_pylist() if "rank" in epochs.column_names else [0] * len(columns[0])
    for rank, run, epoch, value in zip(ranks, *columns, strict=True):
        if rank == 0 and epoch is not None and value is not None and math.isfinite(value):
            found.setdefault(run, []).append((epoch, value))
    every = [value for points in found.values() for _, value in points]
    last = max((epoch for points in found.values() for epoch, _ in points), default=0)
    is_log = value_scale(every, "minimize")[0].to_dict().get("type") == "log"
    low, high = (_at(end, is_log) for end in (min(every, default=0), max(every, default=1)))
    return {
        run: _spark(sorted(points), (low, high), last, is_log)
        for run, points in found.items()
        if len(points) > 1
    }


def _spark(
    points: Sequence[tuple[int, float]], ends: tuple[float, float], last: int, is_log: bool
) -> Markup:
    step = max(1, math.ceil((len(points) - 1) / (_POINTS - 1)))
    kept = [*points[:-1:step], points[-1]]
    low, high = ends
    places = [
        (
            epoch / max(last, 1) * _WIDTH,
            _HEIGHT - (_at(value, is_log) - low) / ((high - low) or 1) * _HEIGHT,
        )
        for epoch, value in kept
    ]
    label = f"{number(points[0][1])} to {number(points[-1][1])}"
    path = Markup(f'<path d="{polyline(places)}"/>')
    return element("svg", path, class_="spark", role="img", aria_label=label)


def _at(value: float, is_log: bool) -> float:
    return math.log(value) if is_log else value


def _whole(value: int | None) -> str:
    return "" if value is None else str(value)


def _objective(value: float | None, places: int) -> str:
    """Write an objective with its column's decimals, unless it is out of the column's size."""
    fits = value is not None and abs(value) < 1e7 and abs(value) >= 10.0**-places
    return f"{value:.{places}f}" if fits else number(value, 4)


def _is_numeric(values: Iterable[Any]) -> bool:
    return all(value is None or _is_number(value) for value in values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _level(value: Any, *, is_plain: bool) -> str:
    """Write the cell of a hyperparameter's value; `page.js` rounds a column of plain numbers."""
    text = value_text(value)
    if not _is_number(value):
        return _cell(text)
    is_long = isinstance(value, float) and not value.is_integer() and len(text) > _EXACT
    exact = f"{value:.{_EXACT}g}" if is_long else text
    return f"<td>{exact}" if is_plain else _cell(exact, value)


def _cell(content: Content, value: Any = None) -> str:
    """Write a cell without its end tag; that of a number says it exactly."""
    if _is_number(value):
        exact = f"{value:.{_EXACT}g}" if isinstance(value, float) else value
        return f'<td data-v="{exact}">{join([content])}'
    return f"<td{' class=n' if content in {'', NO_VALUE} else ''}>{join([content])}"


def _status_class(status: str) -> str:
    return "good" if status == "finished" else "calm" if status in _CALM else "bad"

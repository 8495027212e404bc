"""What was measured, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.loggers.budgets import all_threads, budgets
from benchmarks.loggers.peers import OURS
from benchmarks.loggers.rounds import Found

__all__ = ["markdown", "replace_section"]

_BEGIN, _END = "<!-- loggers: begin -->", "<!-- loggers: end -->"
_COLUMNS = (
    ("", "---"),
    ("calls, µs a step", "---:"),
    ("all threads, µs a step", "---:"),
    ("fit, × none", "---:"),
    ("bytes a value", "---:"),
    ("start-up, s", "---:"),
    ("close, s", "---:"),
    ("steps after `kill -9`", "---:"),
    ("into pandas, µs a value", "---:"),
)


def markdown(
    found: Mapping[str, Found],
    many: Mapping[str, float],
    verbs: Mapping[str, float],
    notes: Sequence[str],
) -> str:
    """Return the tables of loggers, of whole steps, and of budgets.

    Args:
        found: by logger.
        many: as `sweeps.many_runs` gives it; empty when it was left out.
        verbs: as `sweeps.verbs_cpu` gives it; empty when it was left out.
        notes: machine, date, command: lines to come first.
    """
    lines = [*(f"- {note}" for note in notes), ""]
    lines += [_row(name for name, _ in _COLUMNS), _row(rule for _, rule in _COLUMNS)]
    lines += [
        _row(_cells(name, one))
        for name, one in found.items()
        if name != "none" and not name.endswith("returned")
    ]
    lines += ["", *_other_figures(found, many, verbs), ""]
    lines += [_row(("budget", "measured", "at most", "reach for", "")), _row(("---",) * 5)]
    for budget in budgets(found, many, verbs):
        most = f"≥ {budget.limit:g}" if budget.at_least else f"{budget.limit:g}"
        cells = (budget.measure, _number(budget.value, 3), most, _number(budget.aim, 3))
        lines.append(_row((*cells, budget.verdict)))
    return "\n".join(lines) + "\n"


def replace_section(path: Path, text: str) -> None:
    """Put text between the marks of a document.

    Raises:
        ValueError: the document has no marks.
    """
    before, begin, rest = path.read_text().partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{path} has no {_BEGIN} and {_END}")
    path.write_text(f"{before}{_BEGIN}\n{text}{_END}{after}")


def _cells(name: str, found: Found) -> Iterator[str]:
    yield f"**{name}**" if name == OURS else name
    yield _number(found.median("added calls"), 0)
    yield _number(all_threads(found), 0)
    yield _number(found.median("ratio"), 2)
    yield _number(found.median("bytes") or None, 1)
    yield _number(found.median("added start_s"), 2)
    yield _number(found.median("added close_s"), 2)
    # nothing is said of a logger whose closed run could not be read either
    known = found.kept if found.median("load_us") is not None else None
    yield "–" if known is None else f"{known[1]} of {known[0]}"
    yield _number(found.median("load_us"), 2)


def _other_figures(
    found: Mapping[str, Found], many: Mapping[str, float], verbs: Mapping[str, float]
) -> Iterator[str]:
    for name, what in (
        ("none", "ten calls of `self.log`, no logger"),
        ("CSVLogger", "ten calls of `self.log`, CSVLogger"),
        (OURS, "ten calls of `self.log`, provrunner"),
        ("none, returned", "ten values returned, no logger"),
        (f"{OURS}, returned", "ten values returned, provrunner"),
    ):
        if name in found:
            yield f"- A whole step, CPU: {what}: {_number(found[name].median('step'), 0)} µs."
    if many:
        yield (
            f"- {many['runs']:.0f} runs × {many['values']:.0f} values into pandas: CSV files "
            f"{many['csv_us']:.3f} µs a value, one Parquet file {many['ours_us']:.3f}; the last "
            f"value of each metric: {many['csv_last_s']:.2f} s from the last rows of the CSV "
            f"files, {many['ours_last_s']:.2f} s by DuckDB."
        )
    if verbs:
        yield (
            "- CPU: " + ", ".join(f"`{name}` {spent:.2f} s" for name, spent in verbs.items()) + "."
        )


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _row(cells: Iterator[str] | Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"

"""The verbs that follow provenance: where a thing came from, and what came of it."""

from __future__ import annotations

from pathlib import Path

from provrunner.cli.app import ROWS, SWEEP, Argument, argument, echo, echo_rows, verb, warn

__all__ = ["ANSWER", "diff", "impact", "lineage", "why"]

ANSWER = argument(
    "--format",
    dest="format_",
    choices=("table", "json"),
    default="table",
    help="how the answer is printed; as a table if left out",
)


def _drawn(name: str) -> Argument:
    return argument(name, type=Path, metavar="FILE", help="also draw it to this file")


@verb(
    argument("term", metavar="TERM", help="a run, checkpoint, metric, data set or node id"),
    SWEEP,
    argument("--down", action="store_true", help="what was made from it"),
    argument(
        "--up",
        dest="down",
        action="store_false",
        help="what it was made from, as when both are left out",
    ),
    argument("--to", metavar="TYPE", help="keep the paths to things of this type, as in dataset"),
    ROWS,
    _drawn("--svg"),
    _drawn("--png"),
)
def lineage(
    term: str,
    sweep: Path | None,
    *,
    down: bool,
    to: str | None,
    format_: str,
    svg: Path | None,
    png: Path | None,
) -> None:
    """Trace a number, checkpoint or run to all that made it, or to all that was made from it."""
    from provrunner.report import open_sweep, trace, write_picture

    found = trace(open_sweep(sweep), term, direction="down" if down else "up", to=to)
    rows = found.rows if format_ == "table" else found.details
    echo_rows(rows, format_)
    for path, draw in ((svg, found.draw), (png, found.draw_png)):
        if path is not None:
            write_picture(path, draw())
            warn(f"drawn to {path}")


@verb(
    argument(
        "term",
        metavar="TERM",
        help="a hyperparameter, pair (lr x width), noise, seed, best, metric",
    ),
    SWEEP,
    ANSWER,
)
def why(term: str, sweep: Path | None, *, format_: str) -> None:
    """Tell what a number of the summary rests on: method, interval, runs and logged rows."""
    from provrunner.report import explain, open_sweep

    found = explain(open_sweep(sweep), term)
    echo(found.to_json() if format_ == "json" else found.to_text(), end="")


@verb(
    argument("a", metavar="A", help="a run: 3, best, its id, or SWEEP:RUN"),
    argument("b", metavar="B", help="another run"),
    SWEEP,
    ANSWER,
)
def diff(a: str, b: str, sweep: Path | None, *, format_: str) -> None:
    """Compare two runs; what may explain most of their difference comes first."""
    from provrunner.report import diff_runs

    found = diff_runs(a, b, sweep)
    echo(found.to_json() if format_ == "json" else found.to_text(), end="")


@verb(
    argument(
        "terms",
        nargs="+",
        metavar="TERM",
        help="data sets, commits, source files, runs, checkpoints; the sweep's folder may "
        "come last",
    ),
    ROWS,
)
def impact(terms: list[str], *, format_: str) -> None:
    """List the runs, checkpoints and numbers that depend on something that was wrong."""
    from provrunner.report import impact_of, open_sweep

    last = Path(terms[-1]) if len(terms) > 1 and Path(terms[-1]).is_dir() else None
    names = terms if last is None else terms[:-1]
    echo_rows(impact_of(open_sweep(last), names), format_)

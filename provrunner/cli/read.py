"""The verbs that read a sweep: what it holds, what matters in it, whether it is whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from provrunner.cli.app import (
    GRANULARITY,
    ROWS,
    SWEEP,
    argument,
    echo,
    echo_rows,
    verb,
    warn,
    warnings_told,
)
from provrunner.errors import LogError

if TYPE_CHECKING:
    from provrunner.report import Sweep
    from provrunner.sensitivity import Summary

__all__ = [
    "SUMMARY",
    "print_as",
    "print_sweep",
    "query",
    "report",
    "summary",
    "verify",
    "write_and_print",
]

_NOT_A_SWEEP = 3
"""What `verify` exits with where there is no sweep; other verbs exit with 2, as for wrong usage."""

SUMMARY = argument(
    "--format",
    dest="format_",
    choices=("table", "json", "markdown", "latex"),
    default="table",
    help="how the summary is printed; as a table if left out",
)


def write_and_print(folder: Path) -> None:
    """Derive all that the logs of a sweep say, and print what matters."""
    from provrunner.report import open_sweep

    with warnings_told():
        sweep = open_sweep(folder)
        sweep.write()
        print_sweep(sweep)


def print_sweep(sweep: Sweep, format_: str = "table") -> None:
    """Print what matters in a sweep, why it was run and where its files lie."""
    print_as(sweep.sensitivity(), format_, paths=sweep.paths(), about=sweep.about())


def print_as(
    found: Summary,
    format_: str,
    *,
    paths: Mapping[str, str] | None = None,
    about: Sequence[str] = (),
) -> None:
    """Print a summary in one of the formats of `SUMMARY`."""
    from provrunner.report import print_summary, summary_latex, summary_markdown

    if format_ == "json":
        echo(found.to_json(), end="")
    elif format_ == "markdown":
        echo(summary_markdown(found.to_dict(), about=about), end="")
    elif format_ == "latex":
        echo(summary_latex(found.to_dict()), end="")
    else:
        print_summary(found.to_dict(), paths=paths, about=about)


@verb(SWEEP, SUMMARY)
def summary(sweep: Path | None, *, format_: str) -> None:
    """Print what matters, by how much, and what cannot be concluded."""
    from provrunner.report import open_sweep

    print_sweep(open_sweep(sweep), format_)


@verb(
    SWEEP,
    GRANULARITY,
    argument(
        "--charts",
        action="store_true",
        help="also the charts as SVG and PNG, and a table in LaTeX",
    ),
)
def report(sweep: Path | None, *, granularity: str | None, charts: bool) -> None:
    """Write tables, PROV documents, summary and report.html anew, from the logs alone."""
    from provrunner.report import open_sweep, write_charts

    opened = open_sweep(sweep, granularity=granularity, stored=False)
    for path in opened.write():
        echo(path)
    for path in write_charts(opened) if charts else ():
        echo(path)


@verb(
    argument("sql", metavar="SQL", help='such as "from epochs where run = 3"'),
    SWEEP,
    ROWS,
)
def query(sql: str, sweep: Path | None, *, format_: str) -> None:
    """Ask the sweep's tables in DuckDB's SQL: runs, params, epochs, metrics, events and more."""
    from provrunner.report import open_sweep

    if sweep is not None and not sweep.exists() and Path(sql).is_dir():
        sql, sweep = str(sweep), Path(sql)
    echo_rows(open_sweep(sweep).rows(sql), format_)


@verb(
    SWEEP,
    argument("--read-data", action="store_true", help="also read every sealed row and checkpoint"),
    argument("--seal", action="store_true", help="seal the logs of lost runs"),
    argument(
        "--prov",
        action="store_true",
        help="also check the provenance graph against PROV's rules",
    ),
)
def verify(sweep: Path | None, *, read_data: bool, seal: bool, prov: bool) -> int:
    """Check that the logs are whole and unaltered.

    Exits 0 when whole, 1 when damaged, 2 when incomplete, 3 when there is no sweep.
    """
    from provrunner.report import verify_sweep

    try:
        found = verify_sweep(sweep, read_data=read_data, seal=seal, prov=prov)
    except LogError as error:
        warn(f"provrunner: {error}")
        return _NOT_A_SWEEP
    for finding in found.findings:
        echo(f"{finding.severity}  {finding.path}  {finding.message}")
    echo(found.verdict)
    return found.exit_code

"""The verbs that read a sweep: what it holds, what matters in it, whether it is whole."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from provrunner.cli.app import GranularityOption, RowsFormat, SweepArgument, app
from provrunner.errors import LogError

__all__ = ["query", "report", "summary", "verify"]

_NOT_A_SWEEP = 3
"""What `verify` exits with where there is no sweep; other verbs exit with 2, as for wrong usage."""


class SummaryFormat(StrEnum):
    """How a summary is printed."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


@app.command()
def summary(
    sweep: SweepArgument = None,
    format_: Annotated[SummaryFormat, typer.Option("--format")] = SummaryFormat.TABLE,
) -> None:
    """Print what matters, by how much, and what cannot be concluded."""
    from provrunner.report import open_sweep, print_summary, summary_markdown

    opened = open_sweep(sweep)
    if format_ is SummaryFormat.JSON:
        typer.echo(opened.sensitivity().to_json(), nl=False)
    elif format_ is SummaryFormat.MARKDOWN:
        typer.echo(summary_markdown(opened.sensitivity().to_dict(), about=opened.about()), nl=False)
    else:
        print_summary(opened.sensitivity().to_dict(), paths=opened.paths(), about=opened.about())


@app.command()
def report(sweep: SweepArgument = None, granularity: GranularityOption = None) -> None:
    """Write tables, PROV documents, summary and report.html anew, from the logs alone."""
    from provrunner.report import open_sweep

    opened = open_sweep(sweep, granularity=granularity.value if granularity else None)
    for path in opened.write():
        typer.echo(path)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help='such as "from epochs where run = 3"')],
    sweep: SweepArgument = None,
    format_: Annotated[RowsFormat, typer.Option("--format")] = RowsFormat.TABLE,
) -> None:
    """Ask the sweep's tables in DuckDB's SQL: runs, params, epochs, metrics, events and more."""
    from provrunner.report import open_sweep, render_rows

    if sweep is not None and not sweep.exists() and Path(sql).is_dir():
        sql, sweep = str(sweep), Path(sql)
    rows = open_sweep(sweep).sql(sql).to_arrow_table()
    typer.echo(render_rows(rows, format_.value), nl=False)


@app.command()
def verify(
    sweep: SweepArgument = None,
    read_data: Annotated[
        bool, typer.Option("--read-data", help="also read every sealed row and checkpoint")
    ] = False,
    seal: Annotated[bool, typer.Option("--seal", help="seal the logs of lost runs")] = False,
    prov: Annotated[
        bool, typer.Option("--prov", help="also check the provenance graph against PROV's rules")
    ] = False,
) -> None:
    """Check that the logs are whole and unaltered.

    Exits 0 when whole, 1 when damaged, 2 when incomplete, 3 when there is no sweep.
    """
    from provrunner.report import verify_sweep

    try:
        found = verify_sweep(sweep, read_data=read_data, seal=seal, prov=prov)
    except LogError as error:
        typer.echo(f"provrunner: {error}", err=True)
        raise typer.Exit(_NOT_A_SWEEP) from None
    for finding in found.findings:
        typer.echo(f"{finding.severity}  {finding.path}  {finding.message}")
    typer.echo(found.verdict)
    raise typer.Exit(found.exit_code)

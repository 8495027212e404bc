"""The verbs that follow provenance: where a thing came from, and what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from provrunner.cli.app import RowsFormat, SweepArgument, app

__all__ = ["lineage"]


@app.command()
def lineage(
    term: Annotated[str, typer.Argument(help="a run, checkpoint, metric, data set or node id")],
    sweep: SweepArgument = None,
    down: Annotated[
        bool, typer.Option("--down/--up", help="what was made from it; or what it was made from")
    ] = False,
    format_: Annotated[RowsFormat, typer.Option("--format")] = RowsFormat.TABLE,
    svg: Annotated[
        Optional[Path],  # noqa: UP045  typer reads it
        typer.Option(help="also draw it to this file"),
    ] = None,
) -> None:
    """Trace a number, checkpoint or run to all that made it, or to all that was made from it."""
    from provrunner.report import open_sweep, render_rows, trace

    found = trace(open_sweep(sweep), term, direction="down" if down else "up")
    typer.echo(render_rows(found.rows, format_.value), nl=False)
    if svg is not None:
        svg.write_bytes(found.draw())
        typer.echo(f"drawn to {svg}", err=True)

"""The verbs that follow provenance: where a thing came from, and what came of it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer

from provrunner.cli.app import RowsFormat, SweepArgument, app

__all__ = ["diff", "impact", "lineage", "why"]

_FILE = typer.Option(help="also draw it to this file")


class AnswerFormat(StrEnum):
    """How an answer of several parts is printed."""

    TABLE = "table"
    JSON = "json"


@app.command()
def lineage(
    term: Annotated[str, typer.Argument(help="a run, checkpoint, metric, data set or node id")],
    sweep: SweepArgument = None,
    down: Annotated[
        bool, typer.Option("--down/--up", help="what was made from it; or what it was made from")
    ] = False,
    *,
    to: Annotated[
        Optional[str],  # noqa: UP045  typer reads it
        typer.Option(metavar="TYPE", help="keep the paths to things of this type, as in dataset"),
    ] = None,
    format_: Annotated[RowsFormat, typer.Option("--format")] = RowsFormat.TABLE,
    svg: Annotated[Optional[Path], _FILE] = None,  # noqa: UP045  typer reads it
    png: Annotated[Optional[Path], _FILE] = None,  # noqa: UP045  typer reads it
) -> None:
    """Trace a number, checkpoint or run to all that made it, or to all that was made from it."""
    from provrunner.report import open_sweep, render_rows, trace, write_picture

    found = trace(open_sweep(sweep), term, direction="down" if down else "up", to=to)
    rows = found.rows if format_ is RowsFormat.TABLE else found.details
    typer.echo(render_rows(rows, format_.value), nl=False)
    for path, draw in ((svg, found.draw), (png, found.draw_png)):
        if path is not None:
            write_picture(path, draw())
            typer.echo(f"drawn to {path}", err=True)


@app.command()
def why(
    term: Annotated[
        str, typer.Argument(help="a hyperparameter, pair (lr x width), noise, seed, best, metric")
    ],
    sweep: SweepArgument = None,
    format_: Annotated[AnswerFormat, typer.Option("--format")] = AnswerFormat.TABLE,
) -> None:
    """Tell what a number of the summary rests on: method, interval, runs and logged rows."""
    from provrunner.report import explain, open_sweep

    found = explain(open_sweep(sweep), term)
    is_json = format_ is AnswerFormat.JSON
    typer.echo(found.to_json() if is_json else found.to_text(), nl=False)


@app.command()
def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="a run: 3, best, its id, or SWEEP:RUN")],
    b: Annotated[str, typer.Argument(metavar="B", help="another run")],
    sweep: SweepArgument = None,
    format_: Annotated[AnswerFormat, typer.Option("--format")] = AnswerFormat.TABLE,
) -> None:
    """Compare two runs; what may explain most of their difference comes first."""
    from provrunner.report import diff_runs

    found = diff_runs(a, b, sweep)
    is_json = format_ is AnswerFormat.JSON
    typer.echo(found.to_json() if is_json else found.to_text(), nl=False)


@app.command()
def impact(
    terms: Annotated[
        list[str],
        typer.Argument(
            metavar="TERM... [SWEEP]", help="data sets, commits, source files, runs, checkpoints"
        ),
    ],
    format_: Annotated[RowsFormat, typer.Option("--format")] = RowsFormat.TABLE,
) -> None:
    """List the runs, checkpoints and numbers that depend on something that was wrong."""
    from provrunner.report import impact_of, open_sweep, render_rows

    last = Path(terms[-1]) if len(terms) > 1 and Path(terms[-1]).is_dir() else None
    names = terms if last is None else terms[:-1]
    typer.echo(render_rows(impact_of(open_sweep(last), names), format_.value), nl=False)

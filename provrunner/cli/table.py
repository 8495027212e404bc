"""The verb that reads anyone's table of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from provrunner.cli.app import app
from provrunner.cli.read import SummaryFormat

__all__ = ["analyze"]


@app.command()
def analyze(
    runs: Annotated[
        Path,
        typer.Argument(
            metavar="RUNS",
            help="a .csv, .tsv, .parquet or .feather file; MLflow's or Optuna's database, mlruns, "
            "or a folder of Lightning's CSV logs",
        ),
    ],
    *,
    objective: Annotated[
        Optional[list[str]],  # noqa: UP045  typer reads it
        typer.Option(help="column to judge by; given again for further ones"),
    ] = None,
    direction: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="minimize (if left out) or maximize; one for all objectives, or each"),
    ] = None,
    experiment: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="the MLflow experiment or Optuna study, where there are several"),
    ] = None,
    parameters: Annotated[
        Optional[str],  # noqa: UP045  typer reads it
        typer.Option(help="columns that were varied, by commas; all that look so if left out"),
    ] = None,
    seed: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="column of the seeds; 'seed' or '….seed' if left out"),
    ] = None,
    format_: Annotated[SummaryFormat, typer.Option("--format")] = SummaryFormat.TABLE,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="also write JSON, Markdown, Parquet and a next sweep to this folder"),
    ] = None,
) -> None:
    """Print what matters in a table of runs from anywhere, one row a run."""
    from provrunner.report import (
        analyze_store,
        print_summary,
        summary_markdown,
        write_summary,
    )

    found = analyze_store(
        runs,
        objective,
        direction=direction[0] if direction and len(direction) == 1 else direction,
        parameters=None if parameters is None else [name.strip() for name in parameters.split(",")],
        seed=seed,
        experiment=experiment,
    )
    if format_ is SummaryFormat.JSON:
        typer.echo(found.to_json(), nl=False)
    elif format_ is SummaryFormat.MARKDOWN:
        typer.echo(summary_markdown(found.to_dict()), nl=False)
    else:
        print_summary(found.to_dict())
    for path in () if out is None else write_summary(found, out):
        typer.echo(path, err=True)

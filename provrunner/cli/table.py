"""The verb that reads anyone's table of runs."""

from __future__ import annotations

from pathlib import Path

from provrunner.cli.app import argument, echo, verb, warn
from provrunner.cli.read import SUMMARY

__all__ = ["analyze"]


@verb(
    argument(
        "runs",
        type=Path,
        metavar="RUNS",
        help="a .csv, .tsv, .parquet or .feather file; MLflow's or Optuna's database, mlruns, "
        "or a folder of Lightning's CSV logs",
    ),
    argument(
        "--objective",
        action="append",
        metavar="COLUMN",
        help="column to judge by; given again for further ones",
    ),
    argument(
        "--direction",
        action="append",
        metavar="DIRECTION",
        help="minimize (if left out) or maximize; one for all objectives, or each",
    ),
    argument(
        "--experiment",
        metavar="NAME",
        help="the MLflow experiment or Optuna study, where there are several",
    ),
    argument(
        "--parameters",
        metavar="COLUMNS",
        help="columns that were varied, by commas; all that look so if left out",
    ),
    argument(
        "--seed", metavar="COLUMN", help="column of the seeds; 'seed' or '….seed' if left out"
    ),
    SUMMARY,
    argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="also write JSON, Markdown, Parquet and a next sweep to this folder",
    ),
)
def analyze(
    runs: Path,
    *,
    objective: list[str] | None,
    direction: list[str] | None,
    experiment: str | None,
    parameters: str | None,
    seed: str | None,
    format_: str,
    out: Path | None,
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
    if format_ == "json":
        echo(found.to_json(), end="")
    elif format_ == "markdown":
        echo(summary_markdown(found.to_dict()), end="")
    else:
        print_summary(found.to_dict())
    for path in () if out is None else write_summary(found, out):
        warn(path)

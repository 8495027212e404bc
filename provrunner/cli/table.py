"""The verbs that read anyone's runs: a table of them, or another tool's store."""

from __future__ import annotations

from pathlib import Path

from provrunner.cli.app import argument, verb, warn
from provrunner.cli.read import SUMMARY, print_as, print_sweep

__all__ = ["analyze", "import_"]

_RUNS = argument(
    "runs",
    type=Path,
    metavar="RUNS",
    help="a .csv, .tsv, .parquet or .feather file; MLflow's database or mlruns, Optuna's "
    "database or journal, W&B's offline runs, TensorBoard's or CSVLogger's logs",
)
_HOW = (
    argument(
        "--objective",
        action="append",
        metavar="COLUMN",
        help="column or metric to judge by; given again for further ones",
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
        "--tool",
        metavar="NAME",
        help="mlflow, wandb, tensorboard or lightning, where a folder holds runs of several",
    ),
    argument(
        "--parameters",
        metavar="COLUMNS",
        help="columns that were varied, by commas; all that look so if left out",
    ),
    argument(
        "--seed", metavar="COLUMN", help="column of the seeds; 'seed' or '….seed' if left out"
    ),
)


@verb(
    _RUNS,
    *_HOW,
    SUMMARY,
    argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="also write JSON, Markdown, Parquet and a next sweep to this folder",
    ),
)
def analyze(  # noqa: PLR0913  called with its words by name
    runs: Path,
    *,
    objective: list[str] | None,
    direction: list[str] | None,
    experiment: str | None,
    tool: str | None,
    parameters: str | None,
    seed: str | None,
    format_: str,
    out: Path | None,
) -> None:
    """Print what matters in runs from anywhere: a table, or what another tool stored."""
    from provrunner.report import analyze_store, write_summary

    found = analyze_store(
        runs,
        objective,
        direction=_one_or_each(direction),
        parameters=_names(parameters),
        seed=seed,
        experiment=experiment,
        tool=tool,
    )
    print_as(found, format_)
    for path in () if out is None else write_summary(found, out):
        warn(path)


@verb(
    _RUNS,
    argument(
        "--to",
        type=Path,
        metavar="FOLDER",
        help="a new or empty folder; one below outputs if left out",
    ),
    *_HOW,
    name="import",
)
def import_(
    runs: Path,
    *,
    to: Path | None,
    objective: list[str] | None,
    direction: list[str] | None,
    experiment: str | None,
    tool: str | None,
    parameters: str | None,
    seed: str | None,
) -> None:
    """Make a sweep folder of runs from anywhere, for summary, report, query and all other verbs."""
    from provrunner.report import import_runs

    sweep = import_runs(
        runs,
        objective,
        to=to,
        direction=_one_or_each(direction),
        parameters=_names(parameters),
        seed=seed,
        experiment=experiment,
        tool=tool,
    )
    sweep.write()
    print_sweep(sweep)


def _one_or_each(direction: list[str] | None) -> str | list[str] | None:
    return direction[0] if direction and len(direction) == 1 else direction


def _names(parameters: str | None) -> list[str] | None:
    return None if parameters is None else [name.strip() for name in parameters.split(",")]

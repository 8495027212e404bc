"""What all verbs share: the application they belong to, and the words they have in common."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer

__all__ = ["GranularityOption", "RowsFormat", "SweepArgument", "app"]

_HELP = """Run hyperparameter sweeps, learn which hyperparameters matter, and prove where every
number came from.

\b
  provrunner +sweep=lr_grid                      run a sweep that conf/sweep/ declares
  provrunner model=convnet optimizer.lr=0.01     run one trial
  provrunner -m optimizer.lr=0.01,0.1 seed=0,1   sweep in Hydra's own grammar
  provrunner --cfg job +sweep=lr_grid            show the configuration and run nothing

The verbs below read a sweep, also while it runs. SWEEP is its folder, or a folder above it for the
newest one there; left out, it is the newest sweep below ./outputs.
"""

app = typer.Typer(
    name="provrunner",
    help=_HELP,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

SweepArgument = Annotated[
    Optional[Path],  # noqa: UP045  typer reads it
    typer.Argument(metavar="[SWEEP]", help="the sweep's folder; the newest one if left out"),
]


class Granularity(StrEnum):
    """How finely the provenance graph tells training."""

    RUN = "run"
    STAGE = "stage"
    EPOCH = "epoch"
    CHECKPOINTED = "checkpointed"


GranularityOption = Annotated[
    Optional[Granularity],  # noqa: UP045  typer reads it
    typer.Option(help="how finely training is told; as configured if left out"),
]


class RowsFormat(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"

"""The verb that runs someone else's script and records it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from provrunner.cli.app import app

__all__ = ["execute"]

_MOST_NAMES = 10


@app.command(
    "exec",
    context_settings={"allow_interspersed_args": False, "help_option_names": ["--help", "-h"]},
)
def execute(  # noqa: PLR0917  typer calls it by name
    target: Annotated[str, typer.Argument(metavar="SCRIPT", help="a Python script")],
    arguments: Annotated[
        Optional[list[str]],  # noqa: UP045  typer reads it
        typer.Argument(metavar="ARGS", help="what the script is called with"),
    ] = None,
    module: Annotated[bool, typer.Option("-m", help="SCRIPT is a module's name")] = False,
    name: Annotated[
        Optional[str],  # noqa: UP045  typer reads it
        typer.Option(help="of the sweep; the script's name if left out"),
    ] = None,
    objective: Annotated[str, typer.Option(help="the metric to judge by")] = "val/loss",
    direction: Annotated[str, typer.Option(help="minimize or maximize")] = "minimize",
    folder: Annotated[Path, typer.Option(help="where the sweep's folder is made")] = Path(
        "outputs"
    ),
) -> None:
    """Run a script unchanged, and record every Trainer in it as a run of one sweep.

    Exits with the script's own code. The summary goes to stderr: stdout is the script's.
    """
    from provrunner.run.execute import run_script

    ended = run_script(
        target,
        arguments or (),
        module=module,
        name=name,
        objective=objective,
        direction=direction,
        folder=folder,
    )
    from rich.console import Console

    from provrunner.report import open_sweep, print_summary

    sweep = open_sweep(ended.folder)
    sweep.write()
    print_summary(
        sweep.sensitivity().to_dict(),
        console=Console(stderr=True, highlight=False),
        paths=sweep.paths(),
    )
    logged = sweep.sql("select distinct name from metrics order by name").fetchall()
    if logged and (objective,) not in logged:
        typer.echo(
            f"{objective} was never logged: judge by another metric with --objective; there are "
            + ", ".join(name for (name,) in logged[:_MOST_NAMES])
            + (" …" if len(logged) > _MOST_NAMES else ""),
            err=True,
        )
    raise typer.Exit(ended.exit_code)

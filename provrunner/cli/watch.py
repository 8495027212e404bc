"""The verb that follows a sweep while it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from provrunner.cli.app import SweepArgument, app

__all__ = ["watch"]


@app.command()
def watch(
    sweep: SweepArgument = None,
    once: Annotated[bool, typer.Option("--once", help="show how it stands and stop")] = False,
) -> None:
    """Follow a sweep until it ends, from any terminal.

    Exits 1 when a run failed, diverged, or was interrupted or lost.
    """
    from provrunner.report import watch as watch_sweep

    standing = watch_sweep(sweep, once=once)
    raise typer.Exit(1 if standing.bad or standing.is_lost else 0)

"""The verb that runs someone else's script and records it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from provrunner.cli.app import argument, verb, warn

__all__ = ["execute"]

_MOST_NAMES = 10


@verb(
    argument("-m", dest="module", action="store_true", help="SCRIPT is a module's name"),
    argument("--name", help="of the sweep; the script's name if left out"),
    argument(
        "--objective",
        metavar="METRIC",
        default="val/loss",
        help="the metric to judge by; val/loss if left out",
    ),
    argument(
        "--direction",
        metavar="DIRECTION",
        default="minimize",
        help="minimize (if left out) or maximize",
    ),
    argument(
        "--folder",
        type=Path,
        default=Path("outputs"),
        help="where the sweep's folder is made; outputs if left out",
    ),
    argument("target", metavar="SCRIPT", help="a Python script"),
    argument(
        "arguments", nargs=argparse.REMAINDER, metavar="ARGS", help="what the script is called with"
    ),
    name="exec",
)
def execute(
    target: str,
    arguments: Sequence[str],
    *,
    module: bool,
    name: str | None,
    objective: str,
    direction: str,
    folder: Path,
) -> int:
    """Run a script unchanged, and record every Trainer in it as a run of one sweep.

    Exits with the script's own code. The summary goes to stderr: stdout is the script's.
    """
    from provrunner.run.execute import run_script

    ended = run_script(
        target,
        arguments,
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
        about=sweep.about(),
    )
    logged = sweep.sql("select distinct name from metrics order by name").fetchall()
    if logged and (objective,) not in logged:
        # of several validation loaders each has an ending of its own, which one must be told
        logged.sort(key=lambda row: not row[0].startswith(f"{objective}/"))
        warn(
            f"{objective} was never logged: judge by another metric with --objective; there are "
            + ", ".join(name for (name,) in logged[:_MOST_NAMES])
            + (" …" if len(logged) > _MOST_NAMES else "")
        )
    return ended.exit_code

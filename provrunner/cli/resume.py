"""The verb that goes on with a sweep."""

from __future__ import annotations

import sys
from pathlib import Path

from provrunner.cli.app import argument, verb
from provrunner.cli.repeat import sweep_and_changes, warn_of

__all__ = ["resume"]


@verb(
    argument(
        "words",
        nargs="*",
        metavar="SWEEP | KEY=VALUE",
        help="the sweep's folder; what adds runs, such as sweep.replicates=5",
    ),
    argument("--failed", action="store_true", help="run those that failed, too"),
    argument(
        "--anew", action="store_true", help="start them with the first step, from no checkpoint"
    ),
    argument(
        "--trust",
        action="append",
        metavar="PACKAGE",
        help="may be called by a sweep of another machine",
    ),
)
def resume(words: list[str], *, failed: bool, anew: bool, trust: list[str] | None) -> int:
    """Run what is left of a sweep, and what is added to it; never what has finished."""
    from provrunner.log import find_sweep
    from provrunner.report import open_sweep, print_summary
    from provrunner.run import resume_sweep

    given, changes = sweep_and_changes(words)
    folder = find_sweep(given)
    sys.path[:0] = [] if str(Path.cwd()) in sys.path else [str(Path.cwd())]
    outcome = resume_sweep(
        folder, changes, failed=failed, anew=anew, trusted=trust or (), warn=warn_of
    )
    sweep = open_sweep(outcome.folder)
    sweep.write()
    print_summary(sweep.sensitivity().to_dict(), paths=sweep.paths(), about=sweep.about())
    return outcome.exit_code

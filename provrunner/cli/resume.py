"""The verb that goes on with a sweep."""

from __future__ import annotations

from provrunner.cli.app import argument, import_from_here, verb
from provrunner.cli.read import write_and_print
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
    from provrunner.run import resume_sweep

    given, changes = sweep_and_changes(words)
    folder = find_sweep(given)
    import_from_here()
    outcome = resume_sweep(
        folder, changes, failed=failed, anew=anew, trusted=trust or (), warn=warn_of
    )
    write_and_print(outcome.folder)
    return outcome.exit_code

"""The verb that follows a sweep while it runs."""

from __future__ import annotations

from pathlib import Path

from provrunner.cli.app import SWEEP, argument, verb

__all__ = ["watch"]


@verb(SWEEP, argument("--once", action="store_true", help="show how it stands and stop"))
def watch(sweep: Path | None, *, once: bool) -> int:
    """Follow a sweep until it ends, from any terminal.

    Exits 1 when a run failed, diverged, or was interrupted or lost.
    """
    from provrunner.report import watch as watch_sweep

    standing = watch_sweep(sweep, once=once)
    return 1 if standing.bad or standing.is_lost else 0

"""The verb that frees the bytes of checkpoints."""

from __future__ import annotations

from pathlib import Path

from provrunner.cli.app import SWEEP, argument, echo, verb

__all__ = ["gc"]


@verb(
    SWEEP,
    argument(
        "--keep-best",
        type=int,
        default=1,
        metavar="K",
        help="keep the checkpoints of the K best runs; of 1 if left out",
    ),
    argument("--dry", action="store_true", help="say what would be freed, and free nothing"),
)
def gc(sweep: Path | None, *, keep_best: int, dry: bool) -> None:
    """Remove checkpoints that nothing needs; logs, graph and `verify` go on telling of them.

    Those of runs that have not ended, or that `resume` may go on with, are kept.
    """
    from provrunner.report import collect_checkpoints, find_garbage, open_sweep, size, visible

    opened = open_sweep(sweep)
    found = find_garbage(opened, keep_best=keep_best)
    for one in found.garbage:
        echo(visible(f"{one.run_id}/{one.path}  {size(one.size_bytes)}"))
    kept = ", ".join(found.kept_runs) or "none"
    echo(f"kept: checkpoints of the best runs ({kept}) and of {found.unfinished} without an end")
    if dry:
        echo(f"would free {size(found.size_bytes)} of {len(found.garbage)} checkpoints")
        return
    freed = collect_checkpoints(opened, found)
    echo(f"freed {size(freed)} of {len(found.garbage)} checkpoints")

"""Checkpoints that were removed after their runs, to free their bytes."""

from __future__ import annotations

import pyarrow as pa

from provrunner.graph.build_run import add_agent
from provrunner.graph.context import Context
from provrunner.ids import qualified_id

__all__ = ["add_collected", "removal_keys"]


def removal_keys(collected: pa.Table) -> list[tuple[str, str, int]]:
    """Return run id, path and time in microseconds of each row of the table `collected`."""
    times = collected["time"].cast(pa.int64())
    columns = (collected["run_id"], collected["path"], times)
    return list(zip(*(column.to_pylist() for column in columns), strict=True))


def add_collected(context: Context, collected: pa.Table) -> None:
    """State each clean-up, who was behind it, and the checkpoints that it made an end of.

    Args:
        context: the build, with all runs stated.
        collected: `schema.TABLES["collected"]`.
    """
    relate = context.statements.relate
    for row, key in zip(collected.to_pylist(), removal_keys(collected), strict=True):
        # a second tombstone finds none, nor does one of nothing
        checkpoints, time = context.collected.pop(key, []), key[2]
        if not checkpoints:
            continue
        cleaning = context.statements.add(
            "activity",
            qualified_id("cleanup", context.plan.sweep_id, time, row["user"]),
            "pr:Cleanup",
            "remove checkpoints",
            start=time,
            end=time,
        )
        if row["user"]:
            person = add_agent(context, row["user"], person=True)
            relate("was_associated_with", cleaning, person, person)
        for checkpoint in checkpoints:
            relate("was_invalidated_by", checkpoint, cleaning, run=row["run"], time=time)

"""Checkpoints that were removed after their runs, to free their bytes."""

from __future__ import annotations

import pyarrow as pa

from provrunner.graph.build_run import add_agent
from provrunner.graph.context import Context
from provrunner.ids import qualified_id

__all__ = ["add_collected"]


def add_collected(context: Context, collected: pa.Table) -> None:
    """State each clean-up, who was behind it, and the checkpoints that it made an end of.

    Args:
        context: the build, with all runs stated.
        collected: `schema.TABLES["collected"]`.
    """
    relate, ended = context.statements.relate, set()
    times = collected["time"].cast(pa.int64()).to_pylist()
    for row, time in zip(collected.to_pylist(), times, strict=True):
        checkpoint = context.collected.get((row["run_id"], row["path"]))
        if checkpoint is None or checkpoint in ended:
            continue  # a tombstone of nothing, or a second one
        ended.add(checkpoint)
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
        relate("was_invalidated_by", checkpoint, cleaning, run=row["run"], time=time)

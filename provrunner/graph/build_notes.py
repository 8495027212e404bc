"""What people said of a sweep and its runs."""

from __future__ import annotations

import pyarrow as pa

from provrunner.graph.build_run import add_agent
from provrunner.graph.context import Context
from provrunner.ids import qualified_id

__all__ = ["add_notes"]


def add_notes(context: Context, notes: pa.Table) -> None:
    """State each note, whom it is attributed to, and the run or sweep that it is about.

    Args:
        context: the build, with all runs stated.
        notes: `schema.TABLES["notes"]`.
    """
    runs = {record.row["run_id"]: context.run(record) for record in context.records}
    for row in notes.to_pylist():
        if row["run_id"] is not None and row["run_id"] not in runs:
            continue  # about a run that has not begun: it has no activity yet
        time = row["time"].isoformat().replace("+00:00", "Z")
        note = context.statements.add(
            "entity",
            qualified_id("note", context.plan.sweep_id, row["run_id"], time, row["text"]),
            "pr:Note",
            row["text"],
            run=row["run"],
            attributes={"text": row["text"], "saidAt": time},
        )
        about = context.sweep if row["run_id"] is None else runs[row["run_id"]]
        context.statements.relate("was_influenced_by", note, about, about, run=row["run"])
        if row["user"]:
            person = add_agent(context, row["user"], person=True)
            context.statements.relate("was_attributed_to", note, person, person, run=row["run"])

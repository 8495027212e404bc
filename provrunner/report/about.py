"""What is known of a sweep beside its results: why it ran, where it came from, what was noted."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from provrunner.plan import Plan
from provrunner.report.numbers import number

__all__ = ["about_lines"]

_NAMED = 8


def about_lines(plan: Plan, runs: pa.Table, notes: pa.Table | None = None) -> tuple[str, ...]:
    """Return a line for the reason, what was repeated, imported or added, further runs and notes.

    Args:
        plan: the sweep's plan.
        runs: the public table `runs`; eight that the plan does not know are named, and eight of a
            program that made several.
        notes: the public table `notes`.
    """
    lines = [] if plan.reason is None else [f"reason: {plan.reason}"]
    if plan.origin is not None:
        lines.append(f"repeats run {plan.origin.run_id} of {plan.origin.sweep_id}")
    if plan.imported is not None:
        version = f" {plan.imported.version}" if plan.imported.version else ""
        lines.append(f"imported from {plan.imported.tool}{version}: {plan.imported.path}")
        lines.extend(f"not imported: {message}" for message in plan.imported.skipped)
    firsts = [*(extension.first for extension in plan.extensions), len(plan.points)]
    for extension, end in zip(plan.extensions, firsts[1:], strict=True):
        several = f"runs {extension.first} to {end - 1} were"
        which = several if end - extension.first > 1 else f"run {extension.first} was"
        lines.append(f"{which} added {extension.created} by {shlex.join(extension.command)}")
    lines.extend(_run_lines(plan, runs.to_pylist()))
    for row in [] if notes is None else notes.to_pylist():
        what = "" if row["run_id"] is None else f" on {row['run_id']}"
        who = f" by {row['user']}" if row["user"] else ""
        lines.append(f"note{what}{who}, {row['time']:%Y-%m-%d %H:%M} UTC: {row['text']}")
    return tuple(lines)


def _run_lines(plan: Plan, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Name the runs that no plan declared: those of a program, where it made several."""
    planned = {point.run_id for point in plan.points}
    unplanned = [row for row in rows if row["run_id"] not in planned]
    named = rows if plan.is_program and len(rows) > 1 else unplanned
    word = " was not planned" if named is unplanned else ""
    for row in named[:_NAMED]:
        yield f"run {row['run_id']}{word}: {_outcome(row, plan.objective.metric)}"
    if len(named) > _NAMED:
        yield f"and {len(named) - _NAMED} more runs{' that were not planned' if word else ''}"


def _outcome(row: Mapping[str, Any], metric: str) -> str:
    reached = "" if row["objective"] is None else f", {metric} {number(row['objective'])}"
    reason = f" ({row['reason']})" if row["reason"] and row["objective"] is None else ""
    return f"{row['status']}{reached}{reason}"

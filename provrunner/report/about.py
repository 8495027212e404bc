"""What is known of a sweep beside its results: why it ran, where it came from, what was noted."""

from __future__ import annotations

import shlex

import pyarrow as pa

from provrunner.plan import Plan

__all__ = ["about_lines"]


def about_lines(plan: Plan, notes: pa.Table | None = None) -> tuple[str, ...]:
    """Return a line for the reason, what was repeated or imported, each extension and each note.

    Args:
        plan: the sweep's plan.
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
        lines.append(
            f"runs {extension.first} to {end - 1} were added {extension.created} by "
            f"{shlex.join(extension.command)}"
        )
    for row in [] if notes is None else notes.to_pylist():
        what = "" if row["run_id"] is None else f" on {row['run_id']}"
        who = f" by {row['user']}" if row["user"] else ""
        lines.append(f"note{what}{who}, {row['time']:%Y-%m-%d %H:%M} UTC: {row['text']}")
    return tuple(lines)

"""The store of another tool that a sweep was made from, and the runs in it."""

from __future__ import annotations

from provrunner.graph.build_run import add_agent
from provrunner.graph.context import Context, microseconds
from provrunner.graph.records import RunRecord
from provrunner.ids import canonical_json, digest, qualified_id

__all__ = ["add_import", "add_stored_run"]

_IMPORTER = "provrunner"


def add_import(context: Context) -> None:
    """State the store, and that provrunner read it after the runs had ended."""
    imported, statements = context.plan.imported, context.statements
    if imported is None:
        return
    context.store = statements.add(
        "entity",
        qualified_id("store", imported.path, imported.sha256),
        ("pr:RunStore", "prov:Collection"),
        f"runs stored by {imported.tool}",
        attributes={
            "tool": imported.tool,
            "version": imported.version,
            "path": imported.path,
            "sha256": imported.sha256,
        },
    )
    activity = statements.add(
        "activity",
        qualified_id("import", context.plan.sweep_id),
        "pr:Import",
        f"import from {imported.tool}",
        start=microseconds(context.plan.created),
        attributes={"runs": len(context.plan.points), "leftOut": len(imported.skipped)},
    )
    statements.relate("used", activity, context.store, "store")
    context.importer = add_agent(context, _IMPORTER, imported.by_version)
    statements.relate("was_associated_with", activity, context.importer, context.importer)


def add_stored_run(context: Context, record: RunRecord, config: str) -> None:
    """State what the store holds of a run, which its configuration was read from."""
    event = record.event("origin")
    if event is None or context.store is None:
        return
    files = event.data.get("files")
    files = files if isinstance(files, dict) else {}
    told = next(iter(files.values())) if len(files) == 1 else digest(canonical_json(files))
    stored = context.statements.add(
        "entity",
        f"{context.run(record)}.stored",
        "pr:StoredRun",
        f"run {event.data.get('name') or event.subject} of {event.data.get('tool')}",
        run=record.number,
        attributes={
            "name": event.subject,
            "status": event.data.get("status"),
            "path": next(iter(files)) if len(files) == 1 else None,
            "sha256": told if files else None,
        },
    )
    relate = context.statements.relate
    relate("had_member", context.store, stored, stored)
    relate("was_derived_from", config, stored, "stored", run=record.number)

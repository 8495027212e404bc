"""The run that a run repeats, as far as its repetition knows of it."""

from __future__ import annotations

from provrunner.graph.context import Context
from provrunner.graph.records import RunRecord
from provrunner.ids import qualified_id

__all__ = ["add_origin"]


def add_origin(context: Context, record: RunRecord, config: str) -> None:
    """State what a run repeats, by the ids that it has in its own sweep's graph.

    The run was informed by the other; its configuration derives from the other's, unless the two
    are the same.

    Args:
        context: the build.
        record: a run of it.
        config: id of the run's configuration.
    """
    origin, statements = context.plan.origin, context.statements
    if origin is None or (len(context.records) > 1 and record.number != origin.run):
        return  # of a script that is run again one run alone is meant
    original = statements.add(
        "activity",
        qualified_id("run", origin.sweep_id, origin.run, origin.seed, origin.attempt),
        "pr:OriginalRun",
        f"run {origin.run_id} of {origin.sweep_id}",
        attributes={
            "run": origin.run,
            "runId": origin.run_id,
            "sweepId": origin.sweep_id,
            "seed": origin.seed,
            "attempt": origin.attempt,
        },
    )
    relate = statements.relate
    relate("was_informed_by", context.run(record), original, original, run=record.number)
    if origin.config_sha256 is None:
        return
    recorded = f"config-{origin.config_sha256[:16]}"
    if recorded != config:
        statements.add(
            "entity",
            recorded,
            ("pr:RunConfig", "prov:Plan"),
            f"config of run {origin.run_id} of {origin.sweep_id}",
            attributes={"sha256": origin.config_sha256},
        )
        relate("was_derived_from", config, recorded, recorded, run=record.number)
    relate("used", original, recorded, "config", role="pr:config")

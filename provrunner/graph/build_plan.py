"""The sweep as it was declared, carried out and collected."""

from __future__ import annotations

from provrunner.graph.build_steps import add_steps
from provrunner.graph.context import Context
from provrunner.graph.records import Row
from provrunner.graph.terms import parse_json
from provrunner.ids import canonical_json, digest, qualified_id

__all__ = ["SEED", "add_plan", "add_results", "add_setting"]

SEED = "seed"
"""The setting that tells replicates apart; stated for each run as the swept ones are."""


def add_plan(context: Context) -> None:
    """State the sweep, its configuration, its hyperparameters and what all runs share."""
    _add_sweep_config(context)
    _add_extensions(context)
    _add_sweep(context)
    for axis in context.plan.hyperparameters:
        id = context.statements.add(  # noqa: A001
            "entity",
            context.hyperparameter(axis.name),
            ("pr:Hyperparameter", "mls:HyperParameter"),
            axis.name,
            attributes={
                "name": axis.name,
                "level": [_level(level) for level in axis.levels],
                "scale": axis.scale,
                "low": axis.low,
                "high": axis.high,
                "default": axis.default,
                "grammar": axis.grammar or None,
                "when": canonical_json(axis.when) if axis.when else None,
            },
        )
        context.statements.relate("was_derived_from", id, context.sweep_config)
    settings = {
        row["name"]: add_setting(context, context.sweep_config, row)
        for row in _shared_settings(context)
    }
    if context.plan.imported is None:
        # What other tools ran had no steps that anybody declared.
        add_steps(context, settings)


def add_results(context: Context) -> None:
    """State the collection of all runs' results, complete when the sweep has ended."""
    collection = context.statements.add(
        "entity",
        qualified_id("results", context.plan.sweep_id),
        ("pr:SweepResults", "prov:Collection"),
        f"results of {context.plan.name}",
        attributes={"runs": len(context.results)},
    )
    context.statements.relate("was_generated_by", collection, context.sweep, time=context.span.end)
    for result in context.results:
        context.statements.relate("had_member", collection, result, result)


def add_setting(context: Context, config: str, row: Row, run: int | None = None) -> str:
    """State one leaf of a configuration, shared by all configurations with the same value.

    Returns:
        The id of the setting.
    """
    value = parse_json(row["value"])
    setting = context.statements.add(
        "entity",
        qualified_id("setting", context.plan.sweep_id, row["name"], row["value"]),
        ("mls:HyperParameterSetting", "pr:Setting", "schema:PropertyValue"),
        f"{row['name']} = {row['value']}",
        attributes={
            "name": row["name"],
            "prov:value": value,
            "origin": row["origin"],
            "source": row["source"],
            "reads": row["reads"],
        },
    )
    context.statements.relate("had_member", config, setting, setting, run=run)
    return setting


def _add_sweep_config(context: Context) -> None:
    plan = context.plan
    context.statements.add(
        "entity",
        context.sweep_config,
        ("pr:SweepConfig", "prov:Plan", "prov:Collection", "provone:Workflow"),
        " ".join(plan.command) or plan.name,
        attributes={
            "name": plan.name,
            "sha256": plan.spec_sha256,
            "configSha256": plan.config_sha256 or None,
            "design": plan.design,
            "metric": plan.objective.metric,
            "direction": plan.objective.direction,
            "at": plan.objective.at,
            "seeds": plan.seeds,
            "replicates": plan.replicates,
            "plannedRuns": None if plan.is_program else len(plan.points),
            "purpose": plan.reason,
            "pruning": canonical_json(plan.pruning) if plan.pruning else None,
            "zipped": [canonical_json(list(group)) for group in plan.zipped],
            "stopped": plan.stopped,
            "command": canonical_json(list(plan.command)) if plan.command else None,
        },
    )


def _add_extensions(context: Context) -> None:
    """State what was asked for after the sweep had begun; only what it added derives from it."""
    extensions = context.plan.extensions
    firsts = [*(extension.first for extension in extensions), len(context.plan.points)]
    for number, (extension, end) in enumerate(zip(extensions, firsts[1:], strict=True)):
        asked = context.statements.add(
            "entity",
            qualified_id("extension", context.plan.sweep_id, number),
            ("pr:Extension", "prov:Plan"),
            " ".join(extension.command) or f"extension {number}",
            attributes={
                "command": canonical_json(list(extension.command)) if extension.command else None,
                "saidAt": extension.created,
                "firstRun": extension.first,
                "runs": end - extension.first,
            },
        )
        context.statements.relate("was_derived_from", asked, context.sweep_config)
        context.extensions.update(dict.fromkeys(range(extension.first, end), asked))


def _add_sweep(context: Context) -> None:
    span = context.span
    context.statements.add(
        "activity",
        context.sweep,
        ("pr:Sweep",),
        f"sweep {context.plan.name}",
        start=span.start,
        end=span.end,
        attributes={"name": context.plan.name, "sweepId": context.plan.sweep_id},
    )
    context.statements.relate(
        "used",
        context.sweep,
        context.sweep_config,
        "config",
        time=span.start,
        role="pr:config",
    )
    _add_sampler(context)


def _add_sampler(context: Context) -> None:
    """State what chose the points of an adaptive sweep, with its seed and options."""
    sampler = context.plan.sampler
    if sampler is None:
        return
    agent = context.statements.add(
        "agent",
        qualified_id("software", sampler.agent, sampler.version, context.plan.sweep_id),
        ("prov:SoftwareAgent", "pr:Sampler"),
        f"{sampler.agent} {sampler.version}",
        attributes={
            "name": sampler.agent,
            "version": sampler.version,
            "seed": sampler.seed,
            "options": canonical_json(sampler.options),
        },
    )
    context.statements.relate(
        "was_associated_with",
        context.sweep,
        agent,
        agent,
        plan=context.sweep_config,
        role="pr:sampler",
    )


def _shared_settings(context: Context) -> list[Row]:
    """Return the leaves that all configured runs have with one value."""
    own = {SEED, *(axis.name for axis in context.plan.hyperparameters)}
    configured = [record.params for record in context.records if record.params]
    if not configured:
        return []
    first = configured[0]
    shared = {
        name: row
        for name, row in first.items()
        if name not in own
        and all(name in params and params[name]["value"] == row["value"] for params in configured)
    }
    context.shared = frozenset(shared)
    return [shared[name] for name in sorted(shared)]


def _level(level: object) -> object:
    return canonical_json(level) if isinstance(level, list | dict | tuple | None) else level


def config_digest(params: dict[str, Row]) -> str:
    """Return the SHA-256 of a resolved configuration's leaves."""
    return digest(canonical_json({name: row["value"] for name, row in params.items()}))

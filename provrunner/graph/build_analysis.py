"""The sensitivity analysis: each statement of the summary, and the values it rests on."""

from __future__ import annotations

import pyarrow as pa

from provrunner.graph.build_steps import add_carried_out
from provrunner.graph.context import Context
from provrunner.graph.records import Row
from provrunner.graph.terms import local_name
from provrunner.ids import qualified_id

__all__ = ["add_analysis"]

_ATTRIBUTES = {
    "component": "component",
    "kind": "componentKind",
    "order": "order",
    "share": "share",
    "low": "shareLow",
    "high": "shareHigh",
    "total": "total",
    "shapley": "shapley",
    "df": "degreesOfFreedom",
    "f": "fStatistic",
    "p": "pValue",
    "p_holm": "pHolm",
    "significant": "significant",
    "effect": "effect",
    "effect_low": "effectLow",
    "effect_high": "effectHigh",
    "effect_sigma": "effectSigma",
    "n_runs": "runs",
}
_CROSS = " × "


def add_analysis(context: Context, effects: pa.Table, method: str | None = None) -> None:
    """State the analysis and its results, without times: the log gives it anew at will.

    An influence of a hyperparameter is stated of the analysis's result, never as a fact of a run.

    Args:
        context: the build, with all runs stated.
        effects: `schema.TABLES["sensitivity"]`.
        method: how they were computed.
    """
    if not effects.num_rows:
        return
    statements, sweep_id = context.statements, context.plan.sweep_id
    analysis = statements.add(
        "activity",
        qualified_id("analysis", sweep_id),
        "pr:SensitivityAnalysis",
        f"sensitivity analysis of {context.plan.name}",
        attributes={"method": method},
    )
    summary = statements.add(
        "entity",
        qualified_id("summary", sweep_id),
        ("pr:Summary", "prov:Collection"),
        f"summary of {context.plan.name}",
        attributes={"metric": context.plan.objective.metric},
    )
    results = qualified_id("results", sweep_id)
    statements.relate("used", analysis, results, "results", role="pr:results")
    statements.relate("was_generated_by", summary, analysis)
    statements.relate("was_derived_from", summary, results, "results")
    for metric in sorted(context.objectives.values()):
        statements.relate("used", analysis, metric, metric, role="pr:objective")
    runners = {agents[0] for agents in context.agents.values()}
    for agent in [context.importer] if context.importer else sorted(runners):
        statements.relate("was_associated_with", analysis, agent, agent, role="pr:software")
        statements.relate("was_attributed_to", summary, agent, agent)
        add_carried_out(context, "analyse", analysis, agent=agent)
    _add_effects(context, analysis, summary, effects.to_pylist(), method)


def _add_effects(
    context: Context, analysis: str, summary: str, rows: list[Row], method: str | None
) -> None:
    floor = next((row["share"] for row in rows if row["kind"] == "noise"), None)
    for row in rows:
        effect = _add_effect(context, analysis, summary, row)
        strength = {
            "share": row["share"],
            "significant": row["significant"],
            "method": method,
            "noiseFloor": floor,
        }
        for name in _parameters(context, row):
            of = context.hyperparameter(name)
            context.statements.relate("was_influenced_by", effect, of, of, attributes=strength)


def _add_effect(context: Context, analysis: str, summary: str, row: Row) -> str:
    relate = context.statements.relate
    component = str(row["component"])
    share = "" if row["share"] is None else f": {row['share']:.0%} of the variance"
    effect = context.statements.add(
        "entity",
        f"{qualified_id('effect', context.plan.sweep_id)}.{local_name(component)}",
        "pr:SensitivityResult",
        f"{component}{share}",
        attributes={name: row[column] for column, name in _ATTRIBUTES.items()}
        | {"objective": row["objective"]},
    )
    relate("was_generated_by", effect, analysis)
    relate("had_member", summary, effect, effect)
    for run in row["runs"] or ():
        if metric := context.objectives.get(run):
            relate("was_derived_from", effect, metric, metric)
    return effect


def _parameters(context: Context, row: Row) -> list[str]:
    """Return the hyperparameters that a main effect or an interaction is of."""
    if row["kind"] not in {"main", "interaction"}:
        return []
    names = {str(row["component"]), *str(row["component"]).split(_CROSS)}
    return sorted(names & context.axes)

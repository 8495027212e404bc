"""The public tables of a sweep become its PROV graph."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from provrunner.graph.build_analysis import add_analysis
from provrunner.graph.build_collected import add_collected, removal_keys
from provrunner.graph.build_data import add_data
from provrunner.graph.build_imported import add_import, add_stored_run
from provrunner.graph.build_notes import add_notes
from provrunner.graph.build_plan import add_plan, add_results
from provrunner.graph.build_run import add_run
from provrunner.graph.build_steps import add_run_steps
from provrunner.graph.build_training import add_training
from provrunner.graph.context import GRANULARITIES, Context
from provrunner.graph.query import Graph
from provrunner.graph.records import read_records
from provrunner.graph.terms import BASE_IRI
from provrunner.plan import Plan

__all__ = ["build_graph"]


def build_graph(
    tables: Mapping[str, pa.Table],
    plan: Plan,
    *,
    sensitivity: pa.Table | None = None,
    method: str | None = None,
    base_iri: str | None = None,
    granularity: str | None = None,
) -> Graph:
    """Build the provenance of a sweep; the same input gives the same rows.

    Args:
        tables: the public tables by name, columns as in `schema.TABLES`; one that is missing
            counts as empty.
        plan: what the sweep promised.
        sensitivity: the effects, `schema.TABLES["sensitivity"]`; None leaves the analysis out.
        method: how that was computed, such as `linear_model`; None where it is not told.
        base_iri: what the prefix `art:` of all ids stands for; None is as planned.
        granularity: how finely training is told: `run`, `stage`, `epoch`, or `checkpointed` for
            the epochs with a checkpoint, the best and the last one; None is as planned.

    Returns:
        The graph; that of a sweep that still runs, or lost a run, is partial and valid.

    Raises:
        ValueError: `granularity` is none of the four.
    """
    granularity = granularity or plan.granularity
    if granularity not in GRANULARITIES:
        raise ValueError(f"granularity is {granularity!r}; one of {', '.join(GRANULARITIES)}")
    context = Context(plan, read_records(tables), granularity)
    if "collected" in tables:
        context.collected.update({key: [] for key in removal_keys(tables["collected"])})
    add_plan(context)
    add_import(context)
    for record in context.records:
        add_stored_run(context, record, add_run(context, record))
        add_data(context, record)
        add_run_steps(context, record)
        add_training(context, record)
        context.statements.settle(context.run(record))
    add_results(context)
    if context.collected:
        add_collected(context, tables["collected"])
    if "notes" in tables:
        add_notes(context, tables["notes"])
    if sensitivity is not None:
        add_analysis(context, sensitivity, method)
    return context.statements.to_graph(base_iri or plan.base_iri or BASE_IRI)

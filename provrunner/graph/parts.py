"""A sweep's graph cut into what each run alone states, what the analysis found, and the rest."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from provrunner.errors import GraphError, nearest
from provrunner.graph.query import Graph, reach, within
from provrunner.graph.statements import Statements

__all__ = ["bundle_runs", "cut_run"]

_ENDS = ("subject", "object", "plan", "activity")
_FOUND = ("pr:SensitivityAnalysis", "pr:Summary", "pr:SensitivityResult")


def cut_run(graph: Graph, run: int) -> Graph:
    """Return one run with all that it came from; no other run is in it.

    Raises:
        GraphError: the graph has no such run.
    """
    mine = pc.equal(graph.nodes["run"], run).fill_null(False)
    if not pc.any(mine).as_py():
        known = [str(number) for number in pc.unique(graph.nodes["run"].drop_null()).to_pylist()]
        raise GraphError(f"this graph has no run {run}{nearest(str(run), known)}")
    return within(graph, pc.greater_equal(reach(graph, pc.indices_nonzero(mine).to_pylist()), 0))


def bundle_runs(graph: Graph) -> tuple[Graph, list[tuple[str, Graph]]]:
    """Cut a graph into a document, a bundle a run, and one for the analysis.

    A run's bundle holds what is stated of it alone; that of the analysis what it found, which is
    no fact of any run. PROV validates each bundle, and the document
    round them, by itself: so every thing that a statement names is declared again beside it, with
    the same attributes, and its generation is not. Put together again they say what the graph said.

    Returns:
        The document, which also declares the bundles, and the id and graph of each: by run, then
        that of the analysis.
    """
    found = pc.is_in(graph.nodes["type"], value_set=pa.array(_FOUND))
    findings = graph.nodes.filter(found)
    bundles = [*_bundles(graph), *_findings(graph, findings)]
    extra = _declarations(graph, [id_ for id_, _ in bundles])
    own = graph.nodes.filter(pc.and_(pc.is_null(graph.nodes["run"]), pc.invert(found)))
    about = pc.is_in(graph.edges["subject"], value_set=findings["id"].combine_chunks())
    shared = graph.edges.filter(pc.and_(pc.is_null(graph.edges["run"]), pc.invert(about)))
    nodes = _with_named(graph, own, shared)
    document = Graph(
        pa.concat_tables([nodes, extra.nodes]),
        pa.concat_tables([shared, extra.edges]),
        graph.base_iri,
    )
    return document, bundles


def _bundles(graph: Graph) -> Iterator[tuple[str, Graph]]:
    runs = graph.nodes.filter(pc.equal(graph.nodes["type"], "pr:Run")).sort_by("run")
    nodes, edges = graph.nodes.sort_by("run"), graph.edges.sort_by("run")
    for id_, run in zip(runs["id"].to_pylist(), runs["run"].to_pylist(), strict=True):
        stated = _slice(edges, run)
        named = _with_named(graph, _slice(nodes, run), stated)
        yield f"{id_}.bundle", Graph(named, stated, graph.base_iri)


def _findings(graph: Graph, nodes: pa.Table) -> Iterator[tuple[str, Graph]]:
    """Give the bundle of what the analysis found, if there was one."""
    stated = pc.is_in(graph.edges["subject"], value_set=nodes["id"].combine_chunks())
    edges = graph.edges.filter(stated)
    for id_ in nodes.filter(pc.equal(nodes["type"], _FOUND[0]))["id"].to_pylist():
        yield f"{id_}.bundle", Graph(_with_named(graph, nodes, edges), edges, graph.base_iri)


def _slice(table: pa.Table, run: int) -> pa.Table:
    """Return the rows of a run of a table that is sorted by run."""
    import numpy as np

    runs = table["run"].drop_null().to_numpy()
    begin, end = np.searchsorted(runs, [run, run + 1])
    return table.slice(begin, end - begin)


def _with_named(graph: Graph, nodes: pa.Table, edges: pa.Table) -> pa.Table:
    """Add to some nodes all others that some edges name."""
    named = pa.concat_arrays([edges[column].combine_chunks() for column in _ENDS])
    known = pc.is_in(named, value_set=nodes["id"].combine_chunks())
    missing = pc.unique(named.filter(pc.invert(known)).drop_null())
    rows = pc.index_in(missing, value_set=graph.nodes["id"].combine_chunks())
    return pa.concat_tables([nodes, graph.nodes.take(rows)])


def _declarations(graph: Graph, bundles: list[str]) -> Graph:
    """State of each bundle that it is one, and what made it; the sweep's results hold them all."""
    statements = Statements()
    sweep, results = (
        graph.nodes.filter(pc.equal(graph.nodes["type"], type_))["id"].to_pylist()
        for type_ in ("pr:Sweep", "pr:SweepResults")
    )
    runs = graph.edges.filter(pc.equal(graph.edges["role"], "pr:software"))
    makers = dict(zip(runs["subject"].to_pylist(), runs["object"].to_pylist(), strict=True))
    for bundle in bundles:
        of = bundle.removesuffix(".bundle")
        statements.add("entity", bundle, "prov:Bundle", f"provenance of {of}")
        for activity in sweep:
            statements.relate("was_generated_by", bundle, activity)
        for collection in results:
            statements.relate("had_member", collection, bundle, bundle)
        if of in makers:
            statements.relate("was_attributed_to", bundle, makers[of])
    return statements.to_graph(graph.base_iri)

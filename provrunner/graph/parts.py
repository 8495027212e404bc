"""A sweep's graph cut into what each run alone states, what the analysis found, and the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from provrunner.errors import GraphError, nearest
from provrunner.graph.query import Graph, reach, within
from provrunner.graph.statements import Statements

__all__ = ["bundle_runs", "cut_run"]

_ENDS = ("subject", "object", "plan", "activity")
_FOUND = ("pr:SensitivityAnalysis", "pr:Summary", "pr:SensitivityResult")
_SHARED, _FINDINGS = -1, -2

_Rows: TypeAlias = npt.NDArray[np.int64]


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


def bundle_runs(graph: Graph) -> tuple[Graph, Iterable[tuple[str, Graph]]]:
    """Cut a graph into a document, a bundle a run, and one for the analysis.

    A run's bundle holds what is stated of it alone; that of the analysis what it found, which is
    no fact of any run. PROV validates each bundle, and the document
    round them, by itself: so every thing that a statement names is declared again beside it, with
    the same attributes, and its generation is not. Put together again they say what the graph said.

    Returns:
        The document, which also declares the bundles, and the id and graph of each: by run, then
        that of the analysis. They are made one by one, anew whenever they are gone through.
    """
    bundles = _Bundles(graph)
    shared, extra = bundles.part(_SHARED), _declarations(graph, list(bundles.ids.values()))
    document = Graph(
        pa.concat_tables([shared.nodes, extra.nodes]),
        pa.concat_tables([shared.edges, extra.edges]),
        graph.base_iri,
    )
    return document, bundles


class _Bundles:
    """The parts of a graph by the number of a run, or `_SHARED` or `_FINDINGS`.

    Attributes:
        ids: of the bundles, by part; what is shared has none.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        runs, types = _numbers(graph.nodes), graph.nodes["type"]
        found = pc.is_in(types, value_set=pa.array(_FOUND)).to_numpy()
        self._ends = [graph.links.of(column) for column in _ENDS]
        about = found[self._ends[0]] & (self._ends[0] >= 0)
        self._nodes = _Parts(np.where(found, _FINDINGS, runs))
        self._edges = _Parts(np.where(about, _FINDINGS, _numbers(graph.edges)))
        self.ids = self._named("pr:Run") | self._named(_FOUND[0])

    def __iter__(self) -> Iterator[tuple[str, Graph]]:
        for number, id_ in self.ids.items():
            yield id_, self.part(number)

    def part(self, number: int) -> Graph:
        """Return what is stated in a part, and all other nodes that its statements name."""
        edges = self._edges[number]
        named = np.concatenate([self._nodes[number], *(ends[edges] for ends in self._ends)])
        nodes = np.unique(named[named >= 0])
        graph = self._graph
        return Graph(graph.nodes.take(nodes), graph.edges.take(edges), graph.base_iri)

    def _named(self, type_: str) -> dict[int, str]:
        nodes = self._graph.nodes
        rows = nodes.filter(pc.equal(nodes["type"], type_)).sort_by("run")
        numbers = rows["run"].fill_null(_FINDINGS).to_pylist()
        ids = (f"{id_}.bundle" for id_ in rows["id"].to_pylist())
        return dict(zip(numbers, ids, strict=True))


class _Parts:
    """The rows of a table by the part that each is of."""

    def __init__(self, parts: _Rows) -> None:
        self._order = np.argsort(parts, kind="stable")
        self._sorted = parts[self._order]

    def __getitem__(self, number: int) -> _Rows:
        begin, end = np.searchsorted(self._sorted, [number, number + 1])
        return self._order[begin:end]


def _numbers(table: pa.Table) -> _Rows:
    numbers: _Rows = table["run"].cast(pa.int64()).fill_null(_SHARED).to_numpy()
    return numbers


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

"""Find things in a graph by the words people use, and follow where they came from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from provrunner.errors import GraphError, nearest
from provrunner.graph.terms import BASE_IRI
from provrunner.plan import matching_runs

if TYPE_CHECKING:
    from provrunner.graph.links import Links

__all__ = ["Graph", "find_term", "lineage", "reach", "within"]

_SHORTEST_DIGEST = 6
_MOST_COMPARED = 10_000
_WHERE = re.compile(r"(?P<name>.+?)(?:@(?P<run>[^@/]+))?(?:/(?P<epoch>\d+|test))?")

_SOURCE = "pr:SourceFile"
_TYPED = ["id", "type", "attributes"]

Row = dict[str, Any]


@dataclass(frozen=True)
class Graph:
    """A PROV graph as two tables.

    Attributes:
        nodes: `schema.TABLES["nodes"]`; `lineage` adds a column depth, int32.
        edges: `schema.TABLES["edges"]`; ids are local names, without the prefix `art:`.
        base_iri: what the prefix `art:` stands for.
    """

    nodes: pa.Table
    edges: pa.Table
    base_iri: str = BASE_IRI

    @cached_property
    def links(self) -> Links:
        """Its edges as positions of its nodes; made when first asked for, then kept."""
        from provrunner.graph.links import Links

        return Links(self.nodes, self.edges)

    def lineage(self, term: str, direction: str = "up", *, to: str | None = None) -> Graph:
        """Return what a thing came from (`up`) or what came of it (`down`).

        Args:
            term: whatever `find_term` understands: an id, a run's number, a checkpoint, a metric's
                name.
            direction: `up` or `down`.
            to: a type, such as `dataset` or `pr:Commit`: only the paths that lead to one are kept.

        Raises:
            GraphError: nothing is called `term`, or no path leads to a `to`.
        """
        found = lineage(self, find_term(self, term), direction)
        return found if to is None else _paths_to(self, found, to, direction)


def find_term(graph: Graph, term: str) -> str:
    """Return the id of what a person calls `term`.

    In this order: an id, with or without `art:`; a run's number or run id; `best` for the best
    run's value; a metric, hyperparameter or setting by name, with `@run` and `/epoch` where one is
    meant (`val/loss@3/9`); a component of the sensitivity analysis; a data set, split or transform
    by name; a checkpoint by path or file name; anything by the first six or more digits of its
    SHA-256 or git commit.

    Raises:
        GraphError: nothing is called so, or several things are; the message names the nearest.
    """
    bare = term.removeprefix("art:").removeprefix(graph.base_iri)
    if pc.any(pc.equal(graph.nodes["id"], bare)).as_py():
        return bare
    for find in (_find_run, _find_best, _find_result, _find_value, _find_named, _find_digest):
        found = find(graph, term)
        if found is not None:
            return found
    if term == "best":
        metric = _objective(graph).get("pr:metric", "its objective")
        raise GraphError(f"no run of this graph has a best value of {metric!r} yet")
    hint = nearest(bare, _ids_like(graph, bare)) or nearest(term, _known(graph))
    if term.isdecimal() and not hint:
        hint = f"; {len(list(_select(graph, 'pr:Run')))} runs have begun, numbered from 0"
    raise GraphError(f"nothing in this graph is called {term!r}{hint}")


def lineage(graph: Graph, node_id: str, direction: str = "up") -> Graph:
    """Return the part of a graph that a node came from (`up`) or that came of it (`down`).

    Upwards every relation is followed from subject to object, and from an activity to the plans of
    its
    associations: from an entity to its generating activity, sources and agents, from an activity
        to what it
    used and was started by, from an agent to whom it acted for. Downwards the same paths run
    backwards.

    Args:
        graph: the graph to follow.
        node_id: an id of its nodes.
        direction: `up` or `down`.

    Returns:
        Its nodes, with a column depth (int32: steps from `node_id`), and all edges between them.

    Raises:
        GraphError: no node has the id.
        ValueError: another direction.
    """
    if direction not in {"up", "down"}:
        raise ValueError(f"direction is {direction!r}; up or down")
    ids = graph.nodes["id"].combine_chunks()
    begin = pc.index(ids, node_id).as_py()
    if begin < 0:
        hint = nearest(node_id, ids.to_pylist())
        raise GraphError(f"no node of this graph has the id {node_id!r}{hint}")
    depths = reach(graph, [begin], direction)
    found = within(graph, pc.greater_equal(depths, 0))
    nodes = found.nodes.append_column("depth", depths.filter(pc.greater_equal(depths, 0)))
    return Graph(nodes, found.edges, graph.base_iri)


def reach(graph: Graph, begin: Sequence[int], direction: str = "up") -> pa.Array:
    """Return how many steps each node is from some rows of the nodes, int32; -1 if unreached."""
    return pa.array(graph.links.depths(begin, direction))


def within(graph: Graph, chosen: pa.Array) -> Graph:
    """Return some nodes of a graph, by one boolean a node, and all edges between them."""
    inside = graph.links.between(chosen.to_numpy(zero_copy_only=False))
    return Graph(graph.nodes.filter(chosen), graph.edges.filter(pa.array(inside)), graph.base_iri)


def _paths_to(graph: Graph, found: Graph, to: str, direction: str) -> Graph:
    """Keep the nodes of a lineage from which a node of a type is reached, and that node."""
    types = {row["id"]: _types(row) for row in found.nodes.select(_TYPED).to_pylist()}
    wanted = [place for place, names in enumerate(types.values()) if _plain_type(to) in names]
    if not wanted:
        reached = sorted(set().union(*types.values()))
        known = {name for row in graph.nodes.select(_TYPED).to_pylist() for name in _types(row)}
        hint = "" if _plain_type(to) in known else nearest(_plain_type(to), known)
        some = hint or f"; it leads to {', '.join(reached)}"
        raise GraphError(f"no path leads to a {to!r}{some}")
    back = "down" if direction == "up" else "up"
    return within(found, pc.greater_equal(reach(found, wanted, back), 0))


def _types(row: Row) -> set[str]:
    more = json.loads(row["attributes"]).get("prov:type", [])
    return {_plain_type(one) for one in (row["type"], *([more] if isinstance(more, str) else more))}


def _plain_type(name: str) -> str:
    return name.rpartition(":")[2].lower()


def _select(graph: Graph, *types: str, holding: str = "") -> Iterator[tuple[str, int | None, Row]]:
    """Give id, run and attributes of the nodes of some types.

    A graph may have a million nodes: only those that hold a piece of JSON text are decoded.
    """
    nodes = graph.nodes.filter(pc.is_in(graph.nodes["type"], value_set=pa.array(types)))
    if holding:
        nodes = nodes.filter(pc.match_substring(nodes["attributes"], holding))
    for row in nodes.select(["id", "run", "attributes"]).to_pylist():
        yield row["id"], row["run"], json.loads(row["attributes"])


def _quoted(text: str) -> str:
    """Return a text as the attributes hold it."""
    return json.dumps(text, ensure_ascii=False)


def _find_run(graph: Graph, term: str) -> str | None:
    runs = {str(told["pr:runId"]): (id_, run) for id_, run, told in _select(graph, "pr:Run")}
    found = matching_runs(term, {run_id: run or 0 for run_id, (_, run) in runs.items()})
    return _only(term, [runs[run_id][0] for run_id in found])


def _find_best(graph: Graph, term: str) -> str | None:
    return _best(graph) if term == "best" else None


def _best(graph: Graph) -> str | None:
    """Return the best value of the objective over all runs; the first of equals."""
    best = [
        (attributes["prov:value"], run or 0, id_)
        for id_, run, attributes in _select(graph, "pr:Metric", holding='"pr:best":true')
        if attributes.get("pr:best") and isinstance(attributes["prov:value"], int | float)
    ]
    sign = -1 if _objective(graph).get("pr:direction") == "maximize" else 1
    return min(best, key=lambda one: (sign * one[0], one[1]))[2] if best else None


def _objective(graph: Graph) -> Row:
    return next((attributes for _, _, attributes in _select(graph, "pr:SweepConfig")), {})


def _find_result(graph: Graph, term: str) -> str | None:
    results = _select(graph, "pr:SensitivityResult", holding=_quoted(term))
    return next((id_ for id_, _, row in results if row.get("pr:component") == term), None)


def _find_value(graph: Graph, term: str) -> str | None:
    """Find a metric or setting by its name and, where given, its run and epoch."""
    match = _WHERE.fullmatch(term)
    for name, run, epoch in _readings(term, match):
        found = _find_metric(graph, name, run, epoch) or _find_setting(graph, name, run)
        if found is not None:
            return found
    return None


def _readings(term: str, match: re.Match[str] | None) -> list[tuple[str, str | None, str | None]]:
    """Return how a term may be read: names may hold `/` and `@`, so the whole comes first."""
    whole: list[tuple[str, str | None, str | None]] = [(term, None, None)]
    return [*whole, (match["name"], match["run"], match["epoch"])] if match else whole


def _find_metric(graph: Graph, name: str, run: str | None, epoch: str | None) -> str | None:
    found = [
        (id_, number, row)
        for id_, number, row in _select(graph, "pr:Metric", holding=_quoted(name))
        if row["pr:name"] == name
    ]
    if run is not None:
        wanted = _run_number(graph, run)
        found = [one for one in found if one[1] == wanted]
    elif found and epoch is None and (best := _best(graph)):
        of_best = best.partition(".")[0] + "."
        found = [one for one in found if one[0].startswith(of_best)] or found
    if epoch is not None:
        found = [one for one in found if str(one[2].get("pr:epoch", one[2]["pr:stage"])) == epoch]
    # The value that the run is judged by, else the latest one.
    found.sort(key=lambda one: (not one[2].get("pr:best"), -one[2].get("pr:epoch", 0), one[0]))
    return found[0][0] if found else None


def _find_setting(graph: Graph, name: str, run: str | None) -> str | None:
    wanted = None if run is None else _run_number(graph, run)
    order = ("pr:Hyperparameter", "mls:HyperParameterSetting")
    for type_ in order if run is None else order[1:]:
        for id_, number, row in _select(graph, type_, holding=_quoted(name)):
            if row["pr:name"] == name and wanted in {None, number}:
                return id_
    return None


def _run_number(graph: Graph, run: str) -> int | None:
    found = _find_run(graph, run)
    if found is None:
        known = [row["pr:runId"] for _, _, row in _select(graph, "pr:Run")]
        raise GraphError(f"no run is called {run!r}{nearest(run, known)}")
    return next(number for id_, number, _ in _select(graph, "pr:Run") if id_ == found)


def _find_named(graph: Graph, term: str) -> str | None:
    for type_ in ("pr:Dataset", "pr:Split", "pr:Transform", _SOURCE):
        for id_, _, row in _select(graph, type_, holding=_quoted(term)):
            if term == row.get("pr:name") or (type_ == _SOURCE and term == row.get("pr:path")):
                return id_
    checkpoints = list(_select(graph, "pr:Checkpoint", holding=_quoted(term)[1:]))
    paths = [id_ for id_, _, row in checkpoints if row.get("pr:path") == term]
    return _only(
        term,
        paths
        or [id_ for id_, _, row in checkpoints if str(row.get("pr:path")).endswith(f"/{term}")],
    )


def _find_digest(graph: Graph, term: str) -> str | None:
    if len(term) < _SHORTEST_DIGEST or not re.fullmatch(r"[0-9a-f]+", term):
        return None
    types = ("pr:Checkpoint", "pr:Dataset", "pr:Split", "pr:Patch", "pr:Commit", "pr:SourceFile")
    found = [
        (str(value), id_)
        for type_ in (*types, "pr:Content", "pr:RunConfig", "pr:SweepConfig")
        for id_, _, row in _select(graph, type_, holding=f'"{term}')
        for value in (row.get("pr:sha256"), row.get("pr:gitCommit"))
        if str(value).startswith(term)
    ]
    if len({value for value, _ in found}) > 1:
        _only(term, [id_ for _, id_ in found])
    return found[0][1] if found else None


def _only(term: str, found: Sequence[str]) -> str | None:
    if len(found) > 1:
        some = ", ".join(sorted(found)[:4])
        raise GraphError(f"{term!r} may be one of {len(found)} things: {some}; say more of it")
    return found[0] if found else None


def _ids_like(graph: Graph, term: str) -> list[str]:
    """Return ids that a mistyped one may have meant: of one run, or else of one kind.

    A graph may have a million: comparing with each would take minutes.
    """
    ids, head = graph.nodes["id"], term.partition(".")[0]
    chosen = pc.starts_with(ids, f"{head}.")
    if head == term or not pc.any(chosen).as_py():
        kind = pc.starts_with(ids, f"{head.partition('-')[0]}-")
        chosen = pc.and_(kind, pc.invert(pc.match_substring(ids, ".")))
    found: list[str] = ids.filter(chosen).slice(0, _MOST_COMPARED).to_pylist()
    return found


def _known(graph: Graph) -> list[str]:
    names = {
        str(row[key])
        for _, _, row in _select(
            graph, "pr:Metric", "pr:Run", "pr:Hyperparameter", "pr:Dataset", "pr:Checkpoint"
        )
        for key in ("pr:name", "pr:runId", "pr:path")
        if key in row
    }
    return sorted(names)

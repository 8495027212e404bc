"""What must be done again when a thing turns out to be wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from provrunner.errors import GraphError
from provrunner.report.results import Sweep

__all__ = ["impact_of"]

_WHAT = {"pr:Run": "run", "pr:Checkpoint": "checkpoint", "pr:SensitivityResult": "number"}
_DELETED = "was_invalidated_by"
_ORDER = tuple(_WHAT.values())


def impact_of(sweep: Sweep, terms: Sequence[str]) -> pa.Table:
    """Return the runs to run again, and the checkpoints and numbers that can no longer be trusted.

    Args:
        sweep: an open sweep, also one that still runs.
        terms: data sets, splits, transforms, commits, source files, runs, checkpoints: all that
            `Graph.lineage` understands.

    Returns:
        Columns what (`run`, `checkpoint` or `number`), name, run (null for a number), status of
        the run, because (the terms it comes from) and id (in the graph, without `art:`); runs
        first, by number. A number of the summary counts if a single run that it rests on does.

    Raises:
        GraphError: nothing is called so; the message names the nearest.
        ValueError: no term is given.
    """
    if not terms:
        raise ValueError("terms is empty; expected at least one")
    found: dict[str, dict[str, Any]] = {}
    for term in terms:
        for row in _affected(sweep, term):
            because = found.setdefault(row["id"], {**row, "because": []})["because"]
            if term not in because:
                because.append(term)
    rows = sorted(
        found.values(), key=lambda row: (_ORDER.index(row["what"]), row["run"] or 0, row["name"])
    )
    statuses = dict(
        zip(sweep.runs["run"].to_pylist(), sweep.runs["status"].to_pylist(), strict=True)
    )
    return pa.table(
        {
            "what": pa.array([row["what"] for row in rows], pa.utf8()),
            "name": pa.array([row["name"] for row in rows], pa.utf8()),
            "run": pa.array([row["run"] for row in rows], pa.int32()),
            "status": pa.array([statuses.get(row["run"]) for row in rows], pa.utf8()),
            "because": pa.array([", ".join(row["because"]) for row in rows], pa.utf8()),
            "id": pa.array([row["id"] for row in rows], pa.utf8()),
        }
    )


def _affected(sweep: Sweep, term: str) -> Iterator[dict[str, Any]]:
    nodes, edges = _descendants(sweep, term)
    gone = set(edges.filter(pc.equal(edges["relation"], _DELETED))["subject"].to_pylist())
    wanted = nodes.filter(pc.is_in(nodes["type"], value_set=pa.array(list(_WHAT))))
    for row in wanted.select(["id", "type", "run", "attributes"]).to_pylist():
        if row["id"] in gone:
            continue  # a checkpoint that was deleted already
        told = json.loads(row["attributes"])
        name = told.get("pr:runId") or told.get("pr:path") or told.get("pr:component")
        yield {"what": _WHAT[row["type"]], "name": name, "run": row["run"], "id": row["id"]}


def _descendants(sweep: Sweep, term: str) -> tuple[pa.Table, pa.Table]:
    graph = sweep.graph()
    try:
        return graph.lineage(term, "down").nodes, graph.edges
    except GraphError as error:
        known = "a data set, split, transform, commit, source file, run or checkpoint"
        raise GraphError(f"{error}; expected {known}") from error

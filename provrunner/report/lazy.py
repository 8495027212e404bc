"""Tables for questions alone: the summary in rows, and the runs of all sweeps of a project."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from provrunner.errors import LogError
from provrunner.ids import canonical_json
from provrunner.log.sweep import read_tables
from provrunner.log.sweep_folders import project_sweeps
from provrunner.schema import TABLES

__all__ = ["LAZY_TABLES", "project_runs", "summary_rows"]

_OF_RUNS = ("run", "run_id", "seed", "status", "objective", "objective_epoch", "duration_s")

LAZY_TABLES: Mapping[str, pa.Schema] = {
    "summary": pa.schema(
        [("section", pa.utf8()), ("position", pa.int32()), ("value", pa.utf8())],
    ),
    "project_runs": pa.schema(
        [
            ("folder", pa.utf8()),
            ("sweep", pa.utf8()),
            ("metric", pa.utf8()),
            ("direction", pa.utf8()),
            *(TABLES["runs"].field(name) for name in _OF_RUNS),
            ("values", pa.utf8()),
        ]
    ),
}
"""Tables beside the public ones that a query may name; no file holds them."""


def summary_rows(document: Mapping[str, Any]) -> pa.Table:
    """Return the sensitivity summary as rows: one a section, or one an item of a list.

    Example:
        >>> summary_rows({"format": 1, "flags": [{"flag": "unbalanced"}]}).to_pylist()[0]
        {'section': 'flags', 'position': 0, 'value': '{"flag":"unbalanced"}'}
    """
    rows = [
        {"section": section, "position": position, "value": canonical_json(item)}
        for section, value in sorted(document.items())
        for position, item in enumerate(value if isinstance(value, list) else [value])
    ]
    return pa.Table.from_pylist(rows, LAZY_TABLES["summary"])


def project_runs(folder: Path) -> pa.Table:
    """Return the planned runs of all sweeps of a project, whatever their status.

    A sweep that cannot be read is left out.

    Args:
        folder: of one of its sweeps.
    """
    rows = [row for path in project_sweeps(folder) for row in _runs(path)]
    return pa.Table.from_pylist(rows, LAZY_TABLES["project_runs"])


def _runs(folder: Path) -> Iterator[dict[str, Any]]:
    try:
        tables = read_tables(folder)
        plan, runs = tables.plan, _rows(tables["runs"])
    except LogError:
        return
    for point in plan.points:
        yield {
            "folder": str(folder),
            "sweep": plan.name,
            "metric": plan.objective.metric,
            "direction": plan.objective.direction,
            **{name: runs[point.run_id][name] for name in _OF_RUNS},
            "values": canonical_json(dict(point.values)),
        }


def _rows(runs: pa.Table) -> dict[str, dict[str, Any]]:
    return {row["run_id"]: row for row in runs.select(list(_OF_RUNS)).to_pylist()}

"""The rows of a table of runs, as runs that a tool stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from provrunner.report.columns import DURATION, STATUS, choose_columns, is_outcome
from provrunner.report.stores.store import Course, Store, StoredRun

__all__ = ["TOOL", "store_of_table"]

TOOL = "table"

_LONGEST_S = 1e12
"""A duration above it has no microseconds in 64 bits."""


def store_of_table(
    table: pa.Table,
    path: Path,
    objectives: Sequence[str],
    *,
    parameters: Sequence[str] | None = None,
    seed: str | None = None,
) -> Store:
    """Take each row of a table for a run: results are metrics, what is no parameter stays told.

    Args:
        table: one row a run, in the order of running.
        path: where it lies.
        objectives: columns to judge by.
        parameters: as for `choose_columns`.
        seed: as for `choose_columns`.

    Raises:
        ConfigError: a column is missing, or is no number where one is needed.
    """
    chosen = choose_columns(table, objectives, parameters=parameters, seed=seed)
    settings = [*chosen.parameters, *([chosen.seed] if chosen.seed else [])]
    metrics = [
        name
        for name in table.column_names
        if name not in settings and (name in objectives or _is_result(table, name))
    ]
    runs = [_to_run(number, row, settings, metrics) for number, row in enumerate(table.to_pylist())]
    return Store(TOOL, path.stem, path, tuple(runs), passed_over=tuple(chosen.passed_over))


def _is_result(table: pa.Table, name: str) -> bool:
    kind = table[name].type
    return is_outcome(name) and (pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _to_run(
    number: int, row: Mapping[str, Any], settings: Sequence[str], metrics: Sequence[str]
) -> StoredRun:
    told = [row[name] for name in DURATION if isinstance(row.get(name), int | float)]
    duration = next((seconds for seconds in told if abs(seconds) < _LONGEST_S), None)
    status = next((name for name in STATUS if name in row), None)
    own = {*settings, *metrics, *STATUS, *DURATION}
    return StoredRun(
        run_id=str(number),
        # without such a column all rows with a value did finish, as `analyze` takes them
        status=None if status is None else str(row[status]),
        parameters={name: row[name] for name in settings},
        metrics={name: _one(row[name]) for name in metrics if row[name] is not None},
        took_us=None if duration is None else round(duration * 1e6),
        others={name: value for name, value in row.items() if name not in own},
    )


def _one(value: float) -> Course:
    course = Course()
    course.add(float(value))
    return course

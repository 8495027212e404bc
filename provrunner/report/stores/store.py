"""Runs as another tool stored them, as one table."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

__all__ = ["Range", "Store", "StoredRun", "build_store", "typed"]

Range = tuple[float, float, str]


@dataclass(frozen=True, slots=True)
class StoredRun:
    """One run of another tool.

    Attributes:
        status: the tool's own word; None where it has none.
        metrics: of each metric its steps and values, in the order logged.
    """

    run_id: str
    status: str | None
    parameters: Mapping[str, Any]
    metrics: Mapping[str, Sequence[tuple[int, float]]]
    duration_s: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Store:
    """All runs of an experiment.

    Attributes:
        name: of the experiment.
        table: one row a run: run_id, status and duration_s where known, parameters, and of each
            metric the last value.
        parameters: columns that the tool calls parameters.
        histories: of each metric a table with the columns run (a row of `table`), epoch (the step)
            and value.
        directions: of each objective that the tool declares.
        ranges: lower and upper end and scale of the parameters for which the tool declares them.
    """

    name: str
    table: pa.Table
    parameters: tuple[str, ...]
    histories: Mapping[str, pa.Table]
    directions: Mapping[str, str] = field(default_factory=dict)
    ranges: Mapping[str, Range] = field(default_factory=dict)


def build_store(
    name: str,
    runs: Sequence[StoredRun],
    *,
    directions: Mapping[str, str] | None = None,
    ranges: Mapping[str, Range] | None = None,
) -> Store:
    """Make one table of stored runs, in the order given.

    A parameter that is called like a metric or a column of ours gets `parameter ` before its name.
    """
    metrics = tuple(dict.fromkeys(key for run in runs for key in run.metrics))
    given = tuple(dict.fromkeys(key for run in runs for key in run.parameters))
    taken = {"run_id", "status", "duration_s", *metrics}
    names = {key: f"parameter {key}" if key in taken else key for key in given}
    columns: dict[str, Any] = {"run_id": [run.run_id for run in runs]}
    if any(run.status is not None for run in runs):
        columns["status"] = [run.status for run in runs]
    if any(run.duration_s is not None for run in runs):
        columns["duration_s"] = [run.duration_s for run in runs]
    columns |= {names[key]: _column(run.parameters.get(key) for run in runs) for key in given}
    columns |= {key: [_last(run.metrics.get(key)) for run in runs] for key in metrics}
    return Store(
        name=name,
        table=pa.table(columns),
        parameters=tuple(names.values()),
        histories={key: _history(runs, key) for key in metrics},
        directions=directions or {},
        ranges={names[key]: ends for key, ends in (ranges or {}).items() if key in names},
    )


def typed(text: str) -> Any:
    """Return what a stored text stands for: a number, a truth value, nothing, or itself.

    Example:
        >>> [typed(text) for text in ("0.01", "64", "True", "None", "adam")]
        [0.01, 64, True, None, 'adam']
    """
    if text in ("True", "False"):
        return text == "True"
    if text in ("None", "null", ""):
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


def _column(values: Iterable[Any]) -> pa.Array:
    """Return a column of one type: numbers, truth values, or else texts."""
    found = list(values)
    kinds = {type(value) for value in found if value is not None}
    if kinds <= {int, float} or kinds in ({bool}, {str}):
        return pa.array([float(v) if kinds == {int, float} and v is not None else v for v in found])
    texts = [v if isinstance(v, str) or v is None else json.dumps(v, default=str) for v in found]
    return pa.array(texts, pa.utf8())


def _last(history: Sequence[tuple[int, float]] | None) -> float | None:
    return history[-1][1] if history else None


def _history(runs: Sequence[StoredRun], key: str) -> pa.Table:
    rows = [
        (position, step, value if math.isfinite(value) else None)
        for position, run in enumerate(runs)
        for step, value in dict(run.metrics.get(key, ())).items()
    ]
    return pa.table(
        {
            "run": pa.array([row[0] for row in rows], pa.int64()),
            "epoch": pa.array([row[1] for row in rows], pa.int64()),
            "value": pa.array([row[2] for row in rows], pa.float64()),
        }
    )

"""Runs in MLflow's SQLite database, read without MLflow."""

from __future__ import annotations

import math
import sqlite3
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from provrunner.report.stores.choice import choose
from provrunner.report.stores.mlflow import TOOL, run_facts, to_microseconds
from provrunner.report.stores.store import Course, Store, StoredRun, place_epochs, typed

__all__ = ["TABLES", "read_mlflow_database"]

TABLES = frozenset({"runs", "params", "metrics", "tags", "experiments"})
"""By which the database is known."""


def read_mlflow_database(database: sqlite3.Connection, path: Path, experiment: str | None) -> Store:
    """Read the runs of an experiment; those that were deleted are left out.

    Raises:
        ConfigError: the experiment is not told.
    """
    found = database.execute(
        "select distinct e.name, e.experiment_id from experiments e join runs r using "
        "(experiment_id) where r.lifecycle_stage = 'active' order by e.experiment_id"
    ).fetchall()
    name, key = choose(found, experiment, "experiment", path)
    params, tags = _texts(database, "params", key), _texts(database, "tags", key)
    metrics = _read_metrics(database, key)
    rows = database.execute(
        "select run_uuid, status, start_time, end_time, name, user_id from runs "
        "where experiment_id = ? and lifecycle_stage = 'active' order by start_time, run_uuid",
        (key,),
    )
    runs = [
        StoredRun(
            run_id=run,
            status=status,
            parameters={param: typed(text) for param, text in params[run].items()},
            metrics=place_epochs(metrics[run]),
            start_us=to_microseconds(start),
            end_us=to_microseconds(end),
            others=tags[run],
            facts=run_facts(tags[run], called, user),
        )
        for run, status, start, end, called, user in rows
    ]
    return Store(TOOL, name, path, tuple(runs))


def _texts(database: sqlite3.Connection, table: str, key: Any) -> dict[str, dict[str, str]]:
    found = defaultdict[str, dict[str, str]](dict)
    rows = database.execute(
        f"select run_uuid, key, value from {table} join runs using (run_uuid) "  # noqa: S608 ours
        "where experiment_id = ? order by key",
        (key,),
    )
    for run, name, text in rows:
        found[run][name] = str(text)
    return found


def _read_metrics(database: sqlite3.Connection, key: Any) -> dict[str, dict[str, Course]]:
    found = defaultdict[str, dict[str, Course]](dict)
    rows = database.execute(
        "select m.run_uuid, m.key, m.step, m.timestamp, m.value, m.is_nan from metrics m join runs "
        "using (run_uuid) where experiment_id = ? order by m.key, m.step, m.timestamp",
        (key,),
    )
    for run, name, step, time, value, is_nan in rows:
        course = found[run].setdefault(name, Course())
        course.add(math.nan if is_nan else _number(value), step=step, time_us=to_microseconds(time))
    return found


def _number(value: float) -> float:
    """Return what a stored number stands for: MLflow stores infinities as the largest floats."""
    return math.copysign(math.inf, value) if abs(value) >= sys.float_info.max else value

"""Trials in Optuna's SQLite database, read without Optuna."""

from __future__ import annotations

import math
import sqlite3
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

from provrunner.report.stores.choice import choose
from provrunner.report.stores.optuna import (
    INTERMEDIATE,
    TOOL,
    external_value,
    final_values,
    objective_names,
)
from provrunner.report.stores.store import Course, Range, Store, StoredRun

__all__ = ["TABLES", "read_optuna_database"]

TABLES = frozenset({"studies", "trials", "trial_params", "trial_values"})
"""By which the database is known."""

_INFINITIES = {"INF_POS": math.inf, "INF_NEG": -math.inf}


def read_optuna_database(database: sqlite3.Connection, path: Path, experiment: str | None) -> Store:
    """Read the trials of a study.

    Its times have no zone: they are taken for this machine's, as Optuna itself takes them.

    Raises:
        ConfigError: the study is not told.
    """
    found = database.execute("select study_name, study_id from studies order by study_id")
    name, key = choose(found.fetchall(), experiment, "study", path)
    ways = database.execute(
        "select direction from study_directions where study_id = ? order by objective", (key,)
    ).fetchall()
    names = objective_names(len(ways))
    ranges: dict[str, Range] = {}
    params = _read_params(database, key, ranges)
    values, reported = _read_values(database, key), _read_intermediate(database, key)
    version = database.execute("select library_version from version_info").fetchone()
    rows = database.execute(
        "select trial_id, number, state, datetime_start, datetime_complete from trials "
        "where study_id = ? order by number",
        (key,),
    )
    runs = [
        StoredRun(
            run_id=f"{number:04d}",
            status=state,
            parameters=params[trial],
            metrics=final_values(names, values[trial], _microseconds(end)) | reported[trial],
            start_us=_microseconds(start),
            end_us=_microseconds(end),
            facts={"version": version[0]} if version else {},
        )
        for trial, number, state, start, end in rows
    ]
    directions = {objective: way.lower() for objective, (way,) in zip(names, ways, strict=True)}
    return Store(TOOL, name, path, tuple(runs), directions, ranges)


def _read_params(
    database: sqlite3.Connection, key: Any, ranges: dict[str, Range]
) -> dict[int, dict[str, Any]]:
    found = defaultdict[int, dict[str, Any]](dict)
    rows = database.execute(
        "select trial_id, param_name, param_value, distribution_json from trial_params "
        "join trials using (trial_id) where study_id = ? order by param_id",
        (key,),
    )
    for trial, name, value, distribution in rows:
        found[trial][name] = external_value(value, distribution, name, ranges)
    return found


def _read_values(database: sqlite3.Connection, key: Any) -> dict[int, list[float]]:
    found = defaultdict[int, list[float]](list)
    rows = database.execute(
        "select trial_id, value, value_type from trial_values join trials using (trial_id) "
        "where study_id = ? order by objective",
        (key,),
    )
    for trial, value, kind in rows:
        found[trial].append(_INFINITIES.get(kind, value))
    return found


def _read_intermediate(database: sqlite3.Connection, key: Any) -> dict[int, dict[str, Course]]:
    found = defaultdict[int, dict[str, Course]](dict)
    rows = database.execute(
        "select trial_id, step, intermediate_value, intermediate_value_type "
        "from trial_intermediate_values join trials using (trial_id) "
        "where study_id = ? order by step",
        (key,),
    )
    for trial, step, value, kind in rows:
        number = _INFINITIES.get(kind, math.nan if value is None else value)
        found[trial].setdefault(INTERMEDIATE, Course()).add(number, step=step)
    return found


def _microseconds(text: str | None) -> int | None:
    if text is None:
        return None
    return round(datetime.fromisoformat(text).astimezone().timestamp() * 1e6)

"""Runs in the SQLite databases of MLflow and Optuna, read without either."""

from __future__ import annotations

import json
import math
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from provrunner.errors import ConfigError, nearest
from provrunner.report.stores.store import Range, Store, StoredRun, build_store, typed

__all__ = ["is_sqlite", "read_sqlite"]

_MAGIC = b"SQLite format 3\x00"
_INFINITIES = {"INF_POS": math.inf, "INF_NEG": -math.inf}


def is_sqlite(path: Path) -> bool:
    """Tell whether a file is a SQLite database."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def read_sqlite(path: Path, experiment: str | None) -> Store:
    """Read the runs of an MLflow experiment or the trials of an Optuna study.

    Args:
        path: the database; it is opened to read alone.
        experiment: name of the experiment or study; None where there is but one with runs.

    Raises:
        ConfigError: it is neither's database, or the experiment is not told.
    """
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        rows = database.execute("select name from sqlite_master where type = 'table'")
        tables = {name for (name,) in rows}
        if {"runs", "params", "metrics", "experiments"} <= tables:
            return _read_mlflow(database, path, experiment)
        if {"studies", "trials", "trial_params", "trial_values"} <= tables:
            return _read_optuna(database, path, experiment)
    raise ConfigError(f"{path} is a database, but neither MLflow's nor Optuna's")


def _read_mlflow(database: sqlite3.Connection, path: Path, experiment: str | None) -> Store:
    found = database.execute(
        "select distinct e.name, e.experiment_id from experiments e join runs r using "
        "(experiment_id) where r.lifecycle_stage = 'active' order by e.experiment_id"
    ).fetchall()
    name, key = choose(found, experiment, "experiment", path)
    values = defaultdict[str, dict[str, Any]](dict)
    for run, param, text in database.execute(
        "select run_uuid, key, value from params join runs using (run_uuid) "
        "where experiment_id = ? order by key",
        (key,),
    ):
        values[run][param] = typed(text)
    metrics = defaultdict[str, dict[str, list[tuple[int, float]]]](lambda: defaultdict(list))
    for run, metric, step, value, is_nan in database.execute(
        "select m.run_uuid, m.key, m.step, m.value, m.is_nan from metrics m join runs using "
        "(run_uuid) where experiment_id = ? order by m.key, m.step, m.timestamp",
        (key,),
    ):
        metrics[run][metric].append((step, math.nan if is_nan else value))
    runs = [
        StoredRun(run, status, values[run], metrics[run], (end - start) / 1e3 if end else None)
        for run, status, start, end in database.execute(
            "select run_uuid, status, start_time, end_time from runs where experiment_id = ? "
            "and lifecycle_stage = 'active' order by start_time, run_uuid",
            (key,),
        )
    ]
    return build_store(name, runs)


def _read_optuna(database: sqlite3.Connection, path: Path, experiment: str | None) -> Store:
    found = database.execute("select study_name, study_id from studies order by study_id")
    name, key = choose(found.fetchall(), experiment, "study", path)
    ways = database.execute(
        "select direction from study_directions where study_id = ? order by objective", (key,)
    ).fetchall()
    names = ["value"] if len(ways) == 1 else [f"values_{i}" for i in range(len(ways))]
    values = defaultdict[int, dict[str, Any]](dict)
    ranges: dict[str, Range] = {}
    for trial, param, value, text in database.execute(
        "select trial_id, param_name, param_value, distribution_json from trial_params "
        "join trials using (trial_id) where study_id = ? order by param_id",
        (key,),
    ):
        values[trial][param] = _optuna_value(value, json.loads(text), param, ranges)
    metrics = defaultdict[int, dict[str, list[tuple[int, float]]]](lambda: defaultdict(list))
    for trial, step, value in database.execute(
        "select trial_id, step, intermediate_value from trial_intermediate_values "
        "join trials using (trial_id) where study_id = ? order by step",
        (key,),
    ):
        metrics[trial]["intermediate"].append((step, math.nan if value is None else value))
    for trial, objective, value, kind in database.execute(
        "select trial_id, objective, value, value_type from trial_values "
        "join trials using (trial_id) where study_id = ?",
        (key,),
    ):
        metrics[trial][names[objective]] = [(0, _INFINITIES.get(kind, value))]
    runs = [
        StoredRun(f"{number:04d}", state, values[trial], metrics[trial], _seconds(start, end))
        for trial, number, state, start, end in database.execute(
            "select trial_id, number, state, datetime_start, datetime_complete from trials "
            "where study_id = ? order by number",
            (key,),
        )
    ]
    directions = {objective: way.lower() for objective, (way,) in zip(names, ways, strict=True)}
    return build_store(name, runs, directions=directions, ranges=ranges)


def choose(
    found: Sequence[tuple[str, Any]], wanted: str | None, what: str, path: Path
) -> tuple[str, Any]:
    """Return the experiment that is wanted, or the only one.

    Raises:
        ConfigError: there is none, several, or none of that name.
    """
    names = [name for name, _ in found]
    if not found:
        raise ConfigError(f"{path} holds no {what} with runs")
    if wanted is None and len(found) > 1:
        raise ConfigError(f"{path} holds several: {', '.join(names)}; name one as the experiment")
    if wanted is not None and wanted not in names:
        known = nearest(wanted, names) or f"; there are {', '.join(names)}"
        raise ConfigError(f"{path} holds no {what} {wanted!r}{known}")
    return found[0] if wanted is None else found[names.index(wanted)]


def _optuna_value(
    value: float, distribution: dict[str, Any], name: str, ranges: dict[str, Range]
) -> Any:
    """Return a parameter's value as its distribution means it, and note its range."""
    about = distribution["attributes"]
    if "choices" in about:
        return about["choices"][int(value)]
    if about["low"] < about["high"]:
        ranges[name] = (about["low"], about["high"], "log" if about.get("log") else "linear")
    return int(value) if distribution["name"].startswith("Int") else value


def _seconds(start: str | None, end: str | None) -> float | None:
    if start is None or end is None:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()

"""Another tool's runs made into a sweep folder, which every verb reads."""

from __future__ import annotations

import math
import shutil
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa

from provrunner.errors import ConfigError, ProvrunnerWarning
from provrunner.ids import canonical_json, digest, file_digest, run_id, trial_id
from provrunner.log import claim_sweep_folder, create_sweep_folder, new_sweep_id, write_plan
from provrunner.plan import Hyperparameter, Imported, Objective, Plan, Point
from provrunner.redaction import redact_value
from provrunner.report.columns import Chosen, choose_columns
from provrunner.report.imported_run import write_imported_run
from provrunner.report.results import RUN_COLUMNS, Sweep
from provrunner.report.stored import judged_by, judged_table, read_runs_table
from provrunner.report.stores import Store, StoredRun, read_store
from provrunner.report.stores.table import TOOL, store_of_table

__all__ = ["import_runs"]


def import_runs(
    path: Path | str,
    objective: str | Sequence[str] | None = None,
    *,
    to: Path | str | None = None,
    direction: str | Sequence[str] | None = None,
    parameters: Sequence[str] | None = None,
    seed: str | None = None,
    experiment: str | None = None,
    tool: str | None = None,
) -> Sweep:
    """Make a sweep folder of runs that another tool stored, or of a table of runs.

    What the store tells is written as it is, and where it came from; what it does not tell stays
    unknown. A run that cannot be read is left out with a warning, and named in the plan.

    Args:
        path: as for `analyze_store`.
        objective: as for `analyze_store`; of several the first one leads.
        to: a new or empty folder; None makes one below `outputs`.
        direction: as for `analyze_store`.
        parameters: as for `analyze_store`.
        seed: as for `analyze_store`.
        experiment: as for `analyze_store`.
        tool: as for `analyze_store`.

    Raises:
        ConfigError: it cannot be read, or a column is missing.
        LogError: the folder cannot be made.
    """
    path = Path(path)
    store = read_store(path, experiment=experiment, tool=tool)
    if store is None:
        judged = _named(objective, path)
        table = read_runs_table(path)
        store = store_of_table(table, path, judged, parameters=parameters, seed=seed)
        parameters = parameters and [store.columns[name] for name in parameters]
    judged, ways = judged_by(store, objective, direction)
    for message in store.skipped:
        warnings.warn(message, ProvrunnerWarning, stacklevel=2)
    table, columns = judged_table(store, judged)
    chosen = choose_columns(table, columns, parameters=parameters, seed=seed)
    varied = [name for name in chosen.parameters if _varies(table[name])]
    axes = {_axis(name): name for name in varied}
    points = _points(store, axes, chosen.seed)
    now = datetime.now(UTC)
    goal = Objective(judged[0], ways[0], at="last")
    plan = _plan(store, goal, points, axes, _passed_over(store, chosen))
    others = zip(judged[1:], ways[1:], strict=True)
    plan = replace(plan, further=tuple(Objective(*other, at="last") for other in others))
    was_there = to is not None and Path(to).is_dir()
    folder = _make_folder(to, store.name, now)
    try:
        sweep_id = new_sweep_id(folder, named=to is not None)
        return _write(folder, replace(plan, sweep_id=sweep_id, created=_utc(now)), store)
    except BaseException:
        _take_back(folder, was_there=was_there)
        raise


def _named(objective: str | Sequence[str] | None, path: Path) -> list[str]:
    if objective is None:
        raise ConfigError(f"{path} is a table of runs: name the column to judge by (--objective)")
    return [objective] if isinstance(objective, str) else list(objective)


def _varies(column: pa.ChunkedArray) -> bool:
    return len(column.unique()) > 1


def _make_folder(to: Path | str | None, name: str, now: datetime) -> Path:
    if to is None:
        return create_sweep_folder(Path("outputs"), name, now=now)
    return claim_sweep_folder(Path(to))


def _write(folder: Path, plan: Plan, store: Store) -> Sweep:
    write_plan(folder, plan)
    for point, run in zip(plan.points, store.runs, strict=True):
        write_imported_run(folder, plan, point, run, store)
    return Sweep(folder)


def _utc(now: datetime) -> str:
    return now.isoformat(timespec="seconds").replace("+00:00", "Z")


def _take_back(folder: Path, *, was_there: bool) -> None:
    """Remove half a sweep, which would bar a second try; an empty folder that was there stays."""
    (folder / "plan.json").unlink(missing_ok=True)
    shutil.rmtree(folder / "runs" if was_there else folder, ignore_errors=True)


def _passed_over(store: Store, chosen: Chosen) -> tuple[tuple[str, str], ...]:
    """Return the settings that were not taken for varied, with the reason."""
    if store.tool == TOOL:  # its settings were chosen before it became a store
        return store.passed_over
    settings = set(store.columns.values())
    return tuple((name, reason) for name, reason in chosen.passed_over if name in settings)


def _axis(column: str) -> str:
    """Return what the plan calls a setting, as `analyze` does: a column of ours hides none."""
    return f"parameter {column}" if column in RUN_COLUMNS else column


def _points(store: Store, axes: Mapping[str, str], seed: str | None) -> tuple[Point, ...]:
    points: list[Point] = []
    replicates = defaultdict[str, int](int)
    for number, run in enumerate(store.runs):
        told = {
            store.columns[key]: redact_value(key, run.parameters[key]) for key in run.parameters
        }
        values = {axis: told.get(column) for axis, column in axes.items()}
        trial, own_seed = trial_id(values), _whole(told.get(seed or ""))
        identity = run_id(number, values, 0 if own_seed is None else own_seed)
        points.append(Point(number, identity, trial, replicates[trial], own_seed, values))
        replicates[trial] += 1
    return tuple(points)


def _whole(value: object) -> int | None:
    """Return a seed that is a whole number; any other stays a setting of the run."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if math.isfinite(value) and value == int(value) else None


def _plan(
    store: Store,
    objective: Objective,
    points: tuple[Point, ...],
    axes: Mapping[str, str],
    passed_over: tuple[tuple[str, str], ...],
) -> Plan:
    """Return the plan of a sweep that has no folder yet."""
    names = {column: key for key, column in store.columns.items()}
    keys = {axis: names.get(column, column) for axis, column in axes.items()}
    ranges = {axis: store.ranges[key] for axis, key in keys.items() if key in store.ranges}
    return Plan(
        sweep_id="",
        name=store.name,
        created="",
        objective=objective,
        design="list",
        hyperparameters=tuple(
            _hyperparameter(name, points, ranges[name][2] if name in ranges else None)
            for name in axes
        ),
        points=points,
        granularity="run",  # no store tells of epochs and models
        replicates=max((point.replicate + 1 for point in points), default=1),
        # replicates without a seed have nothing in common that could be a block
        seeds="common" if any(point.seed is not None for point in points) else "independent",
        imported=Imported(
            tool=store.tool,
            version=next((v for run in store.runs if (v := run.facts.get("version"))), None),
            path=str(store.place.resolve()),
            sha256=_digest(store),
            by_version=version("provrunner"),
            ranges={name: ends[:2] for name, ends in ranges.items()},
            skipped=store.skipped,
            passed_over=passed_over,
        ),
    )


def _hyperparameter(name: str, points: Sequence[Point], scale: str | None) -> Hyperparameter:
    """Return what was varied: with the values it took, or of a range without."""
    from provrunner.sensitivity import infer_scale

    if scale is not None:
        return Hyperparameter(name, (), scale)
    taken = {canonical_json(point.values[name]): point.values[name] for point in points}
    numbers = [value for value in taken.values() if value is not None]
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in numbers):
        return Hyperparameter(name, tuple(taken.values()))
    return Hyperparameter(name, tuple(taken.values()), infer_scale(numbers))


def _digest(store: Store) -> str:
    """Return the digest of what was read: a file, with a database's log beside it, or several."""
    place = store.place
    files = [place, place.with_name(f"{place.name}-wal")] if place.is_file() else _own(store.runs)
    there = [file for file in files if file.is_file()]
    if there == [place]:
        return file_digest(place)
    above = place if place.is_dir() else place.parent
    told: Mapping[str, Any] = {
        file.relative_to(above).as_posix(): file_digest(file) for file in there
    }
    return digest(canonical_json(told))


def _own(runs: Sequence[StoredRun]) -> list[Path]:
    return [file for run in runs for file in run.files]

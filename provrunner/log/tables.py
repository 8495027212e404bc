"""Derive the public tables that restate events: settings, layers, data, artifacts, environment."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from provrunner.ids import canonical_json
from provrunner.log.events import decode, latest, of_kind, shape_table
from provrunner.plan import Plan
from provrunner.schema import TABLES

__all__ = [
    "build_adaptations",
    "build_artifacts",
    "build_datasets",
    "build_environment",
    "build_layers",
    "build_params",
    "build_plan",
    "build_sweep",
    "build_transforms",
]

_HARDWARE = ("machine", "cpu", "cores", "memory_bytes", "threads")
_CODE = ("commit", "branch", "dirty", "remote", "patch_sha256", "reason")


def build_sweep(plan: Plan) -> pa.Table:
    """Build the public table `sweep`: one row, with what the runs are judged by."""
    row = {name: getattr(plan, name, None) for name in TABLES["sweep"].names}
    row |= {"metric": plan.objective.metric, "direction": plan.objective.direction}
    row |= {"objective_at": plan.objective.at}
    row |= {"planned": len(plan.points), "command": shlex.join(plan.command)}
    return shape_table("sweep", pa.table({}), {name: [value] for name, value in row.items()})


def build_plan(plan: Plan) -> pa.Table:
    """Build the public table `plan`: one row a planned run, in the plan's order."""
    columns = {
        field.name: [getattr(point, field.name) for point in plan.points]
        for field in TABLES["plan"]
    }
    columns["values"] = [canonical_json(dict(point.values)) for point in plan.points]
    return shape_table("plan", pa.table({}), columns)


def build_params(marked: pa.Table) -> pa.Table:
    """Build the public table `params`: one row a setting and phase of a run's latest attempt."""
    events = latest(of_kind(marked, "param"))
    data = decode(events)
    values = [row.get("value") for row in data]
    columns = _fields(data, "type", "origin", "source", "reads", "phase")
    columns["name"] = events["subject"]
    columns["value"] = [canonical_json(value) for value in values]
    columns["number"] = [_number(value) for value in values]
    return _last_of_each(shape_table("params", events, columns), "run_id", "name", "phase")


def build_adaptations(marked: pa.Table) -> pa.Table:
    """Build the public table `adaptations`: each change of a setting while a run trained."""
    events = of_kind(marked, "adaptation")
    data = decode(events)
    columns = _fields(data, "cause", "agent")
    columns["name"] = events["subject"]
    columns["old"] = [canonical_json(row.get("old")) for row in data]
    columns["new"] = [canonical_json(row.get("new")) for row in data]
    columns["numbers"] = [_text(row.get("numbers")) for row in data]
    return shape_table("adaptations", events, columns)


def build_layers(marked: pa.Table) -> pa.Table:
    """Build the public table `layers`: the modules of a run's model, in order of definition."""
    events = latest(of_kind(marked, "layer"))
    data = decode(events)
    columns = _fields(data, "position", "type", "parameters", "trainable")
    columns["name"] = events["subject"]
    for shape in ("input_shape", "output_shape"):
        columns[shape] = [_text(row.get(shape)) for row in data]
    return _last_of_each(shape_table("layers", events, columns), "run_id", "name")


def build_datasets(marked: pa.Table) -> pa.Table:
    """Build the public table `datasets`: a row a data set, and one a split of it.

    A split's `type` and `features` are those of its data set; `ratio` is its part of the samples.
    """
    wholes, parts = (latest(of_kind(marked, kind)) for kind in ("dataset", "split"))
    whole_data, data = decode(wholes), decode(parts)
    names = zip(wholes["run_id"].to_pylist(), wholes["subject"].to_pylist(), strict=True)
    by_name = dict(zip(names, whole_data, strict=True))
    owners = [
        by_name.get((run_id, str(row.get("dataset"))), {})
        for run_id, row in zip(parts["run_id"].to_pylist(), data, strict=True)
    ]
    part_data = [
        {**row, "type": owner.get("type"), "features": owner.get("features")}
        for row, owner in zip(data, owners, strict=True)
    ]
    ratios = [
        _ratio(row.get("size"), owner.get("size")) for row, owner in zip(data, owners, strict=True)
    ]
    whole_columns = _dataset_columns(whole_data) | {"dataset": wholes["subject"]}
    part_columns = _dataset_columns(part_data) | _fields(data, "dataset")
    part_columns |= {"split": parts["subject"], "ratio": ratios}
    table = pa.concat_tables(
        [
            shape_table("datasets", wholes, whole_columns),
            shape_table("datasets", parts, part_columns),
        ]
    ).sort_by([(name, "ascending") for name in ("run", "run_id", "dataset")])
    return _last_of_each(table, "run_id", "dataset", "split")


def build_transforms(marked: pa.Table) -> pa.Table:
    """Build the public table `transforms`: the preprocessing of a run's data, in order."""
    events = latest(of_kind(marked, "transform"))
    data = decode(events)
    columns = _fields(data, "position", "split", "n_in", "n_out", "changed")
    columns["name"] = events["subject"]
    columns["params"] = [_text(row.get("params")) for row in data]
    table = shape_table("transforms", events, columns)
    return _last_of_each(table, "run_id", "position", "name", "split")


def build_artifacts(marked: pa.Table) -> pa.Table:
    """Build the public table `artifacts`: each checkpoint written, with the time it was deleted.

    A file that a run overwrote with other bytes counts as deleted at that moment.
    """
    events = of_kind(marked, "checkpoint", "checkpoint_deleted")
    data = decode(events)
    created = pc.equal(events["kind"], "checkpoint")
    rows = zip(
        events["run_id"].to_pylist(),
        events["subject"].to_pylist(),
        created.to_pylist(),
        [row.get("sha256") for row in data],
        strict=True,
    )
    ends = _deletions(rows, events.num_rows)
    times = events["time"].combine_chunks().take(pa.array(ends, pa.int64()))
    columns = _fields(data, "sha256", "size_bytes", "metric", "value", "role")
    columns |= {"path": events["subject"], "created": events["time"], "deleted": times}
    return shape_table("artifacts", events, columns).filter(created)


def build_environment(marked: pa.Table) -> pa.Table:
    """Build the public table `environment`: Python, packages, machine and code of each run."""
    events = latest(of_kind(marked, "environment", "code", "source"))
    facts = [
        (index, *fact)
        for index, (kind, subject, data) in enumerate(
            zip(
                events["kind"].to_pylist(),
                events["subject"].to_pylist(),
                decode(events),
                strict=True,
            )
        )
        for fact in _facts(kind, subject, data)
    ]
    indices, kinds, names, values = zip(*facts, strict=True) if facts else ((), (), (), ())
    source = events.take(pa.array(indices, pa.int64()))
    table = shape_table("environment", source, {"kind": kinds, "name": names, "value": values})
    return _last_of_each(table, "run_id", "kind", "name")


def _fields(data: Sequence[Mapping[str, Any]], *names: str) -> dict[str, Any]:
    return {name: [row.get(name) for row in data] for name in names}


def _text(value: object) -> str | None:
    return None if value is None else canonical_json(value)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _ratio(part: object, whole: object) -> float | None:
    top, bottom = _number(part), _number(whole)
    return None if top is None or not bottom else top / bottom


def _dataset_columns(data: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    columns = _fields(data, "type", "size", "digest", "index_digest", "seed")
    for name in ("features", "classes", "overlap"):
        columns[name] = [_text(row.get(name)) for row in data]
    return columns


def _last_of_each(table: pa.Table, *names: str) -> pa.Table:
    """Keep the last row of each combination of some columns' values, in the order of the rows."""
    keys = zip(*(table[name].to_pylist() for name in names), strict=True)
    return table.take(
        pa.array(sorted({key: row for row, key in enumerate(keys)}.values()), pa.int64())
    )


def _deletions(rows: Iterable[tuple[str, str, bool, str | None]], count: int) -> list[int | None]:
    """Return, for each event, the place of the event that ended the file it created."""
    ends: list[int | None] = [None] * count
    held: dict[tuple[str, str], tuple[int, str | None]] = {}
    for place, (run_id, path, is_new, sha256) in enumerate(rows):
        before = held.pop((run_id, path), None)
        if before and not (is_new and before[1] == sha256):
            ends[before[0]] = place
        if is_new:
            held[run_id, path] = (place, sha256)
    return ends


def _facts(kind: str, subject: str, data: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield the kind, name and value of each row of `environment` that an event gives."""
    if kind == "source":
        yield from _known("source", {subject: data.get("sha256")})
        return
    if kind == "code":
        yield from _known("code", {name: data.get(name) for name in _CODE})
        return
    for name in ("python", "os", "launcher"):
        yield from _known(name, {name: data.get(name)})
    yield from _known("hardware", {name: data.get(name) for name in _HARDWARE})
    gpus = data.get("gpus") or ()
    yield from _known("hardware", {f"gpu.{index}": gpu for index, gpu in enumerate(gpus)})
    for many, one in (("packages", "package"), ("variables", "variable")):
        yield from _known(one, data.get(many) or {})


def _known(kind: str, values: object) -> Iterator[tuple[str, str, str]]:
    items = sorted(values.items()) if isinstance(values, Mapping) else ()
    for name, value in items:
        if value is not None:
            yield kind, name, value if isinstance(value, str) else canonical_json(value)

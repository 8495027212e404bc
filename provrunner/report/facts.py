"""All that tells one run from another: its code, configuration, data, environment and model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow.compute as pc

from provrunner.report.runref import RunRef

__all__ = ["ASPECTS", "DIGEST", "SAMPLES", "Fact", "facts_of"]

ASPECTS = ("configuration", "data", "code", "architecture", "seed", "environment")
"""What facts are about, those that most often matter first."""

DIGEST, SAMPLES = "digest", "samples"
"""What is told of a data set or a split, behind its name and a colon."""

Fact = tuple[str, str]
"""An aspect and a name."""

_NOT_OF_THE_RESULT = ("folder", "output", "reason", "seed", "sweep", "yes")
_ENVIRONMENT = ("python", "os", "launcher", "hardware", "package", "variable")


def facts_of(run: RunRef) -> dict[Fact, str]:
    """Return what is known of a run by aspect and name, values as text; what is unknown is absent.

    Settings that cannot change a result (`output`, `folder`, `reason`, `yes`, and `sweep`, whose
    consequences stand elsewhere) are left out.
    """
    found = {
        **dict(_code(run)),
        **dict(_configuration(run)),
        **dict(_data(run)),
        **dict(_environment(run)),
        **dict(_model(run)),
    }
    return {fact: str(value) for fact, value in found.items() if value is not None}


def _rows(run: RunRef, table: str) -> list[dict[str, Any]]:
    rows = run.sweep.table(table)
    found: list[dict[str, Any]] = rows.filter(
        pc.equal(rows["run_id"], run.point.run_id)
    ).to_pylist()
    return found


def _code(run: RunRef) -> Iterator[tuple[Fact, Any]]:
    events = run.sweep.table("events")
    mine = pc.and_(pc.equal(events["run_id"], run.point.run_id), pc.equal(events["kind"], "code"))
    for text in events.filter(mine)["data"].to_pylist():
        code = json.loads(text or "{}")
        yield ("code", "commit"), code.get("commit")
        patch = code.get("patch_sha256") or ("unknown" if code.get("dirty") else "none")
        yield ("code", "uncommitted changes"), patch if code.get("commit") else None
    for row in _rows(run, "environment"):
        if row["kind"] == "source":
            yield ("code", f"module {row['name']}"), row["value"]


def _configuration(run: RunRef) -> Iterator[tuple[Fact, Any]]:
    rows = _rows(run, "params")
    configured = [row for row in rows if row["phase"] == "init"]
    for row in configured or rows:
        if row["name"].split(".")[0] not in _NOT_OF_THE_RESULT:
            yield ("configuration", row["name"]), row["value"]


def _data(run: RunRef) -> Iterator[tuple[Fact, Any]]:
    for row in _rows(run, "datasets"):
        name = row["dataset"] if row["split"] is None else f"{row['dataset']} {row['split']}"
        yield ("data", f"{name}: {SAMPLES}"), row["size"]
        yield ("data", f"{name}: {DIGEST}"), row["digest"] or row["index_digest"]
    for row in _rows(run, "transforms"):
        yield ("data", f"transform {row['position']}"), f"{row['name']} {row['params']}"


def _environment(run: RunRef) -> Iterator[tuple[Fact, Any]]:
    for row in _rows(run, "environment"):
        if row["kind"] in _ENVIRONMENT:
            name = row["name"] if row["kind"] == row["name"] else f"{row['kind']} {row['name']}"
            yield ("environment", name), row["value"]
    mine = run.row
    yield ("environment", "host"), mine["host"]
    yield ("environment", "processes"), mine["world_size"]


def _model(run: RunRef) -> Iterator[tuple[Fact, Any]]:
    row = run.row
    yield ("seed", "seed"), row["seed"]
    yield ("architecture", "hash"), row["architecture_hash"]
    yield ("architecture", "weights"), row["parameters"]
    for layer in _rows(run, "layers"):
        shape = layer["output_shape"] or ""
        text = f"{layer['type']} {shape} {layer['parameters']} weights"
        yield ("architecture", f"layer {layer['name']}"), text

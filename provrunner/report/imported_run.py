"""The log of one run of another tool: what its store tells, and that it came from there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from provrunner.ids import file_digest
from provrunner.log import PastEvent, PastMetric, run_folder, write_past_run
from provrunner.plan import Plan, Point
from provrunner.redaction import redact, redact_command, redact_value
from provrunner.report.standings import status_of
from provrunner.report.stores import UNKNOWN, Course, Store, StoredRun
from provrunner.schema import RunStatus, stage_of

__all__ = ["write_imported_run"]

_INT32 = 2**31
_TYPES = {bool: "bool", int: "int", float: "float", str: "str", type(None): "null"}


def write_imported_run(
    folder: Path, plan: Plan, point: Point, run: StoredRun, store: Store
) -> None:
    """Write a run's log into a sweep's folder; one that never began gets none.

    Args:
        folder: of the sweep.
        plan: of the sweep.
        point: the run's place in it.
        run: what the store tells of it.
        store: where it came from.

    Raises:
        LogError: the log cannot be written.
    """
    status, reason = _ending(run, store.tool, plan.objective.metric)
    if status is RunStatus.PLANNED:
        return
    write_past_run(
        run_folder(folder, point.run_id),
        list(_events(run, point, store)),
        [_metric(name, course) for name, course in run.metrics.items() if course.values],
        sweep_id=plan.sweep_id,
        status=status,
        reason=reason if reason is None else redact(reason),
        end=(run.end_us, run.elapsed_us),
    )


def _ending(run: StoredRun, tool: str, objective: str) -> tuple[RunStatus, str | None]:
    """Return how a run ended; one that had no end is lost, as it would be here."""
    told = run.facts.get("reason")
    if run.status is None:
        if objective in run.metrics:
            return RunStatus.FINISHED, f"{tool} keeps no status; it has a value of {objective}"
        return RunStatus.LOST, f"{tool} keeps no status, and no value of {objective}"
    status = status_of(run.status)
    if status is RunStatus.RUNNING:
        return RunStatus.LOST, told or f"{tool} said {run.status} and told no end of it"
    return status, told


def _events(run: StoredRun, point: Point, store: Store) -> Iterator[PastEvent]:
    facts, began = run.facts, (run.start_us, None if run.elapsed_us is None else 0)
    start = {
        "run_id": point.run_id,
        "command": redact_command(facts.get("command", ())),
        "user": facts.get("user"),
        "host": facts.get("host"),
        "pid": None,
        "seed": point.seed,
        "attempt": 0,
        "world_size": None,
        "reason": None,
    }
    yield PastEvent("run_start", point.run_id, start, *began)
    yield PastEvent("origin", run.run_id, _origin(run, store), *began)
    user = facts.get("user")
    if user:
        person = {"type": "person", "version": None, "on_behalf_of": None}
        yield PastEvent("agent", user, person, *began)
    if store.tool != "table":
        agent = {"type": "software", "version": facts.get("version"), "on_behalf_of": user}
        yield PastEvent("agent", store.tool, agent, *began)
    for name, value in run.parameters.items():
        yield PastEvent("param", store.columns[name], _setting(name, value), *began)
    yield from (PastEvent(kind, "", data, *began) for kind, data in _surroundings(facts, store))
    for name, value in run.others.items():
        yield PastEvent("value", name, {"value": redact_value(name, value)})


def _origin(run: StoredRun, store: Store) -> dict[str, Any]:
    above = store.place if store.place.is_dir() else store.place.parent
    return {
        "tool": store.tool,
        "version": run.facts.get("version"),
        "name": run.facts.get("name"),
        "status": run.status,
        "path": str(store.place.resolve()),
        "files": {file.relative_to(above).as_posix(): file_digest(file) for file in run.files},
    }


def _setting(name: str, value: object) -> dict[str, Any]:
    kind = "dict" if isinstance(value, Mapping) else _TYPES.get(type(value), "list")
    told = {"origin": None, "source": None, "reads": None, "phase": "init"}
    return {"value": redact_value(name, value), "type": kind, **told}


def _surroundings(facts: Mapping[str, Any], store: Store) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield code and environment as far as the tool captured them."""
    if facts.get("commit"):
        remote = redact(facts["remote"]) if facts.get("remote") else None
        known = {"commit": facts["commit"], "remote": remote, "reason": f"as {store.tool} tells it"}
        unknown = dict.fromkeys(("branch", "dirty", "patch_sha256", "patch"))
        yield "code", unknown | known
    if facts.get("python") or facts.get("os"):
        unknown = dict.fromkeys(("machine", "cpu", "cores", "memory_bytes", "threads", "launcher"))
        told = {"python": facts.get("python"), "os": facts.get("os")}
        yield "environment", {**unknown, **told, "gpus": [], "packages": {}, "variables": {}}


def _metric(name: str, course: Course) -> PastMetric:
    """Return a metric in columns; the step stands for the epoch where none was stored."""
    steps, epochs = _numbers(course.steps), _numbers(course.epochs)
    told = pc.coalesce(epochs, steps)
    fits = pc.less(pc.abs(told), _INT32)
    return PastMetric(
        name=name,
        stage=stage_of(name),
        values=pa.Array.from_buffers(
            pa.float64(), len(course.values), [None, _buffer(course.values)]
        ),
        steps=steps,
        epochs=pc.if_else(fits, told, pa.scalar(None, pa.int64())),
        times=_numbers(course.times),
    )


def _numbers(column: Any) -> pa.Array:
    whole = pa.Array.from_buffers(pa.int64(), len(column), [None, _buffer(column)])
    return pc.if_else(pc.equal(whole, UNKNOWN), pa.scalar(None, pa.int64()), whole)


def _buffer(column: Any) -> pa.Buffer:
    return pa.py_buffer(column.tobytes())

"""What the public tables say of each run, gathered run by run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from provrunner.graph.terms import parse_json
from provrunner.schema import TABLES

__all__ = ["Event", "RunRecord", "read_records"]

_EVENTS = (
    "agent",
    "checkpoint_loaded",
    "code",
    "environment",
    "epoch_end",
    "epoch_start",
    "origin",
    "run_end",
    "run_start",
    "source",
    "stage_end",
    "stage_start",
)
_EVENT_COLUMNS = ("run", "rank", "kind", "subject", "time", "epoch", "data")
_STAGE_ORDER = ("validate", "test", "train")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the log; time in microseconds, `data` still as JSON text."""

    kind: str
    subject: str | None
    time: int | None
    epoch: int | None
    text: str | None

    @property
    def data(self) -> dict[str, Any]:
        """Its fields; empty when damaged."""
        data = parse_json(self.text)
        return data if isinstance(data, dict) else {}


@dataclass(slots=True)
class RunRecord:
    """All that the graph is told of one run.

    Attributes:
        row: its row of `runs`; times in microseconds since 1970 UTC.
        params: its rows of `params` of phase init, by name.
        events: its first rank's events by kind, in order.
        epochs: metric name and value by epoch, from the first rank.
        spans: start and end by epoch, from `epochs`.
        tests: value of each metric of the test stage.
        stages: the stage that logged a metric, by its name.
    """

    row: Row
    params: dict[str, Row] = field(default_factory=dict)
    events: dict[str, list[Event]] = field(default_factory=dict)
    epochs: dict[int, dict[str, float]] = field(default_factory=dict)
    spans: dict[int, tuple[int | None, int | None]] = field(default_factory=dict)
    tests: dict[str, float] = field(default_factory=dict)
    stages: Mapping[str, str] = field(default_factory=dict)
    adaptations: list[Row] = field(default_factory=list)
    artifacts: list[Row] = field(default_factory=list)
    datasets: list[Row] = field(default_factory=list)
    transforms: list[Row] = field(default_factory=list)

    @property
    def number(self) -> int:
        """Its number in the plan."""
        return int(self.row["run"])

    @property
    def begun(self) -> int | None:
        """When its first attempt started, in microseconds; None when unknown."""
        times = [event.time for event in self.events.get("run_start", ())]
        known = [time for time in (self.row["start"], *times) if time is not None]
        return min(known, default=None)

    def event(self, kind: str) -> Event | None:
        """Return the last event of a kind."""
        events = self.events.get(kind)
        return events[-1] if events else None


def read_records(tables: Mapping[str, pa.Table]) -> list[RunRecord]:
    """Gather the runs that have begun, ordered by number.

    Args:
        tables: the public tables by name; one that is missing counts as empty.
    """
    records = {
        row["run"]: RunRecord(row)
        for row in sorted(_rows(tables, "runs"), key=lambda row: row["run"])
        if row["run"] is not None and row["status"] != "planned"
    }
    for name in ("adaptations", "artifacts", "datasets", "transforms"):
        for row in _rows(tables, name):
            if row["run"] in records:
                getattr(records[row["run"]], name).append(row)
    for row in _rows(tables, "params"):
        if row["run"] in records and row["phase"] == "init":
            records[row["run"]].params[row["name"]] = row
    _add_events(records, tables)
    _add_epochs(records, tables)
    _add_metric_stages(records, tables)
    return list(records.values())


def _rows(tables: Mapping[str, pa.Table], name: str) -> Iterator[Row]:
    table = tables.get(name)
    if table is None:
        return iter(())
    names = [column for column in TABLES[name].names if column in table.column_names]
    columns = [_values(table[column]) for column in names]
    return (dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True))


def _values(column: pa.ChunkedArray) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    values: list[Any] = column.to_pylist()
    return values


def _tuples(table: pa.Table, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    return zip(*(_values(table[name]) for name in names), strict=True)


def _add_events(records: dict[int, RunRecord], tables: Mapping[str, pa.Table]) -> None:
    table = tables.get("events")
    if table is None:
        return
    table = table.filter(pc.is_in(table["kind"], value_set=pa.array(_EVENTS, pa.utf8())))
    table = table.sort_by(
        [
            ("run", "ascending"),
            ("rank", "ascending"),
            ("segment", "ascending"),
            ("seq", "ascending"),
        ]
    )
    first_rank: dict[int, int | None] = {}
    for run, rank, kind, subject, time, epoch, text in _tuples(table, _EVENT_COLUMNS):
        if run in records and first_rank.setdefault(run, rank) == rank:
            event = Event(kind, subject, time, epoch, text)
            records[run].events.setdefault(kind, []).append(event)


def _add_epochs(records: dict[int, RunRecord], tables: Mapping[str, pa.Table]) -> None:
    table = tables.get("epochs")
    if table is None:
        return
    metrics = [name for name in table.column_names if name not in TABLES["epochs"].names]
    first_rank: dict[int, int | None] = {}
    table = table.sort_by([("run", "ascending"), ("rank", "ascending"), ("epoch", "ascending")])
    names = ("run", "rank", "epoch", "start", "end")
    for run, rank, epoch, start, end, *values in _tuples(table, (*names, *metrics)):
        if run in records and epoch is not None and first_rank.setdefault(run, rank) == rank:
            records[run].spans[epoch] = (start, end)
            records[run].epochs[epoch] = {
                name: value
                for name, value in zip(metrics, values, strict=True)
                if isinstance(value, float)
            }


def _add_metric_stages(records: dict[int, RunRecord], tables: Mapping[str, pa.Table]) -> None:
    """Tell which stage logged what: the epochs table has the values but not the stages."""
    table = tables.get("metrics")
    if table is None:
        return
    pairs = (
        table.select(["name", "stage"]).group_by(["name", "stage"], use_threads=False).aggregate([])
    )
    stages: dict[str, str] = {}
    for stage in reversed(_STAGE_ORDER):
        stages |= {
            name: stage for name, found in _tuples(pairs, ["name", "stage"]) if found == stage
        }
    for record in records.values():
        record.stages = stages
    tests = table.filter(pc.equal(table["stage"], "test"))
    for run, name, value in _tuples(tests, ["run", "name", "value"]):
        if run in records:
            records[run].tests[name] = math.nan if value is None else value

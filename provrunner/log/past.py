"""The log of a run that ended before it came here, written sealed at once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from provrunner.errors import LogError
from provrunner.log.columns import fit_text, with_source
from provrunner.log.folder import log_folder, run_number
from provrunner.log.seal import commit
from provrunner.log.sealed import Seal, SealedStream
from provrunner.schema import EVENTS, METRICS, RunStatus

__all__ = ["PastEvent", "PastMetric", "write_past_run"]


@dataclass(frozen=True, slots=True)
class PastEvent:
    """A happening of a run that has ended; None is what nobody knows.

    Attributes:
        time_us: microseconds since 1970 UTC.
        elapsed_us: microseconds since the run began.
    """

    kind: str
    subject: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    time_us: int | None = None
    elapsed_us: int | None = None


@dataclass(frozen=True, slots=True)
class PastMetric:
    """The values of one metric in the order logged: columns of one length, null where unknown.

    Attributes:
        values: float64.
        steps, epochs: int64.
        times: int64, microseconds since 1970 UTC.
    """

    name: str
    stage: str
    values: pa.Array
    steps: pa.Array
    epochs: pa.Array
    times: pa.Array


def write_past_run(
    folder: Path,
    events: Sequence[PastEvent],
    metrics: Iterable[PastMetric],
    *,
    sweep_id: str,
    status: RunStatus,
    reason: str | None = None,
    end: tuple[int | None, int | None] = (None, None),
) -> None:
    """Write what is known of a run that has ended; its end is added as the last event.

    A live writer would stamp the end with the present. Rows of each metric keep the order logged;
    those of several are merged by their times, or by their steps where a time is unknown.

    Args:
        folder: of the run, called by its id, in a sweep's folder.
        events: in their order, `run_start` first.
        metrics: in any order.
        sweep_id: id of the sweep.
        status: how it ended.
        reason: why, in one line.
        end: when it ended, and how long it took, as an event tells its time.

    Raises:
        LogError: the log cannot be written.
    """
    rows = _metric_rows(metrics)
    told = {"status": status.value, "reason": reason, "metric_rows": rows.num_rows, "gaps": 0}
    ended = PastEvent("run_end", "", told, *end)
    own = {"metrics": rows, "events": _event_rows([*events, ended])}
    number = run_number(folder.name)
    tables = {
        name: with_source(table.combine_chunks(), run=number, rank=0, segment=0)
        for name, table in own.items()
    }
    streams = tuple(SealedStream(name, 0, 0, table.num_rows) for name, table in own.items())
    log = log_folder(folder)
    try:
        log.mkdir(parents=True)
        commit(log, tables, Seal(sweep_id, folder.name, status, reason, files={}, streams=streams))
    except OSError as error:
        raise LogError(f"cannot write {log}: {error.strerror or error}") from error


def _metric_rows(metrics: Iterable[PastMetric]) -> pa.Table:
    """Merge metrics, each in the order logged, even where its step or time went back."""
    own = [METRICS.empty_table(), *(_rows_of(metric) for metric in metrics)]
    table = pa.concat_tables(own)
    keys = ["step"] if table["time"].null_count else ["time", "step"]
    places = pa.concat_tables([_places(rows) for rows in own])
    return table.take(pc.sort_indices(places, [(key, "ascending") for key in keys]))


def _places(rows: pa.Table) -> pa.Table:
    """Return times and steps of one metric that never go back: the latest until each row."""
    columns = {name: rows[name].cast(pa.int64()) for name in ("time", "step")}
    return pa.table(
        {
            name: pc.cumulative_max(pc.fill_null_backward(pc.fill_null_forward(column)))
            for name, column in columns.items()
        }
    )


def _rows_of(metric: PastMetric) -> pa.Table:
    count = len(metric.values)
    columns = {
        "time": metric.times.cast(METRICS.field("time").type),
        "step": metric.steps,
        "epoch": metric.epochs.cast(pa.int32()),
        "stage": pa.repeat(metric.stage, count),
        "name": pa.repeat(_fitting(metric.name), count),
        "value": metric.values,
    }
    return pa.table(columns, schema=METRICS)


def _event_rows(events: Sequence[PastEvent]) -> pa.Table:
    elapsed = [None if e.elapsed_us is None else e.elapsed_us * 1000 for e in events]
    columns: dict[str, Sequence[Any]] = {
        "seq": range(len(events)),
        "time": [event.time_us for event in events],
        "mono_ns": elapsed,
        "step": [None] * len(events),
        "epoch": [None] * len(events),
        "kind": [event.kind for event in events],
        "subject": [_fitting(event.subject) for event in events],
        "data": [_json(event.data) for event in events],
    }
    arrays = [pa.array(columns[column.name], column.type) for column in EVENTS]
    return pa.table(arrays, schema=EVENTS)


def _fitting(text: str) -> str:
    return fit_text(text).decode("utf-8")


def _json(data: Mapping[str, Any]) -> str:
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")

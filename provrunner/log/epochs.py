"""Derive the public table `epochs`, wide by metric, from a sweep's metrics and events."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from provrunner.log.events import Ints, decode, group_codes, numpy_column, of_kind, shape_table
from provrunner.schema import TABLES

__all__ = [
    "Epochs",
    "Metric",
    "build_epochs",
    "drop_superseded",
    "find_epochs",
    "label_epochs",
    "metric_labels",
    "metrics_of",
]

_STAGES = ("train", "validate", "test")
_KEY = ("run", "run_id", "rank", "epoch")
_FIXED = {field.name for field in TABLES["epochs"]}
Metric = tuple[str, str]
"""A metric's name and the stage that logged it."""


@dataclass(frozen=True, slots=True)
class Epochs:
    """The epochs of some runs, whose metrics have no columns yet: these depend on all runs.

    Attributes:
        base: the columns of `TABLES["epochs"]`, in any order of rows.
        columns: float64 values by metric, a row of `base` each.
        metrics: every metric that was logged, also where no epoch has a value of it.
    """

    base: pa.Table
    columns: Mapping[Metric, pa.ChunkedArray]
    metrics: frozenset[Metric]


def build_epochs(marked: pa.Table, metrics: pa.Table) -> pa.Table:
    """Build the public table `epochs`: one row a run, rank and epoch; one column a metric.

    A metric's last value in the epoch counts. What a resumed run did again replaces what it had
    done before. A test after training makes no epoch of its own: its values stand in the last one.

    Args:
        marked: the events, as `mark_attempts` gives them.
        metrics: the public table `metrics`.

    Returns:
        Columns of `TABLES["epochs"]`, then a float64 column a metric, sorted by name: the metric's
        name, or `<stage>/<name>` where several stages logged it or a column has that name already.
        Rows sorted by run, rank, epoch.
    """
    return label_epochs([find_epochs(marked, metrics)])


def find_epochs(marked: pa.Table, metrics: pa.Table) -> Epochs:
    """Find the epochs that some runs trained for, as `build_epochs` does."""
    values = _stage_rows(metrics)
    times = _epoch_events(marked)
    every = pa.concat_tables([values.select(_KEY), times.select(_KEY)])
    is_test = np.zeros(every.num_rows, bool)
    is_test[: values.num_rows] = numpy_column(pc.equal(values["stage"], "test"), False)
    first, place = _epoch_places(every, is_test)
    base = shape_table(
        "epochs",
        every.take(pa.array(first)),
        _time_columns(times, place[values.num_rows :], len(first)),
    )
    found = dict(_metric_columns(values, place[: values.num_rows], len(first)))
    columns = {metric: column for metric, column in found.items() if column is not None}
    return Epochs(base, columns, frozenset(found))


def metrics_of(metrics: pa.Table) -> frozenset[Metric]:
    """Return every metric of some runs that `find_epochs` knows."""
    told = _stage_rows(metrics).group_by(["name", "stage"], use_threads=False).aggregate([])
    return frozenset(zip(told["name"].to_pylist(), told["stage"].to_pylist(), strict=True))


def label_epochs(parts: Sequence[Epochs]) -> pa.Table:
    """Make the public table `epochs` of all runs from the epochs of some of them each."""
    labels = metric_labels(frozenset[Metric]().union(*(part.metrics for part in parts)))
    known = {metric for part in parts for metric in part.columns}
    table = pa.concat_tables([part.base for part in parts])
    for metric in sorted(known, key=labels.__getitem__):
        chunks = [_column_of(part, metric) for part in parts]
        table = table.append_column(
            labels[metric],
            pa.chunked_array([chunk for column in chunks for chunk in column.chunks], pa.float64()),
        )
    return table.combine_chunks().sort_by([(name, "ascending") for name in _KEY])


def metric_labels(metrics: Collection[Metric]) -> dict[Metric, str]:
    """Name a column for each metric; SQL takes names that differ in case as the same."""
    taken = {name.casefold() for name in _FIXED}
    stages: dict[str, int] = {}
    for name, _ in metrics:
        stages[name.casefold()] = stages.get(name.casefold(), 0) + 1
    labels: dict[Metric, str] = {}
    plain = {(name, stage) for name, stage in metrics if stages[name.casefold()] == 1}
    for name, stage in sorted(metrics, key=lambda metric: (metric not in plain, metric)):
        label = name if (name, stage) in plain else f"{stage}/{name}"
        while label.casefold() in taken:
            label = f"{stage}/{label}"
        taken.add(label.casefold())
        labels[name, stage] = label
    return labels


def _column_of(part: Epochs, metric: Metric) -> pa.ChunkedArray:
    found = part.columns.get(metric)
    return pa.chunked_array([pa.nulls(len(part.base), pa.float64())]) if found is None else found


def drop_superseded(rows: pa.Table, training: npt.NDArray[np.bool_]) -> pa.Table:
    """Leave out the rows that a resumed run went over again.

    Training in a later segment begins at some epoch and step; rows of earlier segments beyond it
    belong to an abandoned future.

    Args:
        rows: columns run_id, rank, segment, epoch, step.
        training: for each row, whether it tells where training was.

    Returns:
        The rows kept, in the same order; all of them where no run has a second segment.
    """
    segment = numpy_column(rows["segment"], 0)
    if not segment.any():
        return rows
    source = group_codes(rows, ("run_id", "rank"))
    epoch, step = numpy_column(rows["epoch"], -1), numpy_column(rows["step"], -1)
    kept = np.ones(len(segment), bool)
    for mine in _groups(source):
        for later in np.unique(segment[mine])[1:]:
            begun = mine[(segment[mine] == later) & training[mine]]
            if not len(begun):
                continue
            at_epoch, at_step = min(zip(epoch[begun], step[begun], strict=True))
            earlier = mine[segment[mine] < later]
            same_epoch = (epoch[earlier] == at_epoch) & (step[earlier] > at_step)
            kept[earlier[(epoch[earlier] > at_epoch) | same_epoch]] = False
    return rows.filter(pa.array(kept))


def _stage_rows(metrics: pa.Table) -> pa.Table:
    known = pc.and_(
        pc.is_in(metrics["stage"], pa.array(_STAGES, pa.utf8())), pc.is_valid(metrics["epoch"])
    )
    rows = metrics.filter(known)
    return drop_superseded(rows, numpy_column(pc.equal(rows["stage"], "train"), False))


def _epoch_events(marked: pa.Table) -> pa.Table:
    events = of_kind(marked, "epoch_start", "epoch_end")
    known = pc.and_(pc.equal(events["subject"], "train"), pc.is_valid(events["epoch"]))
    rows = events.filter(known)
    return drop_superseded(rows, numpy_column(pc.equal(rows["kind"], "epoch_start"), False))


def _epoch_places(every: pa.Table, is_test: npt.NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Return a row of each epoch, and for each row its epoch's place; -1 where it has none."""
    source = group_codes(every, ("run_id", "rank"))
    epochs, code = np.unique(numpy_column(every["epoch"], -1), return_inverse=True)
    key = source * len(epochs) + code
    own = np.flatnonzero(~is_test)
    keys, first = np.unique(key[own], return_index=True)
    place = np.searchsorted(keys, key, side="right") - 1
    if len(keys):
        place[keys[place] // len(epochs) != source] = -1
    return own[first], place


def _time_columns(times: pa.Table, place: Ints, count: int) -> dict[str, pa.Array]:
    """Return start, end, duration_s and elapsed_s of each epoch; null where it did not end."""
    is_start = numpy_column(pc.equal(times["kind"], "epoch_start"), False)
    row = np.arange(times.num_rows)
    start, end = np.full(count, -1), np.full(count, -1)
    start[place[is_start]] = row[is_start]
    end[place[~is_start]] = row[~is_start]
    end[end < start] = -1
    stated = [data.get("duration_s") for data in decode(times)]
    elapsed = _pick(times["elapsed_s"], end)
    measured = pc.subtract(elapsed, _pick(times["elapsed_s"], start))
    durations = pa.array([_seconds(value) for value in stated], pa.float64())
    return {
        "start": _pick(times["time"], start),
        "end": _pick(times["time"], end),
        "duration_s": pc.coalesce(_pick(durations, end), measured),
        "elapsed_s": elapsed,
    }


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _pick(column: pa.Array | pa.ChunkedArray, rows: Ints) -> pa.Array:
    """Take rows of a column; null where the row is -1."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return whole.take(pa.array(rows, pa.int64(), mask=rows < 0))


def _metric_columns(
    values: pa.Table, place: Ints, count: int
) -> Iterator[tuple[Metric, pa.ChunkedArray | None]]:
    """Yield each metric with the values of its column; None where no epoch has one."""
    number = numpy_column(values["value"], np.nan)
    for rows in _groups(group_codes(values, ("name", "stage"))):
        metric = (values["name"][int(rows[0])].as_py(), values["stage"][int(rows[0])].as_py())
        inside = rows[place[rows] >= 0]
        column, seen = np.full(count, np.nan), np.zeros(count, bool)
        column[place[inside]] = number[inside]
        seen[place[inside]] = True
        yield metric, pa.chunked_array([pa.array(column, mask=~seen)]) if seen.any() else None


def _groups(codes: Ints) -> Iterator[Ints]:
    """Yield the places of each code, in their order."""
    order = np.argsort(codes, kind="stable")
    cuts = np.flatnonzero(np.diff(codes[order])) + 1
    yield from (rows for rows in np.split(order, cuts) if len(rows))

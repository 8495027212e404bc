"""Derive the public table `epochs`, wide by metric, from a sweep's metrics and events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from provrunner.log.events import Ints, decode, group_codes, numpy_column, of_kind, shape_table
from provrunner.schema import TABLES

__all__ = ["build_epochs", "drop_superseded"]

_STAGES = ("train", "validate", "test")
_KEY = ("run", "run_id", "rank", "epoch")
_FIXED = {field.name for field in TABLES["epochs"]}


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
    for label, column in _metric_columns(values, place[: values.num_rows], len(first)):
        base = base.append_column(label, column)
    return base.sort_by([(name, "ascending") for name in ("run", "run_id", "rank", "epoch")])


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


def _metric_columns(values: pa.Table, place: Ints, count: int) -> Iterator[tuple[str, pa.Array]]:
    """Yield the label and values of each metric's column, sorted by label."""
    codes = group_codes(values, ("name", "stage"))
    number = numpy_column(values["value"], np.nan)
    groups = list(_groups(codes))
    heads = values.take(pa.array([int(rows[0]) for rows in groups], pa.int64()))
    names, stages = heads["name"].to_pylist(), heads["stage"].to_pylist()
    labels = _labels(list(zip(names, stages, strict=True)))
    for label, rows in sorted(zip(labels, groups, strict=True), key=lambda pair: pair[0]):
        inside = rows[place[rows] >= 0]
        column, seen = np.full(count, np.nan), np.zeros(count, bool)
        column[place[inside]] = number[inside]
        seen[place[inside]] = True
        if seen.any():
            yield label, pa.array(column, pa.float64(), mask=~seen)


def _labels(metrics: Sequence[tuple[str, str]]) -> list[str]:
    """Name a column for each metric and stage; SQL takes names that differ in case as the same."""
    taken = {name.casefold() for name in _FIXED}
    stages: dict[str, int] = {}
    for name, _ in metrics:
        stages[name.casefold()] = stages.get(name.casefold(), 0) + 1
    labels: dict[tuple[str, str], str] = {}
    plain = {(name, stage) for name, stage in metrics if stages[name.casefold()] == 1}
    for name, stage in sorted(metrics, key=lambda metric: (metric not in plain, metric)):
        label = name if (name, stage) in plain else f"{stage}/{name}"
        while label.casefold() in taken:
            label = f"{stage}/{label}"
        taken.add(label.casefold())
        labels[name, stage] = label
    return [labels[metric] for metric in metrics]


def _groups(codes: Ints) -> Iterator[Ints]:
    """Yield the places of each code, in their order."""
    order = np.argsort(codes, kind="stable")
    cuts = np.flatnonzero(np.diff(codes[order])) + 1
    yield from (rows for rows in np.split(order, cuts) if len(rows))

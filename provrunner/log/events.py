"""Pick events out of a sweep's log and read what they hold."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from provrunner.schema import TABLES

__all__ = [
    "decode",
    "group_codes",
    "latest",
    "mark_attempts",
    "numpy_column",
    "of_kind",
    "shape_table",
]

Ints = npt.NDArray[np.int64]


def mark_attempts(events: pa.Table) -> pa.Table:
    """Add to `events` the attempt that each row belongs to, with the time spent until then.

    A resumed run starts again with a `run_start` event. Time is the monotonic clock's, so that a
    wall clock set back or the pause between two attempts counts for nothing.

    Args:
        events: columns of the public table `events`, rows of a run and rank together, in order.

    Returns:
        The same rows, with `attempt_number` (int64, rising with the attempts of a run and rank) and
        `elapsed_s` (float64, null where the log has no monotonic time).
    """
    starts = np.cumsum(numpy_column(pc.equal(events["kind"], "run_start"), False))
    source = group_codes(events, ("run_id", "rank"))
    group = np.unique(source * (starts.max(initial=0) + 1) + starts, return_inverse=True)[1]
    elapsed = _elapsed(numpy_column(events["mono_ns"], -1), group, source)
    return events.append_column("attempt_number", pa.array(starts, pa.int64())).append_column(
        "elapsed_s", pa.array(elapsed, pa.float64(), mask=~np.isfinite(elapsed))
    )


def of_kind(marked: pa.Table, *kinds: str) -> pa.Table:
    """Return the events of some kinds, in the order of the log."""
    return marked.filter(pc.is_in(marked["kind"], pa.array(kinds, pa.utf8())))


def latest(marked: pa.Table) -> pa.Table:
    """Return each run's events of the last attempt, on the lowest rank, that has any."""
    if not marked.num_rows:
        return marked
    runs = group_codes(marked, ("run_id",))
    rank, attempt = numpy_column(marked["rank"], 0), numpy_column(marked["attempt_number"], 0)
    lowest = np.full(runs.max() + 1, np.iinfo(np.int64).max)
    np.minimum.at(lowest, runs, rank)
    kept = rank == lowest[runs]
    last = np.full(runs.max() + 1, -1)
    np.maximum.at(last, runs[kept], attempt[kept])
    return marked.filter(pa.array(kept & (attempt == last[runs])))


def decode(events: pa.Table) -> list[dict[str, Any]]:
    """Return each event's `data` as a dict; an empty one where it is no JSON object."""
    texts = events["data"].to_pylist()
    try:
        values = json.loads(f"[{','.join(texts)}]")
    except (ValueError, TypeError, RecursionError):
        values = []
    if len(values) != len(texts):
        values = [_decode_one(text) for text in texts]
    return [value if isinstance(value, dict) else {} for value in values]


def shape_table(name: str, source: pa.Table, columns: Mapping[str, Any]) -> pa.Table:
    """Make the public table `name` from given columns, and from those of `source` for the rest.

    A given value that its column's type cannot hold is null: a log may be damaged or foreign.
    """
    schema = TABLES[name]
    arrays = [_column(columns.get(field.name), source, field) for field in schema]
    return pa.table(arrays, schema=schema)


def group_codes(table: pa.Table, names: Iterable[str]) -> Ints:
    """Number the combinations of some columns' values from 0."""
    total = np.zeros(table.num_rows, np.int64)
    for name in names:
        encoded = table[name].combine_chunks().dictionary_encode()
        indices = encoded.indices.fill_null(len(encoded.dictionary))
        total = total * (len(encoded.dictionary) + 1) + indices.to_numpy(zero_copy_only=False)
    return np.unique(total, return_inverse=True)[1].ravel()


def numpy_column(column: pa.ChunkedArray, null: object) -> npt.NDArray[Any]:
    """Return a column as numpy, with `null` for what is unknown."""
    values: npt.NDArray[Any] = column.fill_null(null).to_numpy()
    return values


def _elapsed(mono: Ints, group: Ints, source: Ints) -> npt.NDArray[np.float64]:
    """Seconds into the run: within its attempt, plus the length of the attempts before it."""
    known = mono >= 0
    count = group.max(initial=-1) + 1
    first = np.full(count, np.iinfo(np.int64).max)
    last = np.full(count, np.iinfo(np.int64).min)
    np.minimum.at(first, group[known], mono[known])
    np.maximum.at(last, group[known], mono[known])
    span = np.where(last >= first, last - first, 0)
    owner = np.zeros(count, np.int64)
    owner[group] = source
    before = np.zeros(count, np.int64)
    for own in np.unique(owner[np.bincount(owner)[owner] > 1]):
        mine = np.flatnonzero(owner == own)
        before[mine] = np.cumsum(span[mine]) - span[mine]
    return np.where(known, (mono - first[group] + before[group]) / 1e9, np.nan)


def _decode_one(text: object) -> object:
    try:
        return json.loads(str(text))
    except (ValueError, RecursionError):
        return None


def _column(values: Any, source: pa.Table, field: pa.Field) -> pa.Array:
    if values is None:
        known = field.name in source.column_names
        return source[field.name] if known else pa.nulls(source.num_rows, field.type)
    if isinstance(values, pa.ChunkedArray | pa.Array):
        return values
    return _array(list(values), field.type)


def _array(values: Sequence[object], kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, kind)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return pa.array([_fitting(value, kind) for value in values], kind)


def _fitting(value: object, kind: pa.DataType) -> object:
    try:
        return pa.scalar(value, kind).as_py()
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return None

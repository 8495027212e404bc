"""Arrow columns of the log, built from rows and back with no detour over pandas."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from provrunner.schema import EVENTS, METRICS, TABLES

__all__ = [
    "EventRow",
    "NameSet",
    "StepRows",
    "decoded",
    "empty_table",
    "encoded",
    "event_batch",
    "event_row",
    "fit_text",
    "integers",
    "metric_batches",
    "with_source",
]

_TEXT_BYTES = 4096
_BATCH_ROWS = 65_536
_BATCH_NAME_BYTES = 8 << 20
_SOURCE = pa.schema([("run", pa.int32()), ("rank", pa.int32()), ("segment", pa.int32())])
# pandas takes the next type from a full one on
_INDICES = ((pa.int8(), np.iinfo(np.int8).max), (pa.int16(), np.iinfo(np.int16).max))
_INT64 = (-(2**63), 2**63 - 1)
_INT32 = (-(2**31), 2**31 - 1)


@dataclass(frozen=True, slots=True)
class NameSet:
    """The stage and the metric names that one step logs together, as UTF-8."""

    stage: bytes
    names: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class StepRows:
    """Consecutive steps that logged one name set.

    Attributes:
        first_row: row number of the first value of the first step.
        steps: structured array with fields step, epoch, time (microseconds) and values (n float64).
    """

    first_row: int
    name_set: NameSet
    steps: npt.NDArray[np.void]

    @property
    def rows(self) -> int:
        """Count the values: steps times names."""
        return len(self.steps) * len(self.name_set.names)


@dataclass(frozen=True, slots=True)
class EventRow:
    """One row of the events table, its `data` already JSON."""

    seq: int
    time_us: int
    mono_ns: int
    step: int | None
    epoch: int | None
    kind: str
    subject: str
    data: str = field(default="{}")


def fit_text(text: str) -> bytes:
    """Encode a name as UTF-8; one over 4 KiB is cut and marked with its hash and length.

    Lone surrogates, which no UTF-8 can hold, are written as Python's escapes.

    Example:
        >>> fit_text("val/loss"), len(fit_text("x" * 5000))
        (b'val/loss', 4096)
        >>> fit_text("x" * 5000)[-41:]
        b'... [5000 bytes, sha256 c59d3c0480cc2d71]'
    """
    raw = text.encode("utf-8", "backslashreplace")
    if len(raw) <= _TEXT_BYTES:
        return raw
    mark = f"... [{len(raw)} bytes, sha256 {hashlib.sha256(raw).hexdigest()[:16]}]".encode()
    kept = raw[: _TEXT_BYTES - len(mark)].decode("utf-8", "ignore").encode()
    return kept + mark


def event_row(seq: int, event: Any) -> EventRow:
    """Number an event and write its `data` as JSON; values JSON has no form for become text."""
    return EventRow(
        seq=seq,
        time_us=event.time_ns // 1000,
        mono_ns=event.mono_ns,
        step=_within(event.step, _INT64),
        epoch=_within(event.epoch, _INT32),
        kind=event.kind,
        subject=event.subject,
        data=_json(event.data),
    )


def event_batch(rows: Sequence[EventRow]) -> pa.RecordBatch:
    """Build a batch of `schema.EVENTS` from rows, in their order.

    Example:
        >>> event_batch([EventRow(0, 0, 0, None, 1, "value", "a")]).to_pylist()[0]["subject"]
        'a'
    """
    columns = [
        _numbers(pa.uint64(), np.array([row.seq for row in rows], np.uint64)),
        _numbers(EVENTS.field("time").type, np.array([row.time_us for row in rows], np.int64)),
        _numbers(pa.int64(), np.array([row.mono_ns for row in rows], np.int64)),
        _optional(pa.int64(), np.int64, [row.step for row in rows]),
        _optional(pa.int32(), np.int32, [row.epoch for row in rows]),
        _texts([fit_text(row.kind) for row in rows]),
        _texts([fit_text(row.subject) for row in rows]),
        _texts([row.data.encode("utf-8", "backslashreplace") for row in rows]),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=EVENTS)


def metric_batches(parts: Iterable[StepRows]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Build batches of `schema.METRICS` in row order, each with its first row number.

    A batch holds at most 65,536 rows or 8 MiB of names, so that no name, however long, makes a
    batch that a reader would refuse.
    """
    waiting: list[StepRows] = []
    rows = size = 0
    for part in _cut_parts(parts):
        part_bytes = part.rows + len(part.steps) * sum(map(len, part.name_set.names))
        if waiting and (rows + part.rows > _BATCH_ROWS or size + part_bytes > _BATCH_NAME_BYTES):
            yield waiting[0].first_row, _metric_batch(waiting)
            waiting, rows, size = [], 0, 0
        waiting.append(part)
        rows += part.rows
        size += part_bytes
    if waiting:
        yield waiting[0].first_row, _metric_batch(waiting)


def with_source(table: pa.Table, *, run: int, rank: int, segment: int) -> pa.Table:
    """Put the columns run, rank and segment before a stream's own."""
    count = len(table)
    source = [_numbers(pa.int32(), np.full(count, of, np.int32)) for of in (run, rank, segment)]
    return pa.Table.from_arrays(
        [*source, *table.columns], schema=pa.schema([*_SOURCE, *table.schema.remove_metadata()])
    )


def encoded(table: pa.Table) -> pa.Table:
    """Turn the text columns that repeat themselves into dictionaries, one for the whole table.

    Indices are of the narrowest type, as pandas has the codes of its categories: it takes them
    over without a copy.
    """
    table = table.combine_chunks()
    for position, column in enumerate(table.schema):
        if column.name in ("stage", "name", "kind", "subject"):
            values = table.column(position).dictionary_encode().unify_dictionaries()
            count = max((len(chunk.dictionary) for chunk in values.chunks), default=0)
            narrow = next((kind for kind, full in _INDICES if count < full), pa.int32())
            values = values.cast(pa.dictionary(narrow, column.type))
            table = table.set_column(position, column.name, values)
    return table


def decoded(table: pa.Table, name: str) -> pa.Table:
    """Undo `encoded`: the plain public schema of table `name`, whatever the file held.

    Raises:
        pyarrow.ArrowInvalid: the columns are not those of the table.
    """
    schema = _public_schema(name)
    if table.column_names != schema.names:
        raise pa.ArrowInvalid(f"expected the columns {', '.join(schema.names)}")
    columns = [_plain(table.column(at), field.type) for at, field in enumerate(schema)]
    return pa.Table.from_arrays(columns, schema=schema)


def integers(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Return a column of integers or times without nulls as 64-bit integers."""
    # ChunkedArray.to_numpy() would import pandas
    parts = [np.zeros(0, np.int64)]
    for chunk in column.chunks:
        dtype = f"<i{column.type.bit_width // 8}"
        values = np.frombuffer(chunk.buffers()[1] or b"", dtype)
        parts.append(values[chunk.offset : chunk.offset + len(chunk)].astype(np.int64))
    return np.concatenate(parts)


def empty_table(name: str) -> pa.Table:
    """Return the table `name` as it is read, without rows."""
    return pa.Table.from_batches([], _public_schema(name))


def _plain(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    # a cast costs more than the rest of reading a small log
    return column if column.type == kind else column.cast(kind)


def _public_schema(name: str) -> pa.Schema:
    return pa.schema([field for field in TABLES[name] if field.name != "run_id"])


def _cut_parts(parts: Iterable[StepRows]) -> Iterator[StepRows]:
    """Cut runs of steps that would fill more than a batch on their own."""
    for part in parts:
        names = len(part.name_set.names)
        step_bytes = max(1, sum(map(len, part.name_set.names)))
        most = max(1, min(_BATCH_ROWS // max(1, names), _BATCH_NAME_BYTES // step_bytes))
        for start in range(0, len(part.steps), most):
            first = part.first_row + start * names
            yield StepRows(first, part.name_set, part.steps[start : start + most])


def _metric_batch(parts: Sequence[StepRows]) -> pa.RecordBatch:
    def repeat(column: str, kind: type) -> npt.NDArray[Any]:
        pieces = [np.repeat(part.steps[column], len(part.name_set.names)) for part in parts]
        return np.concatenate(pieces).astype(kind, copy=False)

    columns = [
        _numbers(METRICS.field("time").type, repeat("time", np.int64)),
        _numbers(pa.int64(), repeat("step", np.int64)),
        _numbers(pa.int32(), repeat("epoch", np.int32)),
        _repeated_texts([((part.name_set.stage,), part.rows) for part in parts]),
        _repeated_texts([(part.name_set.names, len(part.steps)) for part in parts]),
        _numbers(
            pa.float64(), np.concatenate([part.steps["values"].reshape(-1) for part in parts])
        ),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=METRICS)


def _numbers(kind: pa.DataType, values: npt.NDArray[Any]) -> pa.Array:
    # pa.array() would import pandas: half a second in every run
    return pa.Array.from_buffers(
        kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))]
    )


def _optional(kind: pa.DataType, dtype: type, values: Sequence[int | None]) -> pa.Array:
    filled: npt.NDArray[Any] = np.array([value or 0 for value in values], dtype)
    valid = np.packbits([value is not None for value in values], bitorder="little")
    return pa.Array.from_buffers(
        kind, len(values), [pa.py_buffer(valid.tobytes()), pa.py_buffer(filled)]
    )


def _texts(values: Sequence[bytes]) -> pa.Array:
    return _repeated_texts([(values, 1)])


def _repeated_texts(parts: Sequence[tuple[Sequence[bytes], int]]) -> pa.Array:
    lengths = [np.tile(np.array([len(t) for t in texts], np.int64), n) for texts, n in parts]
    offsets = np.concatenate([np.zeros(1, np.int64), *lengths]).cumsum().astype(np.int32)
    data = b"".join(b"".join(texts) * n for texts, n in parts)
    return pa.Array.from_buffers(
        pa.utf8(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )


def _within(value: int | None, bounds: tuple[int, int]) -> int | None:
    return None if value is None or not bounds[0] <= value <= bounds[1] else value


def _json(data: Mapping[str, Any]) -> str:
    try:
        return json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str)
    except (TypeError, ValueError):  # a key that is no text, a loop
        return json.dumps({"text": repr(data)}, ensure_ascii=False)

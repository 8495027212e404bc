"""Seals a run: its streams become two files that every Arrow reader opens, and a seal for them."""

from __future__ import annotations

import errno
import json
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from provrunner.errors import LogError
from provrunner.log.columns import (
    EventRow,
    empty_table,
    encoded,
    event_batch,
    integers,
    with_source,
)
from provrunner.log.folder import (
    NEXT_SEAL_FILE,
    SEAL_FILE,
    journal_name,
    log_folder,
    run_number,
    sealed_name,
    stream_name,
    stream_parts,
    sync_folder,
)
from provrunner.log.liveness import STALE_S, runs_here
from provrunner.log.rankreader import RankReader
from provrunner.log.reader import live_segments, recorded_end, rows_by_rank
from provrunner.log.sealed import Seal, SealedFile, SealedStream, parse_sealed, read_seal, seal_of
from provrunner.log.stream import write_all
from provrunner.schema import RunStatus

__all__ = ["commit", "seal_log", "seal_run"]

_TABLES = ("metrics", "events")
# a damaged file keeps the batches before the damage; a small run is one: no pieces to be joined
_BATCH_ROWS = 32_768
_TRIES = 40
_PAUSE_S = 0.05
# a fifth smaller than at Arrow's level of 1, for a fifth of a millisecond in ten thousand rows
_ZSTD_LEVEL = 3


def seal_run(run_folder: Path, status: RunStatus, reason: str | None = None) -> None:
    """Seal what a dead run left; the end it recorded itself stands, else `status` and `reason` do.

    Nothing changes when the run is sealed already or a process that writes it lives. A run that
    died before it could log anything gets a sealed log that holds its end alone.

    Raises:
        LogError: the log cannot be written, or its seal is damaged.
    """
    log = log_folder(run_folder)
    try:
        log.mkdir(parents=True, exist_ok=True)
        seal_log(log, status, reason)
    except OSError as error:
        raise LogError(f"cannot seal {log}: {error.strerror or error}") from error


def seal_log(
    log: Path, status: RunStatus, reason: str | None = None, *, own_rank: int | None = None
) -> bool:
    """Seal a log folder unless a process writes it still; the caller's own rank does not count.

    Returns:
        Whether the log is sealed now.

    Raises:
        OSError: it cannot be written.
        LogError: its seal is damaged.
    """
    for _ in range(_TRIES):
        try:
            return _seal_once(log, status, reason, own_rank)
        except (FileNotFoundError, BlockingIOError):
            # another process seals it as well: once that is done, nothing is left to do
            time.sleep(_PAUSE_S if log.is_dir() else 0.0)
    return _seal_once(log, status, reason, own_rank)


def _seal_once(log: Path, status: RunStatus, reason: str | None, own_rank: int | None) -> bool:
    seal = read_seal(log)
    if seal is not None and not any(live_segments(log, table, seal) for table in _TABLES):
        _clean(log, seal)
        return True
    if _has_writer(log, seal, own_rank):
        return False
    tables: dict[str, pa.Table] = {}
    streams: list[SealedStream] = []
    ids: list[tuple[str, str]] = [] if seal is None else [(seal.sweep_id, seal.run_id)]
    for table in _TABLES:
        merged = _merge(log, table)
        tables[table] = merged.rows
        streams.extend(merged.streams)
        ids.extend(merged.ids)
    # a log that does not tell them has them from the folders it lies in
    sweep_id, run_id = next(iter(ids), (log.parent.parent.parent.name, log.parent.name))
    end = recorded_end(tables["events"])
    if end is None:
        end = (status, reason)
        tables["events"], place = _with_end(tables, end, run_number(run_id))
        streams = _counted(streams, *place)
    following = Seal(sweep_id, run_id, *end, files={}, streams=tuple(streams))
    commit(log, tables, following, before=seal)
    return True


def _has_writer(log: Path, seal: Seal | None, own_rank: int | None) -> bool:
    for table in _TABLES:
        for rank, segments in live_segments(log, table, seal).items():
            if rank == own_rank:
                continue
            reader = RankReader(log, table, rank)
            reader.poll(segments[-1:])
            if not reader.has_ended and reader.is_alive():
                return True
    return False


@dataclass(frozen=True, slots=True)
class _Merged:
    """Rows of a table by rank and segment, what each stream gave, and the ids that they tell."""

    rows: pa.Table
    streams: list[SealedStream]
    ids: list[tuple[str, str]]


def _merge(log: Path, table: str) -> _Merged:
    """Read all rows of a table."""
    seal = seal_of(log, table)
    sealed: dict[int, pa.Table] = {}
    streams: list[SealedStream] = []
    ids: list[tuple[str, str]] = []
    if seal is not None:
        streams = [stream for stream in seal.streams if stream.table == table]
        sealed = dict(rows_by_rank(_sealed_rows(log, table, seal)))
    for rank, segments in live_segments(log, table, seal).items():
        before = sealed.get(rank)
        found = _merge_rank(log, table, rank, segments, 0 if before is None else len(before))
        sealed[rank] = found.rows if before is None else pa.concat_tables([before, found.rows])
        streams.extend(found.streams)
        ids.extend(found.ids)
    parts = [sealed[rank] for rank in sorted(sealed)]
    return _Merged(pa.concat_tables(parts) if parts else empty_table(table), streams, ids)


def _merge_rank(log: Path, table: str, rank: int, segments: list[int], before: int) -> _Merged:
    reader = RankReader(log, table, rank, rows=before)
    counts = dict.fromkeys(segments, 0)
    parts = [empty_table(table)]
    for segment, rows in reader.poll(segments):
        counts[segment] += len(rows)
        run = run_number(reader.readers[segment].metadata.get("run_id", log.parent.name))
        parts.append(with_source(rows, run=run, rank=rank, segment=segment))
    streams = [_described(reader, segment, counts[segment], segments) for segment in segments]
    told = [reader.readers[segment].metadata for segment in segments if segment in reader.readers]
    ids = [(one.get("sweep_id", ""), one["run_id"]) for one in told if one.get("run_id")]
    return _Merged(pa.concat_tables(parts), streams, ids)


def _described(reader: RankReader, segment: int, rows: int, segments: list[int]) -> SealedStream:
    whole = SealedStream(reader.table, reader.rank, segment, rows)
    stream = reader.readers.get(segment)
    if reader.damage is not None:
        path, damage = reader.damage
        damaged = stream_parts(path.name)
        if damaged is not None and segment >= damaged[2]:
            # what lies behind the damage was not read: the file stays
            return replace(
                whole, state="corrupt", detail=f"{path.name}: {damage}", offset=damage.offset
            )
    if reader.behind and segment == segments[-1] and stream is not None:
        detail = f"{stream.path.name}: rows after {reader.rows} wait in a damaged journal"
        return replace(whole, state="corrupt", detail=detail, offset=stream.offset)
    if stream is not None and stream.torn:
        detail = f"{stream.path.name}: half a batch from byte {stream.offset} was cut"
        return replace(whole, state="torn", detail=detail, offset=stream.offset)
    return whole


def _sealed_rows(log: Path, table: str, seal: Seal) -> pa.Table:
    path = log / sealed_name(table)
    try:
        return parse_sealed(path.read_bytes(), table, seal.files[table])
    except (OSError, ValueError) as error:
        if seal_of(log, table) != seal:
            raise _sealed_elsewhere() from None
        raise LogError(f"{path}: {error}; it was sealed and cannot be sealed again") from error


def _with_end(tables: dict[str, pa.Table], end: tuple[RunStatus, str | None], run: int) -> pa.Table:
    """Add the end that the run could not write, at the time of its last sign of life."""
    events = tables["events"]
    by_rank = dict(rows_by_rank(events))
    rank = min(by_rank, default=0)
    own = by_rank.get(rank, empty_table("events"))
    times = [integers(table.column("time")) for table in tables.values()]
    document = {
        "status": end[0].value,
        "reason": end[1],
        "metric_rows": len(rows_by_rank(tables["metrics"]).get(rank, ())),
        "gaps": _declared_gaps(own),
    }
    row = EventRow(
        seq=len(own),
        time_us=max((int(of.max()) for of in times if len(of)), default=0),
        mono_ns=own.column("mono_ns")[-1].as_py() if len(own) else 0,
        step=None,
        epoch=None,
        kind="run_end",
        subject="",
        data=json.dumps(document, ensure_ascii=False, separators=(",", ":")),
    )
    segment = own.column("segment")[-1].as_py() if len(own) else 0
    added = with_source(
        pa.Table.from_batches([event_batch([row])]), run=run, rank=rank, segment=segment
    )
    by_rank[rank] = pa.concat_tables([own, added])
    return pa.concat_tables([by_rank[key] for key in sorted(by_rank)]), (rank, segment)


def _counted(streams: list[SealedStream], rank: int, segment: int) -> list[SealedStream]:
    """Count the added end among the rows of its segment, which need not have had a stream."""
    for position, stream in enumerate(streams):
        if (stream.table, stream.rank, stream.segment) == ("events", rank, segment):
            more = replace(stream, rows=stream.rows + 1)
            return [*streams[:position], more, *streams[position + 1 :]]
    return [*streams, SealedStream("events", rank, segment, 1)]


def _declared_gaps(events: pa.Table) -> int:
    rows = events.select(["kind", "data"]).to_pylist()
    counts = [json.loads(row["data"]).get("count", 0) for row in rows if row["kind"] == "gap"]
    return sum(count for count in counts if isinstance(count, int))


def commit(
    log: Path, tables: dict[str, pa.Table], seal: Seal, *, before: Seal | None = None
) -> None:
    """Put the sealed files in place so that a kill at any point leaves a log that reads whole.

    Args:
        log: the log folder.
        tables: the rows of `metrics` and `events`, with their source.
        seal: says all but what the files are.
        before: the seal that was there when the rows were read.

    Raises:
        BlockingIOError: another process seals the log, or has since the rows were read.
        OSError: they cannot be written.
        LogError: they cannot be read back as they were.
    """
    written: dict[str, Path] = {}
    files: dict[str, SealedFile] = {}
    try:
        for table, rows in tables.items():
            data = _file_bytes(rows, table)
            written[table] = log / f"{sealed_name(table)}.{os.getpid()}.tmp"
            _write_durably(written[table], data)
            files[table] = SealedFile.of(data, len(rows))
            _compare(written[table], table, files[table], rows)
        following = log / f"{SEAL_FILE}.{os.getpid()}.tmp"
        written["seal"] = following
        seal = replace(seal, files=files)
        _write_durably(following, seal.to_json().encode("utf-8", "backslashreplace"))
        _put_in_front(log, following)
        if read_seal(log) != before:
            (log / NEXT_SEAL_FILE).unlink()
            raise _sealed_elsewhere()
        for table in tables:
            written[table].replace(log / sealed_name(table))
        sync_folder(log)
        (log / NEXT_SEAL_FILE).replace(log / SEAL_FILE)
        sync_folder(log)
    finally:
        for path in written.values():
            path.unlink(missing_ok=True)
    _clean(log, seal)


def _put_in_front(log: Path, following: Path) -> None:
    """Name the next seal, which one process at a time may do; one that died has left its own."""
    try:
        os.link(following, log / NEXT_SEAL_FILE)
        return
    except FileExistsError:
        if any(map(_is_in_hand, log.glob(f"{SEAL_FILE}.*.tmp"))):
            raise _sealed_elsewhere() from None
    except OSError:
        pass  # a file system without links
    following.replace(log / NEXT_SEAL_FILE)


def _is_in_hand(following: Path) -> bool:
    """Say whether another process is about to put a seal in place, and did not die of it."""
    pid = following.suffixes[-2][1:]
    try:
        age = time.time() - following.stat().st_mtime
    except FileNotFoundError:
        return False
    # what is older was left by a dead one whose number another process has by now
    return pid != str(os.getpid()) and age < STALE_S and runs_here(pid)


def _sealed_elsewhere() -> BlockingIOError:
    return BlockingIOError(errno.EAGAIN, "another process seals this log")


def _file_bytes(rows: pa.Table, table: str) -> bytes:
    buffer = pa.BufferOutputStream()
    text = encoded(rows)
    with pa.ipc.new_file(
        buffer,
        text.schema.with_metadata({"provrunner.table": table}),
        options=pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", _ZSTD_LEVEL)),
    ) as writer:
        writer.write_table(text, max_chunksize=_BATCH_ROWS)
    return bytes(buffer.getvalue())


def _write_durably(path: Path, data: bytes) -> None:
    # what a dead process of our own number left may be linked as the next seal: it stays whole
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _compare(path: Path, table: str, file: SealedFile, rows: pa.Table) -> None:
    """Read a sealed file back; the streams may go only if it holds all they held."""
    try:
        found = parse_sealed(path.read_bytes(), table, file)
    except ValueError as error:
        raise LogError(f"{path} cannot be read back: {error}") from error
    if not _bits(found).equals(_bits(rows)):
        raise LogError(f"{path} does not hold what was written")


def _bits(rows: pa.Table) -> pa.Table:
    """Take floats as their bits: NaN is to equal itself, and 0.0 is not -0.0."""
    if "value" not in rows.column_names:
        return rows
    rows = rows.combine_chunks()
    position = rows.column_names.index("value")
    bits = [chunk.view(pa.int64()) for chunk in rows.column(position).chunks]
    return rows.set_column(position, "value", pa.chunked_array(bits, pa.int64()))


def _clean(log: Path, seal: Seal) -> None:
    """Remove the streams and journals that the seal stands for; corrupt ones stay."""
    for stream in seal.streams:
        if stream.state != "corrupt":
            parts = (stream.table, stream.rank, stream.segment)
            (log / stream_name(*parts)).unlink(missing_ok=True)
            (log / journal_name(*parts)).unlink(missing_ok=True)
    for path in (log / NEXT_SEAL_FILE, *log.glob("*.tmp")):
        path.unlink(missing_ok=True)

"""Reads a run's log, whether it is sealed, still written, or was left by a process that died."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from provrunner.errors import LogError
from provrunner.log.columns import empty_table, integers, with_source
from provrunner.log.folder import (
    SEAL_FILE,
    log_folder,
    run_number,
    sealed_name,
    stream_parts,
)
from provrunner.log.messages import Damage
from provrunner.log.rankreader import RankReader
from provrunner.log.sealed import Seal, parse_sealed, read_seal, seal_of, sealed_prefix
from provrunner.log.streamreader import StreamReader
from provrunner.schema import LogState, RunStatus

__all__ = [
    "Log",
    "LogFollower",
    "live_segments",
    "read_log",
    "recorded_end",
    "rows_by_rank",
    "run_status",
]

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Log:
    """A table of a log and what can be promised of it.

    Attributes:
        table: the rows in order, with the columns run, rank and segment first.
        state: `complete`, `running`, `lost`, `torn` or `corrupt`.
        detail: what is missing or wrong, in one line.
        offset: first byte that could not be read, in the file that `detail` names.
    """

    table: pa.Table
    state: LogState
    detail: str | None = None
    offset: int | None = None

    def __iter__(self) -> Iterator[pa.Table | LogState]:
        """Give table and state, so that `table, state = read_log(path)` works."""
        yield self.table
        yield self.state


def read_log(path: Path | str, table: str = "metrics") -> Log:
    """Read one table of a run's log.

    Args:
        path: a run folder, its `log` folder, or one `.arrow` or `.arrows` file of it.
        table: `metrics` or `events`; a file's own name decides where `path` is a file.

    Returns:
        All rows that can be trusted; without a log, no rows in state `lost`.

    Raises:
        LogError: there is nothing at `path`, the seal is unreadable, or a format is too new.
    """
    path = Path(path)
    if table not in ("metrics", "events"):
        raise ValueError(f"table is {table!r}; a log has 'metrics' and 'events'")
    if path.is_file():
        return _read_file(path)
    if not path.is_dir():
        raise LogError(f"there is no log at {path}")
    log = _log_of(path)
    for attempt in range(_TRIES):
        seal = seal_of(log, table)
        try:
            found = _read_folder(log, table, seal)
        except FileNotFoundError:
            # sealed in between: the streams that were listed are gone
            if attempt == _TRIES - 1:
                raise
            continue
        # a seal may have come after it was looked for, and taken streams that were to be listed
        if found.state is LogState.COMPLETE or seal_of(log, table) == seal:
            return found
    raise LogError(f"{log} changes faster than it can be read")


def run_status(run_folder: Path) -> tuple[RunStatus, LogState]:
    """Say how a run stands, as cheaply as can be told.

    A sealed run costs one small file. A live one costs the head of its stream; only a dead one,
    not sealed, is read for the end it may have recorded. A run without a log is `planned`.
    """
    log = _log_of(run_folder)
    seal = read_seal(log)
    segments = live_segments(log, "events", seal)
    if not segments:
        seal = seal or read_seal(log)  # it may have come since, and taken the streams
        status = RunStatus.PLANNED if seal is None else seal.status
        return status, LogState.LOST if seal is None else LogState.COMPLETE
    read = read_log(log, "events")
    if read.state is LogState.RUNNING:
        return RunStatus.RUNNING, LogState.RUNNING
    end = recorded_end(read.table)
    return (RunStatus.LOST if end is None else end[0]), read.state


class LogFollower:
    """Follows one table of a run while it is written.

    Example:
        >>> from tempfile import mkdtemp
        >>> LogFollower(Path(mkdtemp()), "metrics").poll().num_rows
        0
    """

    def __init__(self, run_folder: Path, table: str = "metrics"):
        self._run_folder = run_folder
        self._table = table
        self._seal: Seal | None = None
        self._ranks: dict[int, RankReader] = {}

    def poll(self) -> pa.Table:
        """Return the rows that came since the last call; each row is given once."""
        for _ in range(_TRIES):
            seal, rows = self._seal, self._rows()
            try:
                return self._poll()
            except FileNotFoundError:
                # sealed in between: what was read of some streams until then is read again
                self._seal = seal
                self._begin_again(rows)
        return empty_table(self._table)

    def _poll(self) -> pa.Table:
        log = _log_of(self._run_folder)
        seal = seal_of(log, self._table)
        tables: list[pa.Table] = []
        if seal is not None and seal != self._seal:
            # streams that it took in the midst of a look may have seemed damaged
            self._begin_again(self._rows())
            tables = self._sealed_rows(log, seal)
        self._seal = seal
        for rank, segments in live_segments(log, self._table, seal).items():
            reader = self._ranks.setdefault(rank, RankReader(log, self._table, rank))
            tables.extend(_with_run(reader, reader.poll(segments), log))
        return _joined(self._table, tables)

    def _rows(self) -> dict[int, int]:
        return {rank: reader.rows for rank, reader in self._ranks.items()}

    def _begin_again(self, rows: Mapping[int, int]) -> None:
        """Let new readers go on after so many rows of each rank."""
        log = _log_of(self._run_folder)
        self._ranks = {
            rank: RankReader(log, self._table, rank, rows=count) for rank, count in rows.items()
        }

    def _sealed_rows(self, log: Path, seal: Seal) -> list[pa.Table]:
        read = _read_sealed(log, self._table, seal)
        if read.state is LogState.CORRUPT and not len(read.table):
            return []
        found = []
        for rank, rows in rows_by_rank(read.table).items():
            reader = self._ranks.setdefault(rank, RankReader(log, self._table, rank))
            found.append(rows.slice(min(reader.rows, len(rows))))
            reader.rows = max(reader.rows, len(rows))
        return found


def live_segments(log: Path, table: str, seal: Seal | None) -> dict[int, list[int]]:
    """List the segments of a table's streams that no seal has merged, by rank, in order."""
    merged = set() if seal is None else seal.merged(table)
    found: dict[int, list[int]] = defaultdict(list)
    names = sorted(entry.name for entry in log.iterdir()) if log.is_dir() else []
    for parts in filter(None, map(stream_parts, names)):
        if parts[0] == table and parts[3] == "arrows" and parts[1:3] not in merged:
            found[parts[1]].append(parts[2])
    return {rank: sorted(segments) for rank, segments in sorted(found.items())}


def recorded_end(events: pa.Table) -> tuple[RunStatus, str | None] | None:
    """Return status and reason of the last `run_end` of the lowest rank's last segment."""
    if not len(events):
        return None
    # not by Arrow's functions: one that is given a text imports pandas, too late when Python ends
    columns = (events[name].to_pylist() for name in ("rank", "segment", "kind"))
    rows = [*zip(*columns, strict=True)]
    lowest = min(rank for rank, _, _ in rows)
    last = max(segment for rank, segment, _ in rows if rank == lowest)
    for at in reversed(range(len(rows))):
        if rows[at] == (lowest, last, "run_end"):
            return _end(events["data"][at].as_py())
    return None


def _end(data: str) -> tuple[RunStatus, str | None] | None:
    try:
        document = json.loads(data)
        return RunStatus(document["status"]), document.get("reason")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _log_of(path: Path) -> Path:
    inner = log_folder(path)
    return inner if inner.is_dir() else path


def _read_folder(log: Path, table: str, seal: Seal | None) -> Log:
    segments = live_segments(log, table, seal)
    if seal is None and not segments:
        return Log(empty_table(table), LogState.LOST, "no log was written")
    sealed = (
        Log(empty_table(table), LogState.COMPLETE)
        if seal is None
        else _read_sealed(log, table, seal)
    )
    if not segments:
        return sealed
    before = {rank: len(rows) for rank, rows in rows_by_rank(sealed.table).items()}
    live = [
        _read_rank(RankReader(log, table, rank, rows=before.get(rank, 0)), numbers, log)
        for rank, numbers in segments.items()
    ]
    worst = min([*live, sealed], key=lambda part: _BADNESS.index(part.state))
    rows = _joined(table, [sealed.table, *(part.table for part in live)])
    return Log(rows, worst.state, worst.detail, worst.offset)


_BADNESS = (LogState.CORRUPT, LogState.RUNNING, LogState.TORN, LogState.LOST, LogState.COMPLETE)


def _read_rank(reader: RankReader, segments: list[int], log: Path) -> Log:
    tables = list(_with_run(reader, reader.poll(segments), log))
    alive = reader.is_alive()
    if not alive and reader.damage is None:
        # the writer may have died after the first read, with rows written in between
        tables.extend(_with_run(reader, reader.poll(segments), log))
    rows = _joined(reader.table, tables)
    if reader.damage is not None:
        path, damage = reader.damage
        return Log(rows, LogState.CORRUPT, f"{path.name}: {damage}", damage.offset)
    if alive:
        return Log(rows, LogState.RUNNING)
    last = reader.readers[segments[-1]]
    if reader.behind:
        detail = f"{last.path.name}: rows after {reader.rows} wait in a damaged journal"
        return Log(rows, LogState.CORRUPT, detail, last.offset)
    if reader.is_torn:
        detail = f"{last.path.name}: half a batch from byte {last.offset} was cut"
        return Log(rows, LogState.TORN, detail, last.offset)
    return Log(rows, LogState.LOST, "its writer is gone and never sealed it")


def _read_sealed(log: Path, table: str, seal: Seal) -> Log:
    name = sealed_name(table)
    try:
        data = (log / name).read_bytes()
    except FileNotFoundError:
        return Log(empty_table(table), LogState.CORRUPT, f"{name}: it was sealed and is gone", 0)
    try:
        rows = parse_sealed(data, table, seal.files[table])
    except Damage as damage:
        rows = sealed_prefix(data, table, damage.offset)
        return Log(rows, LogState.CORRUPT, f"{name}: {damage}", damage.offset)
    for stream in seal.streams:
        if stream.table == table and stream.state == "corrupt":
            return Log(rows, LogState.CORRUPT, stream.detail, stream.offset)
    return Log(rows, LogState.COMPLETE)


def _read_file(path: Path) -> Log:
    parts = stream_parts(path.name)
    if parts is not None and parts[3] == "arrows":
        reader = RankReader(path.parent, parts[0], parts[1], alone=True)
        return _read_rank(_started_at(reader, path), [parts[2]], path.parent)
    table = path.name.removesuffix(".arrow")
    if table not in ("metrics", "events"):
        raise LogError(f"{path} is no file of a log: its name says nothing of a table")
    seal = seal_of(path.parent, table) if (path.parent / SEAL_FILE).exists() else None
    if seal is not None:
        return _read_sealed(path.parent, table, seal)
    try:
        rows = parse_sealed(path.read_bytes(), table, None)
    except Damage as damage:
        return Log(empty_table(table), LogState.CORRUPT, f"{path.name}: {damage}", damage.offset)
    return Log(rows, LogState.LOST, f"{path.name}: no seal vouches for it")


def _started_at(reader: RankReader, path: Path) -> RankReader:
    """Let a segment read alone begin with its own first row."""
    stream = StreamReader(path, reader.table)
    stream.poll()
    reader.rows = stream.first_row
    return reader


def _with_run(
    reader: RankReader, pieces: list[tuple[int, pa.Table]], log: Path
) -> Iterator[pa.Table]:
    for segment, rows in pieces:
        stream = reader.readers[segment]
        run = run_number(stream.metadata.get("run_id", log.parent.name))
        yield with_source(rows, run=run, rank=reader.rank, segment=segment)


def rows_by_rank(rows: pa.Table) -> Mapping[int, pa.Table]:
    """Cut a sealed table, which is sorted by rank, into its ranks."""
    ranks = integers(rows.column("rank"))
    if not len(ranks):
        return {}
    starts = [0, *(np.flatnonzero(np.diff(ranks)) + 1).tolist(), len(ranks)]
    return {
        int(ranks[start]): rows.slice(start, stop - start)
        for start, stop in itertools.pairwise(starts)
    }


def _joined(table: str, parts: list[pa.Table]) -> pa.Table:
    parts = [part for part in parts if len(part)]
    return pa.concat_tables(parts) if parts else empty_table(table)

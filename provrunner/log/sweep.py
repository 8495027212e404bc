"""Read the logs of all runs of a sweep."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from provrunner.errors import ProvrunnerWarning
from provrunner.log.collected import read_collected
from provrunner.log.derive import SweepTables
from provrunner.log.events import numpy_column
from provrunner.log.folder import log_folder, run_folder, unplanned_runs
from provrunner.log.notes import read_notes
from provrunner.log.parts import find_parts, fingerprint
from provrunner.log.plan_file import read_plan
from provrunner.log.reader import read_log, run_status
from provrunner.log.runs import RunState
from provrunner.log.sealed import DAMAGED_SEAL, DamagedSealError
from provrunner.plan import Plan, Point
from provrunner.schema import TABLES, LogState, RunStatus

__all__ = ["FolderLogs", "log_size", "read_tables", "with_run"]

_NAMED = 4
"""How many damaged logs are warned of by name."""

_BY_DAMAGE = (
    LogState.COMPLETE,
    LogState.RUNNING,
    LogState.LOST,
    LogState.TORN,
    LogState.CORRUPT,
)


def read_tables(folder: Path, *, stored: bool = True) -> SweepTables:
    """Open the public tables of a sweep but nodes, edges and sensitivity, by name.

    Reads sealed, running, lost and damaged logs alike, as far as they are whole. A run whose seal
    is damaged is `lost`, its log `corrupt`, and its reason names the seal.

    Of what is damaged a `ProvrunnerWarning` names run and file, when a table is made of it.

    Args:
        folder: the sweep's folder.
        stored: take what was derived before of logs that are sealed as they were then, which
            spares reading them; else all is derived from the logs.

    Raises:
        LogError: `folder` holds no plan; raised by a table where a log is of a newer format.
    """
    declared = read_plan(folder)
    others = unplanned_runs(folder, declared)
    plan = declared.with_runs(others)
    logs = FolderLogs(folder, plan, () if plan.is_program else others)
    # taken before any log is read, so that what changes meanwhile is not taken for what was read
    sealed = logs.fingerprints
    return SweepTables(plan, logs, find_parts(folder, plan.objective, sealed) if stored else ())


class FolderLogs:
    """The logs below a sweep folder; each table of them is read once, when it is asked for.

    Args:
        folder: the sweep's folder.
        plan: the sweep as declared.
        others: runs outside the plan.
        without: ids of runs that are left out.
    """

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        others: Sequence[Point] = (),
        without: Collection[str] = frozenset(),
    ) -> None:
        self._runs = sorted(
            (point.run, point.run_id)
            for point in (*plan.points, *others)
            if point.run_id not in without
        )
        self._folder, self._plan, self._others = folder, plan, others
        self._damaged_seals: set[str] = set()

    def without(self, run_ids: Collection[str]) -> FolderLogs:
        """Return the logs of the other runs."""
        others = FolderLogs(self._folder, self._plan, self._others, run_ids)
        known = self.fingerprints.items()
        others.fingerprints = {run_id: told for run_id, told in known if run_id not in run_ids}
        return others

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """The fingerprint of each planned run's log, by run id; only of those that are sealed."""
        planned = {point.run_id for point in self._plan.points}
        return self._fingerprints(run_id for _, run_id in self._runs if run_id in planned)

    def unchanged(self) -> dict[str, str]:
        """Return those of the fingerprints that are the same now."""
        before = self.fingerprints
        now = self._fingerprints(before)
        return {run_id: told for run_id, told in now.items() if told == before[run_id]}

    def _fingerprints(self, run_ids: Iterable[str]) -> dict[str, str]:
        logs = {run_id: str(log_folder(run_folder(self._folder, run_id))) for run_id in run_ids}
        found = {run_id: fingerprint(log) for run_id, log in logs.items()}
        return {run_id: told for run_id, told in found.items() if told is not None}

    @property
    def events(self) -> pa.Table:
        """The public table `events`."""
        return self._events[0]

    @property
    def metrics(self) -> pa.Table:
        """The public table `metrics`."""
        return self._metrics[0]

    @property
    def notes(self) -> pa.Table:
        """The public table `notes`."""
        return read_notes(self._folder, self._plan)

    @property
    def collected(self) -> pa.Table:
        """The public table `collected`."""
        return read_collected(self._folder, self._plan)

    @cached_property
    def states(self) -> list[RunState]:
        """How each run stands, in the order of their numbers."""
        return [self._state(*run) for run in self._runs]

    @cached_property
    def _events(self) -> tuple[pa.Table, dict[str, LogState]]:
        return self._read("events")

    @cached_property
    def _metrics(self) -> tuple[pa.Table, dict[str, LogState]]:
        return self._read("metrics")

    def _state(self, number: int, run_id: str) -> RunState:
        path = run_folder(self._folder, run_id)
        if not _has_log(path):
            return RunState(number, run_id, RunStatus.PLANNED)
        try:
            status, state = run_status(path)
        except DamagedSealError:
            size = log_size(log_folder(path))
            return RunState(number, run_id, RunStatus.LOST, LogState.CORRUPT, size, DAMAGED_SEAL)
        if status is RunStatus.PLANNED:
            return RunState(number, run_id, status)
        found = (state, self._events[1].get(run_id, state), self._metrics[1].get(run_id, state))
        worst = max(found, key=_BY_DAMAGE.index)
        return RunState(number, run_id, status, worst, log_size(log_folder(path)))

    def _read(self, name: str) -> tuple[pa.Table, dict[str, LogState]]:
        parts, states, damages = [TABLES[name].empty_table()], {}, []
        for number, run_id in self._runs:
            path = run_folder(self._folder, run_id)
            if not _has_log(path):
                continue
            try:
                log = read_log(path, name)
            except DamagedSealError as error:
                # nothing vouches for the rows; the other runs have seals of their own
                if run_id not in self._damaged_seals:
                    damages.append(f"run {run_id}: {error}; nothing of it is read")
                self._damaged_seals.add(run_id)
                continue
            states[run_id] = log.state
            parts.append(with_run(name, log.table, number, run_id))
            if log.state is LogState.CORRUPT:
                file = f"{log_folder(path)}{os.sep}{log.detail}"
                damages.append(f"run {run_id}: {file}; {log.table.num_rows} rows of it are read")
        _warn_of(damages)
        return _in_order(pa.concat_tables(parts).combine_chunks()), states


def _warn_of(damages: Sequence[str]) -> None:
    left = len(damages) - _NAMED
    more = [f"{left} more logs are damaged; `provrunner verify` names all"] if left > 0 else []
    for message in [*damages[:_NAMED], *more]:
        warnings.warn(message, ProvrunnerWarning, stacklevel=2)


def _has_log(path: Path) -> bool:
    return log_folder(path).is_dir()


def log_size(log: Path) -> int:
    """Return the bytes of a log's files; one that is being sealed loses files meanwhile."""
    total = 0
    for entry in os.scandir(log):
        with contextlib.suppress(FileNotFoundError):
            total += entry.stat().st_size
    return total


def with_run(name: str, table: pa.Table, number: int, run_id: str) -> pa.Table:
    """Shape a run's log as a public table; in its sealed files texts are dictionaries."""
    rows = table.num_rows
    columns = {field.name: table[field.name] for field in table.schema}
    schema = TABLES[name]
    columns["run"] = pa.repeat(pa.scalar(number, schema.field("run").type), rows)
    columns["run_id"] = pa.repeat(run_id, rows)
    return pa.Table.from_arrays([columns[key] for key in schema.names], schema=schema)


def _in_order(table: pa.Table) -> pa.Table:
    """Put each run's rows in the order of rank and segment, unless they are so already."""
    rank, segment = (numpy_column(table[name], 0) for name in ("rank", "segment"))
    same_run = np.diff(numpy_column(table["run"], 0)) == 0
    ranks, segments = np.diff(rank), np.diff(segment)
    if not np.any(same_run & ((ranks < 0) | ((ranks == 0) & (segments < 0)))):
        return table
    keys = ("run", "run_id", "rank", "segment")
    return table.sort_by([(key, "ascending") for key in keys])

"""Keep what is derived of a sweep's ended runs up to date while others still run."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa

from provrunner.errors import ProvrunnerError, ProvrunnerWarning
from provrunner.ids import digest
from provrunner.log.derive import STORED_TABLES, SweepTables
from provrunner.log.folder import SEAL_FILE, log_folder, run_folders
from provrunner.log.parts import (
    PARTS_FOLDER,
    SOURCES_FILE,
    TABLES_FOLDER,
    Part,
    find_parts,
    read_sources,
    with_files,
)
from provrunner.log.plan_file import read_plan
from provrunner.log.repeating import repeating
from provrunner.log.sweep import FolderLogs
from provrunner.plan import Plan

__all__ = ["Compactor", "compacting", "remove_parts"]

_LEAST_RUNS = 64
"""Runs that a part is made of; of fewer, the logs are read quickly enough."""

_MOST_RUNS = 512
"""Runs whose logs are held in memory at once."""

_SMALL_PARTS = 8
"""As many parts of fewer runs are merged into one."""

_PAUSE_S = 5.0

_STALE_S = 3600.0
"""A part takes seconds to write: one that is half written for so long has no writer any more."""


@contextmanager
def compacting(folder: Path, runs: int, *, pause_s: float = _PAUSE_S) -> Iterator[None]:
    """Compact a sweep's ended runs in a thread until the block is left.

    What goes wrong with it costs readers time and nothing else: they read the logs then.

    Args:
        folder: the sweep's folder, which this process owns.
        runs: how many are planned; a small sweep is left alone.
        pause_s: seconds between two looks at what has ended.
    """
    if runs < 2 * _LEAST_RUNS:
        yield
        return
    compactor = Compactor(folder)

    def step() -> int:
        # a warning of a damaged log may be an error for the user
        with suppress(OSError, ValueError, pa.ArrowException, ProvrunnerError, ProvrunnerWarning):
            return compactor.step()
        return 0

    with repeating(step, pause_s, name="provrunner-compact"):
        yield


class Compactor:
    """Derives the tables of runs that have ended, some at a time, and merges what it derived.

    Args:
        folder: the sweep's folder.
        least: runs that a part is made of.
    """

    def __init__(self, folder: Path, *, least: int = _LEAST_RUNS) -> None:
        self._folder = folder
        self._least = least
        self._known: dict[str, int] | None = None

    def step(self) -> int:
        """Derive the tables of runs sealed since the last step, where they are enough for a part.

        Returns:
            How many runs were taken; call again until it is 0.
        """
        sealed = _seals(self._folder)
        if self._known is None:
            _remove_halves(self._folder)
            self._known = self._stored_before(sealed)
        new = [run for run, at in sealed.items() if self._known.get(run) != at][:_MOST_RUNS]
        if len(new) < self._least:
            return 0
        self._known |= {run: sealed[run] for run in new}
        plan = read_plan(self._folder)
        others = {point.run_id for point in plan.points}.difference(new)
        logs = FolderLogs(self._folder, plan, without=others)
        # as in `read_tables`: before any log is read
        if logs.fingerprints:
            _store(self._folder, SweepTables(plan, logs))
            self._merge(plan)
        return len(new)

    def _stored_before(self, sealed: dict[str, int]) -> dict[str, int]:
        plan = read_plan(self._folder)
        logs = FolderLogs(self._folder, plan)
        parts = find_parts(self._folder, plan.objective, logs.fingerprints)
        return {run: sealed[run] for part in parts for run in part.runs if run in sealed}

    def _merge(self, plan: Plan) -> None:
        """Merge small parts, so that there are few; large ones are never held in memory again."""
        small = [
            part
            for part in _parts(self._folder)
            if len(part.runs) < _MOST_RUNS and part.sources.objective == plan.objective
        ]
        if len(small) >= _SMALL_PARTS:
            nothing = FolderLogs(self._folder, plan, without=[p.run_id for p in plan.points])
            _store(self._folder, SweepTables(plan, nothing, _disjoint(small)))
            _remove(small)


def remove_parts(folder: Path) -> None:
    """Remove the parts of a sweep whose runs are all told of by the tables themselves."""
    sources = read_sources(folder / TABLES_FOLDER / SOURCES_FILE)
    told = {} if sources is None else sources.runs
    _remove([part for part in _parts(folder) if part.sources.runs.items() <= told.items()])
    _remove_halves(folder, older_than_s=_STALE_S)
    with suppress(OSError):
        (folder / TABLES_FOLDER / PARTS_FOLDER).rmdir()


def _seals(folder: Path) -> dict[str, int]:
    """Return when each run was sealed, by run id."""
    sealed = {}
    for run in run_folders(folder):
        with suppress(OSError):
            sealed[run.name] = (log_folder(run) / SEAL_FILE).stat().st_mtime_ns
    return sealed


def _parts(folder: Path) -> list[Part]:
    places = sorted((folder / TABLES_FOLDER / PARTS_FOLDER).glob("[!.]*"))
    found = [(place, read_sources(place / SOURCES_FILE)) for place in places]
    return [Part(place, told, frozenset(told.runs)) for place, told in found if told is not None]


def _disjoint(parts: Sequence[Part]) -> list[Part]:
    """Leave out of each part the runs that a part made after it tells of anew."""
    taken: set[str] = set()
    kept = []
    for part in sorted(parts, key=lambda part: part.folder.stat().st_mtime_ns, reverse=True):
        kept.append(Part(part.folder, part.sources, part.runs - taken))
        taken |= part.runs
    return kept


def _store(folder: Path, tables: SweepTables) -> None:
    """Write a part as a whole; its name is that of its contents."""
    from pyarrow import parquet

    place = folder / TABLES_FOLDER / PARTS_FOLDER
    temporary = place / f".{os.getpid()}-{secrets.token_hex(4)}"
    temporary.mkdir(parents=True)
    try:
        for name in STORED_TABLES:
            path = temporary / f"{name}.parquet"
            parquet.write_table(tables.take(name), path, compression="zstd")
        text = with_files(tables.sources(), temporary, STORED_TABLES).to_json()
        (temporary / SOURCES_FILE).write_text(text, encoding="utf-8")
        with suppress(FileExistsError):
            temporary.rename(place / digest(text)[:16])
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _remove_halves(folder: Path, *, older_than_s: float = 0.0) -> None:
    """Remove what a process left that was killed while it wrote a part."""
    for half in (folder / TABLES_FOLDER / PARTS_FOLDER).glob(".*"):
        with suppress(OSError):
            if time.time() - half.stat().st_mtime >= older_than_s:
                shutil.rmtree(half)


def _remove(parts: Sequence[Part]) -> None:
    for part in parts:
        shutil.rmtree(part.folder, ignore_errors=True)

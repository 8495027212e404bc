"""Checks that a sweep's folder holds all it promised, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from provrunner.errors import LogError
from provrunner.ids import file_digest, folder_digest
from provrunner.log.collected import Removals, read_collected
from provrunner.log.columns import integers
from provrunner.log.folder import log_folder, run_folder, run_folders, sealed_name, unplanned_runs
from provrunner.log.plan_file import read_plan
from provrunner.log.reader import Log, live_segments, read_log, rows_by_rank
from provrunner.log.seal import seal_run
from provrunner.log.sealed import read_seal, seal_of
from provrunner.plan import Plan
from provrunner.schema import LogState, RunStatus

__all__ = ["Finding", "Verification", "verify_sweep"]

_TABLES = ("metrics", "events")
_MISSING = "the checkpoint is missing and no event says it was deleted"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        severity: `damaged` (bytes are not what was written), `incomplete` (something is missing
            and says so) or `note`.
        path: the file or folder, relative to the sweep's folder.
        message: what is wrong, in one sentence.
    """

    severity: str
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Verification:
    """All that was found, and the verdict.

    Example:
        >>> Verification(()).exit_code
        0
        >>> Verification((Finding("incomplete", "runs/0001-aa", "planned, never run"),)).exit_code
        2
    """

    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """0 when all is whole, 1 when something is damaged, 2 when something is missing."""
        severities = {finding.severity for finding in self.findings}
        if "damaged" in severities:
            return 1
        return 2 if "incomplete" in severities else 0

    @property
    def verdict(self) -> str:
        """The worst that was found, in one word: whole, damaged or incomplete."""
        return ("whole", "damaged", "incomplete")[self.exit_code]


def verify_sweep(folder: Path, *, read_data: bool = False, seal: bool = False) -> Verification:
    """Check the seals, chains, row numbers, gaps and ends of a sweep's runs, and its checkpoints.

    Args:
        folder: a sweep folder.
        read_data: read the checkpoints as well and compare their hashes; else their sizes only.
        seal: first seal the runs whose process died, as `lost`.

    Returns:
        The findings, in the order of the plan.
    """
    findings: list[Finding] = []
    try:
        plan: Plan | None = read_plan(folder)
    except LogError as error:
        plan = None
        findings.append(Finding("damaged", "plan.json", str(error)))
    removals = None if plan is None else Removals(read_collected(folder, plan))
    if plan is not None:
        plan = plan.with_runs(unplanned_runs(folder, plan))
    planned = [] if plan is None else [point.run_id for point in plan.points]
    present = {path.name for path in run_folders(folder)}
    for run_id in [*planned, *sorted(present - set(planned))]:
        path = f"runs/{run_id}"
        if plan is not None and run_id not in planned:
            findings.append(Finding("note", path, "no point of the plan"))
        if run_id not in present:
            findings.append(Finding("incomplete", path, "planned, never run"))
            continue
        run = run_folder(folder, run_id)
        findings.extend(_check_run(folder, run, read_data, seal, removals))
    return Verification(tuple(findings))


def _check_run(
    folder: Path, run: Path, read_data: bool, seal: bool, removals: Removals | None
) -> Iterator[Finding]:
    path = run.relative_to(folder).as_posix()
    log = log_folder(run)
    try:
        if seal and any(live_segments(log, table, read_seal(log)) for table in _TABLES):
            seal_run(run, RunStatus.LOST, "its process died and left no end")
        if not log.is_dir():
            yield Finding("incomplete", path, "planned, never run")
            return
        tables = {table: read_log(run, table) for table in _TABLES}
    except LogError as error:
        yield Finding("damaged", path, str(error))
        return
    for table, read in tables.items():
        yield from _check_state(f"{path}/log", table, read)
    if all(read.state is LogState.COMPLETE for read in tables.values()):
        yield from _check_rows(path, log, tables)
    events = _events(tables["events"].table)
    yield from _check_gaps(path, events)
    yield from _check_checkpoints(run, path, events, read_data, removals)


def _check_state(path: str, table: str, read: Log) -> Iterator[Finding]:
    file = f"{path}/{sealed_name(table)}"
    if read.state is LogState.CORRUPT:
        name = (read.detail or "").partition(":")[0]
        yield Finding("damaged", f"{path}/{name}" if name else file, read.detail or "damaged")
    elif read.state is not LogState.COMPLETE:
        yield Finding("incomplete", file, f"{read.state}: {read.detail or 'it is being written'}")


def _check_rows(path: str, log: Path, tables: Mapping[str, Log]) -> Iterator[Finding]:
    """See that row numbers have no holes: each stream's, each rank's, and the end's own count."""
    for table, read in tables.items():
        seal = seal_of(log, table)
        promised = sum(s.rows for s in seal.streams if s.table == table) if seal else 0
        if len(read.table) != promised:
            message = f"{len(read.table)} rows where its streams gave {promised}"
            yield Finding("damaged", f"{path}/log/{sealed_name(table)}", message)
    metrics = rows_by_rank(tables["metrics"].table)
    for rank, events in rows_by_rank(tables["events"].table).items():
        if not np.array_equal(integers(events.column("seq")), np.arange(len(events))):
            message = f"the events of rank {rank} are not numbered from 0 without holes"
            yield Finding("damaged", f"{path}/log/{sealed_name('events')}", message)
        counted = _last_count(_events(events))
        found = len(metrics.get(rank, ()))
        if counted not in (None, found):
            message = f"rank {rank} has {found} rows where it ended with {counted}"
            yield Finding("damaged", f"{path}/log/{sealed_name('metrics')}", message)


def _check_gaps(path: str, events: list[dict[str, Any]]) -> Iterator[Finding]:
    for event in events:
        count = event["data"].get("count") if event["kind"] == "gap" else None
        if count:
            reason = event["data"].get("reason")
            yield Finding("incomplete", path, f"{count} metric rows were lost: {reason}")


def _check_checkpoints(
    run: Path,
    path: str,
    events: list[dict[str, Any]],
    read_data: bool,
    removals: Removals | None,
) -> Iterator[Finding]:
    kept: dict[str, dict[str, Any]] = {}
    for event in events:
        if event["kind"] == "checkpoint":
            kept[event["subject"]] = event
        elif event["kind"] == "checkpoint_deleted":
            kept.pop(event["subject"], None)
    for subject, event in kept.items():
        removed = removals and removals.time_of(run.name, subject, event["time"])
        if removed and not (run / subject).exists():
            yield Finding("note", f"{path}/{subject}", "collected: removed to free its bytes")
            continue
        if Path(subject).is_absolute():
            # A script keeps them where it likes; a log from elsewhere could name any file.
            yield Finding("note", path, f"{subject} lies outside the sweep and is not checked")
            continue
        problem = _checkpoint_problem(run, subject, event["data"], read_data)
        if problem == _MISSING and not _has_ended(events, subject):
            # it is deleted first and told of then
            yield Finding(
                "incomplete", f"{path}/{subject}", f"{problem}; its attempt has no end of its own"
            )
        elif problem:
            yield Finding("damaged", f"{path}/{subject}", problem)


def _checkpoint_problem(
    run: Path, subject: str, data: Mapping[str, Any], read_data: bool
) -> str | None:
    file = run / subject
    if not file.resolve().is_relative_to(run.resolve()):
        return "the log names a checkpoint outside its run"
    # a sharded one is a folder
    files = [one for one in (file, *file.rglob("*")) if one.is_file()]
    if not files:
        return _MISSING
    if not all(one.resolve().is_relative_to(run.resolve()) for one in files):
        return "a file of the checkpoint leads outside its run"
    size = sum(one.stat().st_size for one in files)
    if data.get("size_bytes") not in (None, size):
        return f"{size} bytes where the checkpoint had {data['size_bytes']}"
    read = folder_digest if file.is_dir() else file_digest
    if read_data and data.get("sha256") not in (None, read(file)):
        return "other bytes than the checkpoint had"
    return None


def _has_ended(events: list[dict[str, Any]], checkpoint: str) -> bool:
    """Say whether the attempt that wrote a checkpoint told of its own end.

    That of a lost one was told by others.
    """
    own = [(event["kind"], event["subject"]) == ("checkpoint", checkpoint) for event in events]
    later = events[len(own) - own[::-1].index(True) :]
    ends = (event["data"].get("status") for event in later if event["kind"] == "run_end")
    return next(ends, RunStatus.LOST) != RunStatus.LOST


def _last_count(events: list[dict[str, Any]]) -> int | None:
    counts = [e["data"].get("metric_rows") for e in events if e["kind"] == "run_end"]
    return counts[-1] if counts else None


def _events(table: pa.Table) -> list[dict[str, Any]]:
    """Return time, kind, subject and decoded data of the events that a verdict depends on."""
    rows = table.select(["time", "kind", "subject", "data"]).to_pylist()
    kinds = ("gap", "checkpoint", "checkpoint_deleted", "run_end")
    return [{**row, "data": _object(row["data"])} for row in rows if row["kind"] in kinds]


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

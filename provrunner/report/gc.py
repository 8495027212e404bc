"""Free the bytes of checkpoints that nothing needs any more, and leave word of each."""

from __future__ import annotations

import getpass
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from provrunner.errors import ConfigError, LogError
from provrunner.log.collected import append_tombstones
from provrunner.log.folder import log_folder, run_folder
from provrunner.report.results import Sweep
from provrunner.schema import RunStatus

__all__ = ["Collection", "Garbage", "collect_checkpoints", "find_garbage"]

_ENDED = (RunStatus.FINISHED, RunStatus.DIVERGED, RunStatus.PRUNED)
"""Runs that no `resume` goes on with."""


@dataclass(frozen=True, slots=True)
class Garbage:
    """A checkpoint that can go.

    Attributes:
        path: as its run names it.
        file: where it lies.
        size_bytes: what it takes now.
        is_told: a clean-up before said that it is gone, and was ended before it was.
    """

    run_id: str
    path: str
    file: Path
    sha256: str | None
    size_bytes: int
    is_told: bool = False


@dataclass(frozen=True, slots=True)
class Collection:
    """What a clean-up frees, and what it leaves.

    Attributes:
        garbage: the checkpoints that go, by run.
        kept_runs: ids of the runs whose checkpoints are kept as the best.
        unfinished: runs that have no end of their own, whose checkpoints a resume may need.
    """

    garbage: tuple[Garbage, ...]
    kept_runs: tuple[str, ...]
    unfinished: int

    @property
    def size_bytes(self) -> int:
        """Bytes of all that goes; of a checkpoint inside another one they count once."""
        going = {one.file for one in self.garbage}
        outer = (one for one in self.garbage if going.isdisjoint(one.file.parents))
        return sum(one.size_bytes for one in outer)


def find_garbage(sweep: Sweep, *, keep_best: int = 1) -> Collection:
    """Find the checkpoints of a sweep that nothing needs.

    Those of the best runs are kept, and those of every run that has not ended or that `resume` may
    go on with: planned, running, interrupted, lost and failed ones. One outside its run's folder is
    left alone, and so are one that no log tells of and a log itself.

    Args:
        sweep: an open sweep.
        keep_best: of so many runs, those with the best objective, the checkpoints are kept.

    Raises:
        ConfigError: `keep_best` is negative.
    """
    if keep_best < 0:
        raise ConfigError(f"keep-best is {keep_best}; expected 0 or more runs")
    runs = sweep.runs.filter(pc.is_in(sweep.runs["status"], pa.array(_ENDED, pa.utf8())))
    direction = sweep.plan.objective.direction
    order = "ascending" if direction == "minimize" else "descending"
    judged = runs.filter(pc.is_finite(runs["objective"]))
    ranked = judged.sort_by([("objective", order), ("run", "ascending")])["run_id"].to_pylist()
    kept = tuple(ranked[:keep_best])
    ended = set(runs["run_id"].to_pylist())
    garbage = tuple(_garbage(sweep, ended.difference(kept)))
    return Collection(garbage, kept, sweep.runs.num_rows - len(ended))


def collect_checkpoints(sweep: Sweep, found: Collection, *, now: datetime | None = None) -> int:
    """Remove checkpoints, each told of in `collected.jsonl` before; return the bytes freed.

    Args:
        sweep: an open sweep; open it anew to see what is left.
        found: what `find_garbage` found in it.
        now: when; None is now.

    Raises:
        LogError: one cannot be removed, or the folder cannot be written.
    """
    tombstones = [
        (one.run_id, one.path, one.sha256, one.size_bytes)
        for one in found.garbage
        if not one.is_told
    ]
    if tombstones:
        append_tombstones(sweep.folder, tombstones, user=_login(), now=now or datetime.now(UTC))
    for one in found.garbage:
        try:
            shutil.rmtree(one.file) if one.file.is_dir() else one.file.unlink(missing_ok=True)
        except OSError as error:
            raise LogError(f"cannot remove {one.file}: {error.strerror or error}") from error
    return found.size_bytes


def _garbage(sweep: Sweep, run_ids: set[str]) -> Iterator[Garbage]:
    told = set(zip(*(sweep.table("collected")[name].to_pylist() for name in _TOLD), strict=True))
    seen: set[Path] = set()
    columns = ["run_id", "path", "deleted", "sha256", "kind"]
    for row in reversed(sweep.table("artifacts").select(columns).to_pylist()):
        if row["kind"] != "checkpoint" or row["run_id"] not in run_ids:
            continue
        run = run_folder(sweep.folder, row["run_id"]).resolve()
        named = run / row["path"]
        file = named.resolve()
        is_own = not named.is_symlink() and run in file.parents
        # a log that was written elsewhere could name the files of a log
        is_log = file.is_relative_to(log_folder(run))
        if is_own and not is_log and file not in seen and file.exists():
            seen.add(file)
            key = (row["run_id"], row["path"])
            is_told = (*key, row["deleted"]) in told
            yield Garbage(*key, file, row["sha256"], _size(file), is_told)


_TOLD = ("run_id", "path", "time")


def _size(file: Path) -> int:
    files = file.rglob("*") if file.is_dir() else (file,)
    return sum(one.lstat().st_size for one in files if not one.is_dir())


def _login() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return None

"""A warning before a disk or a budget is full: what the runs left will take, by those before."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from provrunner.log.folder import SEAL_FILE, log_folder, run_folders
from provrunner.log.repeating import repeating

__all__ = ["DiskWatch", "watching_disk"]

_PAUSE_S = 10.0

_NEAR = 0.9
"""Share of a budget from which on it is as good as spent."""


@contextmanager
def watching_disk(watch: DiskWatch, *, pause_s: float = _PAUSE_S) -> Iterator[None]:
    """Warn on standard error until the block is left, once of each matter."""
    told: set[str] = set()

    def look() -> None:
        with suppress(OSError):
            for matter, warning in watch.warnings(told):
                told.add(matter)
                sys.stderr.write(f"warning: {warning}\n")
                sys.stderr.flush()

    try:
        with repeating(look, pause_s, name="provrunner-disk"):
            yield
    finally:
        look()


class DiskWatch:
    """Compares what a sweep's runs take, and those left will take, with the room there is for them.

    Args:
        folder: the sweep's folder.
        runs: how many are planned.
        budget: bytes that the runs are to take at most; None sets no limit.
        free: tells the bytes that are free on a folder's disk.
    """

    def __init__(
        self,
        folder: Path,
        runs: int,
        *,
        budget: int | None = None,
        free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        self._folder, self._runs = folder, runs
        self._budget, self._free = budget, free
        self._sizes: dict[str, tuple[int, int]] = {}

    def warnings(self, told: Collection[str] = ()) -> Iterator[tuple[str, str]]:
        """Yield `disk` or `budget` with a sentence where the room will not do.

        Nothing tells of that before a run has ended.

        Args:
            told: which of the two was said already, and is not to be again.
        """
        self._measure()
        if any(matter not in told for matter, _ in self._judge()):
            # a clean-up may have made room meanwhile
            self._sizes.clear()
            self._measure()
            yield from [found for found in self._judge() if found[0] not in told]

    def _measure(self) -> None:
        """Take the size of each run that has ended since the last look; of a resumed one, anew."""
        for run in run_folders(self._folder):
            with suppress(FileNotFoundError):
                ended = (log_folder(run) / SEAL_FILE).stat().st_mtime_ns
                if run.name not in self._sizes or self._sizes[run.name][0] != ended:
                    self._sizes[run.name] = (ended, _size(run))

    def _judge(self) -> Iterator[tuple[str, str]]:
        sizes = [size for _, size in self._sizes.values()]
        if not sizes:
            return
        taken, left = sum(sizes), max(0, self._runs - len(sizes))
        needed = left * taken // len(sizes)
        free = self._free(self._folder)
        more = f"{left} runs will take about {_mib(needed)} more"
        advice = f"provrunner gc {self._folder} frees the checkpoints of all but the best run"
        if needed > free:
            told = f"the disk of {self._folder} will be full: {more}, and {_mib(free)} are free"
            yield "disk", f"{told}; {advice}"
        if self._budget is not None and max(taken + needed, taken / _NEAR) > self._budget:
            told = f"{len(sizes)} runs of {self._folder} take {_mib(taken)}"
            limit = f"sweep.disk_budget is {_mib(self._budget)}"
            yield "budget", f"{told}, {more}, and {limit}; {advice}"


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:.0f} MiB"


def _size(folder: Path) -> int:
    """Return the bytes of all files below a folder; one that goes meanwhile counts for nothing."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.lstat().st_size
    return total

"""A warning before the disk is full: what the runs left will take, by those before them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from provrunner.log.folder import SEAL_FILE, log_folder, run_folders
from provrunner.log.repeating import repeating

__all__ = ["DiskWatch", "watching_disk"]

_PAUSE_S = 10.0


@contextmanager
def watching_disk(folder: Path, runs: int, *, pause_s: float = _PAUSE_S) -> Iterator[None]:
    """Warn on standard error, once, until the block is left."""
    watch = DiskWatch(folder, runs)
    told = False

    def look() -> None:
        nonlocal told
        with suppress(OSError):
            warning = None if told else watch.warning()
            if warning is not None:
                told = True
                sys.stderr.write(f"warning: {warning}\n")
                sys.stderr.flush()

    with repeating(look, pause_s, name="provrunner-disk"):
        yield


class DiskWatch:
    """Compares the room on a sweep's disk with what its runs left will take.

    Args:
        folder: the sweep's folder.
        runs: how many are planned.
        free: tells the bytes that are free on a folder's disk.
    """

    def __init__(
        self,
        folder: Path,
        runs: int,
        *,
        free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        self._folder, self._runs, self._free = folder, runs, free
        self._sizes: dict[str, int] = {}

    def warning(self) -> str | None:
        """Return a sentence where the room will not do; None where it will, or nothing tells."""
        for run in run_folders(self._folder):
            if run.name not in self._sizes and (log_folder(run) / SEAL_FILE).exists():
                self._sizes[run.name] = _size(run)
        left = self._runs - len(self._sizes)
        if not self._sizes or left <= 0:
            return None
        needed = left * sum(self._sizes.values()) // len(self._sizes)
        free = self._free(self._folder)
        if needed <= free:
            return None
        return (
            f"the disk of {self._folder} will be full: {left} runs will take about "
            f"{needed / 2**20:.0f} MiB more, and {free / 2**20:.0f} MiB are free; "
            f"provrunner gc {self._folder} frees the checkpoints of all but the best run"
        )


def _size(folder: Path) -> int:
    """Return the bytes of all files below a folder; one that goes meanwhile counts for nothing."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.lstat().st_size
    return total

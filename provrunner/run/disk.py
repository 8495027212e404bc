"""A warning before the disk is full: what the runs left will take, by those before them."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from provrunner.log.folder import SEAL_FILE, log_folder, run_folders

__all__ = ["DiskWatch", "watching_disk"]

_PAUSE_S = 10.0


@contextmanager
def watching_disk(folder: Path, runs: int, *, pause_s: float = _PAUSE_S) -> Iterator[None]:
    """Warn on standard error, once, until the block is left."""
    ended = threading.Event()
    watch = DiskWatch(folder, runs)
    thread = threading.Thread(
        target=_look_until, args=(watch, ended, pause_s), name="provrunner-disk", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


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


def _look_until(watch: DiskWatch, ended: threading.Event, pause_s: float) -> None:
    while not ended.wait(pause_s):
        with suppress(OSError):
            warning = watch.warning()
            if warning is not None:
                sys.stderr.write(f"warning: {warning}\n")
                sys.stderr.flush()
                return


def _size(folder: Path) -> int:
    """Return the bytes of all files below a folder; one that goes meanwhile counts for nothing."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.lstat().st_size
    return total

"""Lets the ranks of a distributed script write one sweep folder."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from provrunner.capture.loaded import loaded
from provrunner.compose.environment import may_be_further_rank
from provrunner.errors import LogError
from provrunner.log import ArrowSink
from provrunner.schema import Event, RunStatus, StepMetrics

__all__ = ["SharedSink", "ask_folder", "process_group", "shared_store", "tell_folder"]

_PATIENCE = timedelta(seconds=60)
_TOLD, _FAILED = "folder ", "failed "

# The ranks of a script make the same callbacks in the same order: a number says which one is meant.
_NUMBERS = itertools.count()


class SharedSink:
    """Writes a rank's log below the sweep folder that the first rank has made.

    The first rank makes its folder at once. A further one, however it was started, hears of it from
    torch's process group, which is there only when the log is opened.

    Args:
        make_folder: makes a sweep folder; only the first rank calls it.
        make_sink: makes the sink of a sweep folder's run.

    Attributes:
        folder: the sweep folder; None in a further rank before `open`.
    """

    def __init__(
        self, make_folder: Callable[[], Path], make_sink: Callable[[Path], ArrowSink]
    ) -> None:
        self.folder = None if may_be_further_rank() else make_folder()
        self._number = next(_NUMBERS)
        self._make_folder = make_folder
        self._make_sink = make_sink
        self._sink: ArrowSink | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Travel to another process closed: an open log belongs to one process."""
        return {**vars(self), "_sink": None}

    @property
    def dropped(self) -> int:
        """Metric rows lost so far."""
        return 0 if self._sink is None else self._sink.dropped

    @property
    def write_numbers(self) -> Callable[..., None] | None:
        """The shorter way of the rank's own sink; None before `open`."""
        return None if self._sink is None else self._sink.write_numbers

    def begin(self) -> Path:
        """Make the folder, unless it is known, for a trainer whose first rank this process is.

        The environment may speak of further ranks where the trainer works alone.
        """
        if self.folder is None:
            self.folder = self._make_folder()
        return self.folder

    def open(self, rank: int, ranks: int = 1) -> None:
        """Make the files of one rank, in the folder that all ranks agree on.

        Raises:
            LogError: they cannot be made, or the first rank names no folder within a minute.
        """
        store = shared_store() if ranks > 1 else None
        key = f"provrunner/folder/{self._number}"
        if self.folder is None and rank > 0 and store is not None:
            self.folder = ask_folder(store, key)
        elif rank == 0 and store is not None:
            tell_folder(store, key, self.begin)
        self._sink = self._make_sink(self.begin())
        self._sink.open(rank, ranks)

    def write(self, records: Sequence[Event | StepMetrics]) -> None:
        """Take records in order."""
        if self._sink is not None:
            self._sink.write(records)

    def flush(self) -> None:
        """Put all that was written on disk, durably."""
        if self._sink is not None:
            self._sink.flush()

    def close(self, status: RunStatus, reason: str | None = None) -> None:
        """Write `run_end` and seal; later writes are dropped."""
        if self._sink is not None:
            self._sink.close(status, reason)

    def after_write(self, action: Callable[[], None]) -> None:
        """Call a function as soon as nothing is half written."""
        if self._sink is None:
            action()
        else:
            self._sink.after_write(action)


def process_group() -> Any:
    """Return `torch.distributed` where the program has started it, else None."""
    torch = loaded("torch")
    group = None if torch is None else torch.distributed
    is_started = group is not None and group.is_available() and group.is_initialized()
    return group if is_started else None


def shared_store() -> Any:
    """Return the store through which the ranks found each other; None without one."""
    group = process_group()
    return None if group is None else group.distributed_c10d._get_default_store()


def tell_folder(store: Any, key: str, make: Callable[[], Path]) -> Path:
    """Make the folder in the first rank and name it to the others, or say why there is none."""
    try:
        folder = make()
    except Exception as error:
        store.set(key, f"{_FAILED}{error}")
        raise
    store.set(key, _TOLD + str(folder.resolve()))
    return folder


def ask_folder(store: Any, key: str) -> Path:
    """Return the folder that the first rank names.

    Raises:
        LogError: it could make none, or names none within a minute.
    """
    # Waiting for a key binds nobody else, as a broadcast would: the first rank may log nothing.
    try:
        store.wait([key], _PATIENCE)
    except RuntimeError as error:
        raise LogError(
            f"rank 0 named no folder within {_PATIENCE.seconds} s; "
            "give every rank's Trainer the callback"
        ) from error
    told = store.get(key).decode()
    if told.startswith(_FAILED):
        raise LogError(told.removeprefix(_FAILED))
    return Path(told.removeprefix(_TOLD))

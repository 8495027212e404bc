"""The sink that puts what capture saw into a run's log."""

from __future__ import annotations

import functools
import logging
import os
import struct
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from provrunner.errors import LogError
from provrunner.log.drain import BATCH_ROWS, Drain
from provrunner.log.folder import log_folder
from provrunner.log.segment import read_before
from provrunner.log.values import sort_values
from provrunner.schema import Event, Numbers, RunStatus, StepMetrics

__all__ = ["ArrowSink"]

_FLOAT = frozenset({float})
_now_ns = time.time_ns
_LOGGER = logging.getLogger("provrunner.log")


class ArrowSink:
    """Writes one rank of a run's log; implements `schema.Sink`.

    A step's numbers are in the journal, and an event in its stream, when `write` returns: both
    outlive the process. Values on another device follow within a second; they must not be changed
    in place before. What the disk does never reaches training, unless `strict`.

    A signal handler may call any method: what it interrupts is finished first. A forked child
    drops its copy of the sink.

    Args:
        run_folder: `runs/<run_id>`; its `log` folder is made.
        sweep_id: id of the sweep, kept in the log.
        run_id: the run's id, kept in the log.
        strict: raise `LogError` from the next call when the disk fails.
        segment: number of the segment; by default the next that is free.

    Attributes:
        dropped: metric rows lost so far.

    Example:
        >>> import tempfile
        >>> from provrunner.log import read_log
        >>> folder = Path(tempfile.mkdtemp())
        >>> sink = ArrowSink(folder, sweep_id="s", run_id="0000-00000000")
        >>> sink.open(0)
        >>> sink.write([StepMetrics({"loss": 0.5}, step=0, epoch=0, stage="fit")])
        >>> sink.close(RunStatus.FINISHED)
        >>> table, state = read_log(folder)
        >>> table["value"].to_pylist(), state
        ([0.5], <LogState.COMPLETE: 'complete'>)
    """

    def __init__(
        self,
        run_folder: Path,
        *,
        sweep_id: str,
        run_id: str,
        strict: bool = False,
        segment: int | None = None,
    ):
        self._log = log_folder(Path(run_folder))
        self._ids = {"sweep_id": sweep_id, "run_id": run_id}
        self._strict = strict
        self._number = segment
        self._drain: Drain | None = None
        self._closed = False
        self._busy = False
        self._closer: int | None = None
        self._later: list[Callable[[], None]] = []
        self._warned = False

    @property
    def dropped(self) -> int:
        """Metric rows lost so far."""
        return 0 if self._drain is None else self._drain.dropped

    def open(self, rank: int, ranks: int = 1) -> None:
        """Make the files of one rank's next segment.

        Args:
            rank: of this process.
            ranks: processes that log this run; rank 0 waits for the others before it seals.

        Raises:
            LogError: they cannot be made, or a living process writes this rank.
        """
        if self._drain is not None:
            raise LogError(f"{self._log} is open already")
        try:
            self._log.mkdir(parents=True, exist_ok=True)
            before = read_before(self._log, rank)
            if self._number is not None:
                before = replace(before, number=self._number)
            ids = {**self._ids, "ranks": str(ranks)}
            self._drain = Drain(self._log, rank, ranks, before=before, ids=ids)
        except OSError as error:
            raise LogError(f"cannot write {self._log}: {error.strerror or error}") from error
        os.register_at_fork(after_in_child=functools.partial(_drop, weakref.ref(self)))

    def write(self, records: Sequence[Event | StepMetrics]) -> None:
        """Take records in order; events of one call become one batch.

        Raises:
            LogError: the sink was never opened; with `strict`, the disk has failed.
        """
        if self._closed:
            return
        drain = self._drain
        if drain is None or drain.error is not None:
            drain = self._checked()
        try:
            with drain.lock:
                if self._busy:
                    # a signal handler: what it interrupted holds the journal half written
                    self._later.append(functools.partial(self.write, records))
                elif not self._closed:
                    self._busy = True
                    try:
                        self._take(drain, records)
                    finally:
                        self._busy = False
        finally:
            if self._later and not self._busy:
                self._catch_up()

    def write_numbers(
        self, names: tuple[str, ...], numbers: Sequence[float], step: int, epoch: int, stage: str
    ) -> None:
        """Take one step's numbers, as `write` takes `StepMetrics` of `Numbers`, on a short way."""
        drain = self._drain
        if drain is None or drain.error is not None or self._busy:
            self.write([StepMetrics(Numbers(names, numbers), step, epoch, stage)])
            return
        try:
            with drain.lock:
                if self._closed:
                    return
                self._busy = True
                try:
                    moment = (epoch, step, _now_ns() // 1000, stage)
                    rows = drain.journal.append_numbers(names, numbers, moment)
                    if rows >= BATCH_ROWS or not rows:
                        _tell(drain, rows, len(names), step)
                except struct.error:
                    self._take(drain, [StepMetrics(Numbers(names, numbers), step, epoch, stage)])
                finally:
                    self._busy = False
        finally:
            if self._later and not self._busy:
                self._catch_up()

    def flush(self) -> None:
        """Put all that was written on disk, durably."""
        self._between_writes(self._flush)

    def close(self, status: RunStatus, reason: str | None = None) -> None:
        """Write `run_end`, and seal when this is rank 0; later writes are dropped."""
        try:
            self._between_writes(functools.partial(self._close, status, reason))
        finally:
            if self._later and not self._is_interrupted():
                self._catch_up()

    def after_write(self, action: Callable[[], None]) -> None:
        """Call a function now, or, in a handler that interrupted a write, right after that write.

        What the function raises then leaves nothing half written, and what ends the program
        nothing half sealed: a seal that is waited for counts as a write.
        """
        if not self._is_interrupted():
            action()
        else:
            self._later.append(action)

    def _take(self, drain: Drain, records: Sequence[Event | StepMetrics]) -> None:
        events: list[Event] = []
        for record in records:
            if isinstance(record, Event):
                events.append(record)
                continue
            values = record.values
            moment = (record.epoch, record.step, record.time_ns // 1000, record.stage)
            try:
                if type(values) is Numbers:
                    rows = drain.journal.append_numbers(values.names, values.numbers, moment)
                elif _FLOAT.issuperset(map(type, values.values())):
                    rows = drain.journal.append(values, moment)
                else:
                    events.extend(self._take_mixed(drain, record))
                    continue
            except struct.error:
                events.extend(_value_events(values, record))
                continue
            _tell(drain, rows, len(values), record.step)
        if events:
            drain.add_events(events)

    def _take_mixed(self, drain: Drain, record: StepMetrics) -> list[Event]:
        values = sort_values(record.values)
        events = _value_events(values.others, record)
        if values.tensors:
            moment = (record.epoch, record.step, record.time_ns // 1000, record.stage)
            drain.add_tensors(values.tensors, moment)
        if values.numbers:
            self._take(drain, [replace(record, values=values.numbers)])
        if values.others and not self._warned:
            self._warned = True
            _LOGGER.warning("%s is no number; it is kept as an event", next(iter(values.others)))
        return events

    def _flush(self) -> None:
        if not self._closed:
            self._checked().flush()

    def _close(self, status: RunStatus, reason: str | None) -> None:
        drain = self._drain
        if drain is None:
            return
        with drain.lock:
            if self._closed:
                return
            drain.end(status, reason)
            self._closer = threading.get_ident()
            self._closed = True
        try:
            drain.await_end()
        finally:
            self._closer = None
        if self._strict and drain.error is not None:
            raise LogError(f"cannot write {self._log}: {drain.error}") from drain.error

    def _between_writes(self, action: Callable[[], None]) -> None:
        """Run an action now, or, in a handler that interrupted a write, right after that write."""
        if not self._closed and self._drain is not None:
            self.after_write(action)

    def _is_interrupted(self) -> bool:
        if self._drain is None:
            return False
        if self._closer == threading.get_ident():
            return True
        # whoever gets the lock while a write is under way is the thread that writes
        with self._drain.lock:
            return self._busy

    def _catch_up(self) -> None:
        while self._later:
            self._later.pop(0)()

    def _checked(self) -> Drain:
        if self._drain is None:
            raise LogError(f"{self._log} was never opened: call open(rank) first")
        if self._strict and self._drain.error is not None:
            raise LogError(f"cannot write {self._log}: {self._drain.error}")
        return self._drain


def _value_events(values: Any, record: StepMetrics) -> list[Event]:
    return [
        Event("value", name, {"value": value}, record.step, record.epoch, record.time_ns)
        for name, value in values.items()
    ]


def _tell(drain: Drain, rows: int, count: int, step: int) -> None:
    """Tell the thread of a batch that is due, or count what found no room."""
    if rows >= BATCH_ROWS:
        drain.wake.ring()
    elif not rows and count:
        drain.drop(count, step)


def _drop(reference: weakref.ref[ArrowSink]) -> None:
    sink = reference()
    if sink is not None:
        sink._closed = True
        # its lock may have been held by the thread that no child has
        sink._drain = None

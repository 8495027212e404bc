"""Moves what waits in memory and journal into the streams, on a thread of its own."""

from __future__ import annotations

import importlib
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from provrunner.log.columns import EventRow, event_batch, event_row, metric_batches
from provrunner.log.journal import Arena, Journal, Moment
from provrunner.log.outage import Drops, Outage, gap_event
from provrunner.log.rankreader import RankReader
from provrunner.log.reader import live_segments
from provrunner.log.seal import seal_log
from provrunner.log.sealed import read_seal
from provrunner.log.segment import Before, open_segment
from provrunner.log.values import move_to_cpu
from provrunner.log.waiting import Bell, Latch
from provrunner.schema import Event, RunStatus

__all__ = ["Drain"]

BATCH_ROWS = 2000
_TICK_S = 1.0
_WAIT_S = 4.0
_SYNC_S = 30.0
_RANKS_S = 4.0
_LAST_TRIES_S = (0.0, 0.05, 0.2)
_LOGGER = logging.getLogger("provrunner.log")


class Drain:
    """The owner of one rank's live files.

    Callers add under `lock`, which is held for microseconds; the thread alone writes metric
    batches, so that training never waits for the disk. Events are written by the caller, at once.

    Attributes:
        lock: guards the journal, the events stream and all that waits.
        journal: where a step's numbers are kept.
        wake: rung when a batch is due.
        error: what went wrong first; None while nothing has.
        dropped: metric rows lost so far.
    """

    def __init__(self, log: Path, rank: int, ranks: int, *, before: Before, ids: Mapping[str, str]):
        self.lock = threading.RLock()
        self.wake = Bell()
        self.error: BaseException | None = None
        self.dropped = 0
        self._log = log
        self._rank = rank
        self._ranks = ranks
        self._ids = dict(ids)
        self._segment = open_segment(log, rank, before, ids)
        try:
            self.journal = Journal(self._segment.journal_path, row=before.rows.get("metrics", 0))
        except OSError:
            self._segment.discard()
            raise
        self._seq = before.rows.get("events", 0)
        self._events: list[EventRow] = []
        self._tensors: list[tuple[dict[str, Any], Moment]] = []
        self._outage: Outage | None = None
        self._drops = Drops()
        self._requests: list[Latch] = []
        self._released = Latch()
        self._end: tuple[RunStatus, str | None] | None = None
        self._waiting_since: float | None = None
        self._synced = time.monotonic()
        self._thread = threading.Thread(target=self._work, name="provrunner-log", daemon=True)
        self._thread.start()

    def add_tensors(self, tensors: dict[str, Any], moment: Moment) -> None:
        """Keep values that lie on another device until the next tick."""
        self._tensors.append((tensors, moment))

    def add_events(self, events: Sequence[Event]) -> None:
        """Write events as one batch now, or keep them until the disk takes them again."""
        rows = [event_row(self._seq + at, event) for at, event in enumerate(events)]
        # one step: what a signal handler raises leaves no number without its event
        self._events, self._seq = [*self._events, *rows], self._seq + len(rows)
        if self._outage is None:
            try:
                self._write_events()
            except OSError as error:
                self._fail(error)
            else:
                return
        for row in rows:
            self.journal.append_event(row)

    def drop(self, count: int, step: int) -> None:
        """Count metric rows that found no room."""
        self._drops.add(count, step)
        self.dropped += count

    def flush(self) -> None:
        """Wait until all that was added is on the disk, or the disk has refused it."""
        done = Latch()
        with self.lock:
            self._requests.append(done)
        self.wake.ring()
        self._await(done)

    def end(self, status: RunStatus, reason: str | None) -> None:
        """Let the thread end the streams and seal; what is said a second time does not count."""
        with self.lock:
            self._end = self._end or (status, reason)
        self.wake.ring()

    def await_end(self) -> None:
        """Wait for the seal; whatever interrupts the wait is raised only after it."""
        self._await(self._released)

    def _await(self, done: Latch) -> None:
        interruption: BaseException | None = None
        while True:
            try:
                while not done.is_open and self._thread.is_alive():
                    done.wait(_TICK_S)
                break
            except BaseException as error:  # noqa: BLE001 -- a second signal waits for the seal
                interruption = error
        if interruption is not None:
            raise interruption

    def _work(self) -> None:
        importlib.import_module("pyarrow.compute")  # 60 ms that the seal would have to wait for
        while True:
            self.wake.wait(_TICK_S)
            with self.lock:
                requests, self._requests = self._requests, []
                end = self._end
            try:
                self._round(urgent=bool(requests) or end is not None, sync=end is None)
                if end is not None:
                    self._finish(*end)
            except Exception as error:  # noqa: BLE001 -- training goes on, and close() must return
                self._fail(error)
            finally:
                for done in requests:
                    done.open()
            if end is not None:
                self._release()
                self._released.open()
                return

    def _round(self, *, urgent: bool, sync: bool = True) -> None:
        self._move_tensors()
        outage = self._outage
        if outage is not None and time.monotonic() < outage.next_try and not urgent:
            return
        try:
            self._go_on()
            self._write_events()
            self._write_rows(urgent=urgent)
            if sync:
                self._sync(urgent=urgent)
        except OSError as error:
            self._fail(error)
            return
        self._declare_gap()

    def _go_on(self) -> None:
        """Give a sign of life; open the next segment when this one can take no more."""
        segment = self._segment
        if not (segment.metrics.broken or segment.events.broken) and segment.is_there():
            segment.beat()
            return
        with self.lock:
            following = open_segment(self._log, self._rank, segment.before_next(), self._ids)
            try:
                self.journal.move(following.journal_path)
            except OSError:
                following.discard()
                raise
            self._segment = following
        segment.close()

    def _move_tensors(self) -> None:
        with self.lock:
            waiting, self._tensors = self._tensors, []
        if not waiting:
            return
        flat = [tensor for tensors, _ in waiting for tensor in tensors.values()]
        try:
            numbers = iter(move_to_cpu(flat))
        except Exception as error:  # noqa: BLE001 -- a device in trouble must not end the log
            with self.lock:
                for tensors, moment in waiting:
                    self.drop(len(tensors), moment[1])
            _LOGGER.warning("metrics were lost with their device: %s", error)
            return
        with self.lock:
            for tensors, moment in waiting:
                values = {name: next(numbers) for name in tensors}
                if not self.journal.append(values, moment):
                    self.drop(len(values), moment[1])

    def _write_events(self) -> None:
        with self.lock:
            stream = self._segment.events
            # a handler that raised may have kept what was written from being forgotten
            waiting = [row for row in self._events if row.seq >= stream.rows]
            if waiting:
                stream.append(event_batch(waiting))
            self._events = []
            self.journal.forget_events()

    def _write_rows(self, *, urgent: bool) -> None:
        now = time.monotonic()
        with self.lock:
            rows = self.journal.rows
        if not rows:
            self._waiting_since = None
            return
        self._waiting_since = self._waiting_since or now
        if not urgent and rows < BATCH_ROWS and now - self._waiting_since < _WAIT_S:
            return
        # an arena can be taken only when another is free: the second pass gets the one in use
        for _ in range(2):
            with self.lock:
                arenas = self.journal.take()
            for arena in arenas:
                self._write_arena(arena)
                with self.lock:
                    self.journal.free(arena)
        self._waiting_since = None

    def _write_arena(self, arena: Arena) -> None:
        stream = self._segment.metrics
        for first, batch in metric_batches(arena.read().steps):
            # part of an arena may lie in the stream already when an earlier try failed
            written = max(0, stream.rows - first)
            if written < batch.num_rows:
                stream.append(batch.slice(written))

    def _sync(self, *, urgent: bool) -> None:
        now = time.monotonic()
        if urgent or now - self._synced >= _SYNC_S:
            self._synced = now
            self._segment.metrics.sync()
            self._segment.events.sync()

    def _fail(self, error: BaseException) -> None:
        if self.error is None:
            self.error = error
            _LOGGER.warning(
                "%s cannot be written (%s); training goes on, up to 16 MiB of metrics wait",
                self._log,
                error,
            )
        if self._outage is None:
            self._outage = Outage(str(error), time.monotonic())
        self._outage.postpone()

    def _declare_gap(self) -> None:
        outage, self._outage = self._outage, None
        with self.lock:
            drops, self._drops = self._drops, Drops()
            if (event := gap_event(drops, outage)) is not None:
                self.add_events([event])

    def _finish(self, status: RunStatus, reason: str | None) -> None:
        for pause in _LAST_TRIES_S:
            if self._outage is None:
                break
            time.sleep(pause)
            self._round(urgent=True, sync=False)
        with self.lock:
            lost = 0 if self._outage is None else self._give_up()
            data = {
                "status": status.value,
                "reason": reason,
                "metric_rows": self.journal.row - lost,
                "gaps": self.dropped,
            }
            self.add_events([Event("run_end", "", data)])
        if self._outage is not None:
            return
        for stream in (self._segment.metrics, self._segment.events):
            stream.finish()
            stream.sync()
        if self._rank == 0:
            self._await_ranks()
            seal_log(self._log, status, reason, own_rank=0)

    def _give_up(self) -> int:
        """Declare the rows lost that the disk took neither in a stream nor in the journal."""
        written = self._segment.metrics.rows
        before = self.dropped
        for part in self.journal.unkept():
            count = part.first_row + part.rows - max(part.first_row, written)
            if count > 0:
                self._drops.add(0, int(part.steps["step"][0]))
                self.drop(count, int(part.steps["step"][-1]))
        if self._drops.count and (event := gap_event(self._drops, self._outage)) is not None:
            self._drops = Drops()
            self.add_events([event])
        return self.dropped - before

    def _await_ranks(self) -> None:
        waited = {rank: RankReader(self._log, "events", rank) for rank in range(1, self._ranks)}
        deadline = time.monotonic() + _RANKS_S
        while waited and time.monotonic() < deadline:
            live = live_segments(self._log, "events", read_seal(self._log))
            for rank in list(waited):
                if segments := live.get(rank, [])[-1:]:
                    waited[rank].poll(segments)
                if waited[rank].has_ended or (segments and not waited[rank].is_alive()):
                    del waited[rank]
            time.sleep(0.02)

    def _release(self) -> None:
        with self.lock:
            self._segment.close()
            self.journal.close()

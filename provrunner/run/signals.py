"""How a run or a sweep is stopped from outside."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol

__all__ = ["STOP_SIGNALS", "StopListener", "Stopped", "raise_on_stop"]

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""The last two are what schedulers send before they take a machine back."""

_HEARD = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end a Python program on the spot; SIGINT raises KeyboardInterrupt instead."""


class Stopped(BaseException):
    """Raised in the main thread by the first stop signal; no `except Exception` swallows it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number

    @property
    def exit_code(self) -> int:
        """The exit code that shells expect of a process ended by this signal."""
        return 128 + self.number


def _at_once(action: Callable[[], None]) -> None:
    action()


@contextmanager
def raise_on_stop(
    after_write: Callable[[Callable[[], None]], None] = _at_once,
) -> Iterator[None]:
    """Turn the first stop signal into `Stopped`, and ignore further ones until the block is left.

    Ignoring them lets the log be sealed while an impatient user presses Ctrl-C again. Outside the
    main thread, where Python allows no handlers, nothing changes.

    Args:
        after_write: calls a function as soon as nothing is half written; a log's own `after_write`.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _frame: FrameType | None) -> None:
        for each in STOP_SIGNALS:
            signal.signal(each, signal.SIG_IGN)

        def throw() -> None:
            raise Stopped(number)

        after_write(throw)

    before = {number: signal.signal(number, stop) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Stoppable(Protocol):
    """A run in a program of anyone's."""

    def interrupt(self, number: int) -> None:
        """Note that a stop signal came."""

    def close(self) -> None:
        """Seal the log."""


class StopListener:
    """Lets a run end as `interrupted` when SIGTERM or SIGHUP comes to a program of anyone's.

    The program's own handlers stay in force: they are called, and decide what becomes of the
    program. Where there is none the signal ends the program, as it would have, once the log is
    sealed. An ignored signal, as under `nohup`, stays ignored.

    Args:
        run: is told, and sealed where the program ends.
        after_write: calls a function as soon as nothing is half written.
    """

    def __init__(
        self, run: Stoppable, after_write: Callable[[Callable[[], None]], None] = _at_once
    ) -> None:
        self._run = run
        self._after_write = after_write
        self._before: dict[int, Any] = {}

    def listen(self) -> None:
        """Begin to listen; outside the main thread, where Python allows no handlers, do nothing."""
        if self._before or threading.current_thread() is not threading.main_thread():
            return
        for number in _HEARD:
            before = signal.getsignal(number)
            if before not in (signal.SIG_IGN, None):
                self._before[number] = before
                signal.signal(number, self._hear)

    def leave(self) -> None:
        """Put back the handlers of before, unless others were put in front of ours since."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number, before in self._before.items():
            if signal.getsignal(number) == self._hear:
                signal.signal(number, before)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._run.interrupt(number)
        self._after_write(lambda: self._pass_on(number, frame))

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        before = self._before[number]
        if _ends_program(number):
            self._run.close()
            if not callable(before):
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
        if callable(before):
            before(number, frame)


def _ends_program(number: int) -> bool:
    """Say whether nobody but listeners handles a signal; a Trainer puts a handler before them."""
    handler = signal.getsignal(number)
    while isinstance(listener := getattr(handler, "__self__", None), StopListener):
        handler = listener._before[number]
    return handler is signal.SIG_DFL

"""Lets any code of a program log a value to the runs that are open in it."""

from __future__ import annotations

import weakref
from typing import Protocol

from provrunner.schema import RunStatus

__all__ = ["OpenRun", "forget", "listen", "log", "open_runs"]


class OpenRun(Protocol):
    """A run whose log is open in this process."""

    def log_value(self, name: str, value: object, *, step: int | None = None) -> None:
        """Write a value of the user's own."""

    def close(self, status: RunStatus | None = None, reason: str | None = None) -> None:
        """Seal the log."""

    def fail(self, error: BaseException) -> None:
        """Write what ended the program, and seal the log."""


# A run that is dropped leaves by itself, and a closed one ignores what it hears.
_OPEN: weakref.WeakSet[OpenRun] = weakref.WeakSet()


def log(name: str, value: object, *, step: int | None = None) -> None:
    """Log a value to every run that is open in this process.

    Args:
        name: as a metric's.
        value: a number becomes a metric, anything else a `value` event.
        step: another step than the current one.

    Example:
        >>> log("margin", 0.5)  # no run is open: nothing happens
    """
    for run in open_runs():
        run.log_value(name, value, step=step)


def listen(run: OpenRun) -> None:
    """Let a run hear of every value logged from now on."""
    _OPEN.add(run)


def forget(run: OpenRun) -> None:
    """Let a run that is closed hear no more."""
    _OPEN.discard(run)


def open_runs() -> list[OpenRun]:
    """Return the runs that listen."""
    return list(_OPEN)

"""Lets any code of a run log a value of its own."""

from __future__ import annotations

import weakref
from typing import Protocol

__all__ = ["listen", "log"]


class _Listener(Protocol):
    def log_value(self, name: str, value: object, *, step: int | None = None) -> None: ...


# The callbacks whose log is open; a callback that is dropped leaves by itself.
_LISTENERS: weakref.WeakSet[_Listener] = weakref.WeakSet()


def log(name: str, value: object, *, step: int | None = None) -> None:
    """Log a value to every run that is open in this process.

    Args:
        name: as a metric's.
        value: a number becomes a metric, anything else a `value` event.
        step: another step than the current one.

    Example:
        >>> log("margin", 0.5)  # no run is open: nothing happens
    """
    for listener in list(_LISTENERS):
        listener.log_value(name, value, step=step)


def listen(listener: _Listener) -> None:
    """Let a callback hear of every value logged from now on; a closed one ignores them."""
    _LISTENERS.add(listener)

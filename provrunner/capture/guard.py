"""Keeps what fails in capture away from training, and counts the time that capture takes."""

from __future__ import annotations

import contextlib
import signal
import time
import traceback
import warnings
from collections.abc import Callable
from typing import Any

__all__ = ["Guard"]

_clock = time.perf_counter


class Guard:
    """Calls capture's functions so that none of them raises into training.

    The first failure of a function becomes an event, and the first one of all a warning as well.

    Args:
        report: is called with the function's name and what it raised.
        strict: let exceptions through.

    Attributes:
        seconds: spent inside guarded calls.
    """

    def __init__(self, report: Callable[[str, Exception], None], *, strict: bool) -> None:
        self.seconds = 0.0
        self._inside = False
        self._report = report
        self._strict = strict
        self._failed: set[str] = set()

    def call(self, function: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        """Call a function; what it raises is raised only when strict.

        What a signal handler of the program raises meanwhile is the program's, and raised.
        """
        self.wrap(function)(*args, **kwargs)

    def wrap(self, function: Callable[..., object]) -> Callable[..., None]:
        """Return a function that calls another one under guard, as `call` does."""

        def guarded(*args: Any, **kwargs: Any) -> None:
            outermost = not self._inside
            self._inside = True
            start = _clock() if outermost else 0.0
            try:
                function(*args, **kwargs)
            except Exception as error:
                if self._strict or _is_of_a_handler(error):
                    raise
                self._note(function.__name__, error)
            finally:
                if outermost:
                    self._inside = False
                    self.seconds += _clock() - start

        return guarded

    def _note(self, name: str, error: Exception) -> None:
        if name in self._failed:
            return
        first = not self._failed
        self._failed.add(name)
        # A sink that fails cannot take the report either; a warning may be an error for the user.
        with contextlib.suppress(Exception):
            self._report(name, error)
        if first:
            with contextlib.suppress(Warning):
                warnings.warn(
                    f"provrunner could not capture all ({name}: {error!r}); training goes on",
                    RuntimeWarning,
                    stacklevel=3,
                )


def _is_of_a_handler(error: Exception) -> bool:
    """Say whether a signal handler raised it, in the midst of what we called."""
    handlers = map(signal.getsignal, signal.valid_signals())
    codes = {getattr(handler, "__code__", None) for handler in handlers}
    return any(frame.f_code in codes for frame, _ in traceback.walk_tb(error.__traceback__))

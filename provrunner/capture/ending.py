"""Says how a run ended, from what training raised."""

from __future__ import annotations

import sys
import traceback
from typing import Any

from provrunner.capture.loaded import is_instance, loaded, uses_cuda
from provrunner.capture.recorder import type_path
from provrunner.schema import RunStatus

__all__ = ["Outcome", "exception_data", "exit_outcome", "outcome_of", "program_outcome"]

Outcome = tuple[RunStatus, str | None]
"""A final status and its reason in one line."""


def outcome_of(exception: BaseException) -> Outcome:
    """Return status and reason of a run that ended by an exception.

    Example:
        >>> outcome_of(KeyboardInterrupt())
        (<RunStatus.INTERRUPTED: 'interrupted'>, 'KeyboardInterrupt')
        >>> outcome_of(ValueError("no such class"))
        (<RunStatus.FAILED: 'failed'>, 'ValueError: no such class')
    """
    name, said = type(exception).__name__, str(exception).partition("\n")[0]
    reason = f"{name}: {said}" if said else name
    if isinstance(exception, KeyboardInterrupt | SystemExit):
        # Lightning raises SIGTERMException, a SystemExit, for that signal.
        return RunStatus.INTERRUPTED, "SIGTERM" if "SIGTERM" in name else reason
    if isinstance(exception, MemoryError) or _is_gpu_memory(exception):
        return RunStatus.FAILED, "oom"
    return RunStatus.FAILED, reason


def program_outcome(exception: BaseException | None) -> Outcome:
    """Return status and reason of a program that ended by itself or by an exception.

    Example:
        >>> program_outcome(SystemExit(0)), program_outcome(SystemExit(3))[1]
        ((<RunStatus.FINISHED: 'finished'>, None), 'exit code 3')
    """
    if exception is None:
        return RunStatus.FINISHED, None
    if not isinstance(exception, SystemExit) or "SIGTERM" in type(exception).__name__:
        return outcome_of(exception)
    if exception.code in (None, 0):
        return RunStatus.FINISHED, None
    return RunStatus.FAILED, f"exit code {exception.code}"


def exit_outcome() -> Outcome:
    """Return status and reason of a run whose process ends without closing its log."""
    uncaught = getattr(sys, "last_value", None)
    if uncaught is not None and not hasattr(sys, "ps1"):
        return outcome_of(uncaught)
    return RunStatus.FINISHED, None


def exception_data(exception: BaseException) -> dict[str, Any]:
    """Return the data of an `exception` event; out of memory on a GPU, its summary as well."""
    data: dict[str, Any] = {
        "type": type_path(exception),
        "message": str(exception),
        "traceback": "".join(traceback.format_exception(exception)),
    }
    if _is_gpu_memory(exception):
        data["memory"] = _memory_summary()
    return data


def _memory_summary() -> str | None:
    if not uses_cuda():
        return None
    return str(loaded("torch").cuda.memory_summary(abbreviated=True))


def _is_gpu_memory(exception: BaseException) -> bool:
    return is_instance(exception, "torch", "OutOfMemoryError")

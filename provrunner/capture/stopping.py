"""Says who stopped a training early."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provrunner.capture.recorder import type_path

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

__all__ = ["explain_stop"]


def explain_stop(trainer: Trainer) -> tuple[str, str]:
    """Return cause and agent of a set `trainer.should_stop`.

    The classes are known by name, since two packages define them.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        names = {cls.__name__ for cls in type(callback).__mro__}
        if "EarlyStopping" in names and callback.stopping_reason.name != "NOT_STOPPED":
            return "early_stopping", type_path(callback)
        if "Timer" in names and _is_over(callback.time_remaining()):
            return "timer", type_path(callback)
    return "manual", "unknown"


def _is_over(remaining_s: float | None) -> bool:
    return remaining_s is not None and remaining_s <= 0.0

"""Finds what changed in a trainer's and a model's own settings, and who changed it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from provrunner.capture.optimizers import Change
from provrunner.capture.recorder import json_value, type_path

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

__all__ = ["SteeringWatch", "explain_stop"]


class SteeringWatch:
    """Remembers settings by name over all stages, and says which are no longer what they were."""

    def __init__(self) -> None:
        self._known: dict[str, object] = {}

    def remember(self, settings: Iterable[tuple[str, Any]]) -> None:
        """Take settings as they are, whatever they were before."""
        self._known.update((name, json_value(value)) for name, value in settings)

    def changes(self, settings: Iterable[tuple[str, Any]], trainer: Trainer) -> list[Change]:
        """Return which of the settings that were seen before have changed, and remember all."""
        found: list[Change] = []
        for name, value in settings:
            now = json_value(value)
            old = self._known.get(name, now)
            self._known[name] = now
            # NaN is written as a text here, so equal means unchanged; 1, 1.0 and True are not one.
            if repr(old) != repr(now):
                found.append(Change(name, old, now, *_cause(trainer, name, now)))
        return found


def explain_stop(trainer: Trainer) -> tuple[str, str, Any]:
    """Return cause, agent and, where a rule decided by some, numbers of a set `should_stop`.

    The classes are known by name, since two packages define them.
    """
    for callback, names in _named_callbacks(trainer):
        decision = callback.decision if "RuleStop" in names else None
        if decision is not None:
            return decision.cause, type_path(callback), dict(decision.numbers)
        if "EarlyStopping" in names and callback.stopping_reason.name != "NOT_STOPPED":
            return "early_stopping", type_path(callback), None
        if "Timer" in names and _is_over(callback.time_remaining()):
            return "timer", type_path(callback), None
    return "manual", "unknown", None


def _cause(trainer: Trainer, name: str, new: object) -> tuple[str, str]:
    part = name.partition(".")[0]
    for callback, names in _named_callbacks(trainer):
        if name == "trainer.accumulate_grad_batches" and "GradientAccumulationScheduler" in names:
            return "scheduler", type_path(callback)
        finds_rate = "LearningRateFinder" in names and isinstance(new, float)
        finds_size = "BatchSizeFinder" in names and isinstance(new, int)
        if part in {"model", "data"} and (finds_rate or finds_size):
            return "tuner", type_path(callback)
    if part in {"optimizer", "scheduler"}:
        return "configured", type_path(trainer.lightning_module)
    return "manual", "unknown"


def _named_callbacks(trainer: Trainer) -> Iterable[tuple[Any, set[str]]]:
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    return [(item, {cls.__name__ for cls in type(item).__mro__}) for item in callbacks]


def _is_over(remaining_s: float | None) -> bool:
    return remaining_s is not None and remaining_s <= 0.0

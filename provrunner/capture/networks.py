"""Follows the torch models and optimizers that a loop of one's own hands over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

from provrunner.capture.model import ShapeProbe, describe_layers, describe_model
from provrunner.capture.optimizers import (
    Change,
    OptimizerWatch,
    plain_optimizer,
    scheduler_settings,
)

__all__ = ["ModelWatch", "Optimizers", "plain_model"]

_WRAPPED = ("_orig_mod", "_forward_module", "module")


class ModelWatch:
    """Describes a model once a batch has shown its layers' shapes.

    Args:
        model: any module; what Fabric, DDP or the compiler put round it is taken off.
        layers: whether its layers are described.
    """

    def __init__(self, model: Any, *, layers: bool) -> None:
        self._model = plain_model(model)
        self._layers = layers
        self._probe = ShapeProbe(self._model) if layers else None
        self._looks = 0

    def is_ready(self) -> bool:
        """Say whether shapes are known, or were not at the second look either."""
        self._looks += 1
        return self._probe is None or bool(self._probe.shapes) or self._looks > 1

    def describe(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yield kind, subject and data of its events, and look no longer."""
        if self._probe is not None:
            self._probe.remove()
        yield "model", type(self._model).__name__, describe_model(self._model)
        if self._layers:
            shapes = self._probe.shapes if self._probe is not None else {}
            for name, data in describe_layers(self._model, shapes):
                yield "layer", name, data


class Optimizers:
    """The optimizers and schedulers of a loop, and how their settings change."""

    def __init__(self) -> None:
        self._optimizers: list[Any] = []
        self._schedulers: list[Any] = []
        self._watch = OptimizerWatch([], [])

    def add(
        self, optimizers: Sequence[Any], schedulers: Sequence[Any]
    ) -> Iterator[tuple[str, Any]]:
        """Watch further ones; yield the name and value of all settings as they are now."""
        self._optimizers += map(plain_optimizer, optimizers)
        self._schedulers += [SimpleNamespace(scheduler=scheduler) for scheduler in schedulers]
        self._watch = OptimizerWatch(self._optimizers, self._schedulers)
        yield from self._watch.settings()
        yield from scheduler_settings(self._schedulers)

    def changes(self) -> list[Change]:
        """Return what changed since the last call."""
        return self._watch.changes()


def plain_model(model: Any) -> Any:
    """Return the module inside the wrappers of the compiler, of Fabric and of DDP.

    Only a wrapper whose single child is the model is taken off.
    """
    for name in _WRAPPED:
        inner = model.__dict__.get("_modules", {}).get(name)
        if inner is not None and type(model).__module__.startswith(("torch.", "lightning")):
            return plain_model(inner)
    return model

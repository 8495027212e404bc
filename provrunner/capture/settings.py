"""Turns configurations, hyperparameters and objects' own settings into `param` events' data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from provrunner.capture.options import Leaf
from provrunner.capture.recorder import json_value, type_path
from provrunner.redaction import redact_value

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

__all__ = [
    "hyperparameters",
    "leaf_data",
    "object_data",
    "steered_settings",
    "trainer_settings",
]

_TRAINER_SETTINGS = (
    "accumulate_grad_batches",
    "check_val_every_n_epoch",
    "fast_dev_run",
    "gradient_clip_algorithm",
    "gradient_clip_val",
    "limit_predict_batches",
    "limit_test_batches",
    "limit_train_batches",
    "limit_val_batches",
    "log_every_n_steps",
    "max_epochs",
    "max_steps",
    "min_epochs",
    "min_steps",
    "num_devices",
    "num_nodes",
    "num_sanity_val_steps",
    "overfit_batches",
    "precision",
    "val_check_interval",
    "world_size",
)

# What callbacks change between the epochs of one fit.
_STEERED = ("accumulate_grad_batches", "gradient_clip_val")

_TYPE_NAMES = {type(None): "null", dict: "dict", list: "list"}


def leaf_data(leaf: Leaf) -> Mapping[str, Any]:
    """Return the data of the `param` event of a configuration's leaf.

    Example:
        >>> leaf_data(Leaf("optimizer.lr", 0.1, "axis"))["type"]
        'float'
    """
    value = redact_value(leaf.name, json_value(leaf.value))
    return {
        "value": value,
        "type": _type_name(value),
        "origin": leaf.origin,
        "source": leaf.source,
        "reads": leaf.reads,
        "phase": "init",
    }


def object_data(name: str, value: object) -> Mapping[str, Any]:
    """Return the data of the `param` event of a setting that an object holds."""
    return {**leaf_data(Leaf(name, value)), "phase": "object"}


def hyperparameters(prefix: str, owner: object) -> Iterator[Leaf]:
    """Yield what `save_hyperparameters` kept in a module or data module, nested mappings flat."""
    held = getattr(owner, "hparams", None)
    if isinstance(held, Mapping):
        yield from _leaves(prefix, held)


def trainer_settings(trainer: Trainer) -> Iterator[tuple[str, Any]]:
    """Yield the name and value of the trainer's settings, as `trainer.max_epochs`."""
    for name in _TRAINER_SETTINGS:
        if hasattr(trainer, name):
            yield f"trainer.{name}", getattr(trainer, name)
    for name in ("accelerator", "strategy", "profiler"):
        yield f"trainer.{name}", type_path(getattr(trainer, name))
    yield "trainer.callbacks", _type_paths(trainer.callbacks)  # type: ignore[attr-defined]
    yield "trainer.loggers", _type_paths(trainer.loggers)


def steered_settings(trainer: Trainer) -> Iterator[tuple[str, Any]]:
    """Yield the name and value of the trainer's settings that may change during a fit."""
    for name in _STEERED:
        yield f"trainer.{name}", getattr(trainer, name)


def _type_paths(objects: Iterable[object]) -> list[str]:
    return [type_path(item) for item in objects]


def _leaves(prefix: str, values: Mapping[Any, Any]) -> Iterator[Leaf]:
    for key, value in values.items():
        name = f"{prefix}.{key}"
        if isinstance(value, Mapping) and value:
            yield from _leaves(name, value)
        else:
            yield Leaf(name, value)


def _type_name(value: object) -> str:
    return _TYPE_NAMES.get(type(value), type(value).__name__)

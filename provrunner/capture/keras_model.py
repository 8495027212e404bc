"""Describes models of Keras 3, whatever their backend, without loading Keras."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from provrunner.capture.loaded import is_instance
from provrunner.capture.recorder import Described, type_path
from provrunner.capture.settings import object_data
from provrunner.ids import canonical_json, digest

__all__ = ["describe_keras", "is_keras_model", "learning_rate", "scheduler"]


def is_keras_model(value: object) -> bool:
    """Say whether a value is a model of Keras; with the torch backend it is a torch module too."""
    return is_instance(value, "keras", "Model")


def describe_keras(model: Any, user: str | None = None) -> Iterator[Described]:
    """Yield the events of a Keras model that is built: its library, settings, kind and layers.

    Args:
        model: a `keras.Model` of any kind; one that is not compiled has no optimizer and no loss.
        user: for whom the library acts.
    """
    keras = sys.modules["keras"]
    told = {"type": "software", "version": keras.__version__, "on_behalf_of": user}
    yield "agent", "keras", told
    yield "param", "keras.backend", dict(object_data("keras.backend", keras.config.backend()))
    for name, value in _optimizer_settings(model):
        yield "param", name, dict(object_data(name, value))
    layers = [(name, _layer_data(layer)) for name, layer in _layers(model)]
    yield (
        "model",
        type(model).__name__,
        {
            "type": type_path(model),
            # Keras numbers names by process: equal models of one program have other ones.
            "architecture_hash": digest(
                canonical_json([list(data.values()) for _, data in layers])
            ),
            "parameters": _size(model.weights),
            "trainable": _size(model.trainable_weights),
            "loss": _loss(model),
        },
    )
    for position, (name, data) in enumerate(layers):
        yield "layer", name, {"position": position, **data}


def learning_rate(model: Any) -> float | None:
    """Return the learning rate now; of a schedule, its value at this step.

    It is a float32, read as the decimal number that it was written as.
    """
    optimizer = getattr(model, "optimizer", None)
    return None if optimizer is None else float(str(np.float32(float(optimizer.learning_rate))))


def scheduler(model: Any) -> str | None:
    """Return the class of the schedule that a learning rate follows; None for a plain number."""
    rate = model.optimizer.get_config()["learning_rate"]
    return str(rate["class_name"]) if isinstance(rate, dict) else None


def _optimizer_settings(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield settings under the names that optimizers of torch have here: `optimizer.lr`."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return
    yield "optimizer.type", type_path(optimizer)
    yield "optimizer.lr", learning_rate(model)
    for name, value in optimizer.get_config().items():
        if name == "learning_rate" and isinstance(value, dict):
            yield "scheduler.type", value["class_name"]
            yield from ((f"scheduler.{key}", item) for key, item in value["config"].items())
        elif name not in ("name", "learning_rate"):
            yield f"optimizer.{name}", value


def _layers(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the layers that hold no further ones, in order of definition."""
    for layer in model.layers:
        name = f"{prefix}{layer.name}"
        if getattr(layer, "layers", None):
            yield from _layers(layer, f"{name}.")
        else:
            yield name, layer


def _layer_data(layer: Any) -> dict[str, Any]:
    return {
        "type": type_path(layer),
        "input_shape": _shape(layer, "input"),
        "output_shape": _shape(layer, "output"),
        "parameters": _size(layer.weights),
        "trainable": _size(layer.trainable_weights),
    }


def _shape(layer: Any, side: str) -> list[int | None] | None:
    """Return a layer's shape; None where it has several, or its calls are not in a graph."""
    try:
        return list(getattr(layer, side).shape)
    except AttributeError:
        return None


def _size(weights: Any) -> int:
    return sum(math.prod(weight.shape) for weight in weights)


def _loss(model: Any) -> str | None:
    loss = getattr(model, "loss", None)
    if loss is None or isinstance(loss, str):
        return loss
    return getattr(loss, "name", None) or getattr(loss, "__name__", None)

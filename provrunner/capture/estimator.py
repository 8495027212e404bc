"""Describes estimators that tell their parameters as scikit-learn's do, without loading it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from provrunner.capture.recorder import Described, type_path
from provrunner.capture.settings import object_data
from provrunner.ids import canonical_json, digest

__all__ = ["describe_estimator", "is_estimator"]

_LARGEST_ARRAY = 64


def is_estimator(value: object) -> bool:
    """Say whether a value tells its parameters by `get_params`."""
    return callable(getattr(value, "get_params", None)) and not isinstance(value, type)


def describe_estimator(estimator: Any, user: str | None = None) -> Iterator[Described]:
    """Yield the events of an estimator: its library, parameters, kind and steps.

    A step is an estimator that holds no further ones, in the order in which a pipeline, a column
    transformer or a search holds them; an estimator alone is its only step.

    Args:
        estimator: of scikit-learn, or of a library that follows its conventions.
        user: for whom the library acts.
    """
    library = type(estimator).__module__.partition(".")[0]
    version = getattr(sys.modules.get(library), "__version__", None)
    yield "agent", library, {"type": "software", "version": version, "on_behalf_of": user}
    for name, value in _parameters(estimator):
        yield "param", name, dict(object_data(name, value))
    steps = list(_steps(estimator))
    structure = [type_path(estimator), *([name, type_path(step)] for name, step in steps)]
    loss = estimator.get_params().get("loss")
    yield (
        "model",
        type(estimator).__name__,
        {
            "type": type_path(estimator),
            "architecture_hash": digest(canonical_json(structure)),
            "parameters": None,
            "trainable": None,
            "loss": loss if isinstance(loss, str) else None,
        },
    )
    shapes = dict.fromkeys(("input_shape", "output_shape", "parameters", "trainable"))
    for position, (name, step) in enumerate(steps):
        yield "layer", name, {"position": position, "type": type_path(step), **shapes}


def _parameters(estimator: Any) -> Iterator[tuple[str, Any]]:
    """Yield each parameter as `model.step.name`; of parameters that are estimators, the class."""
    yield "model.type", type_path(estimator)
    for key, value in estimator.get_params(deep=True).items():
        if _holds_estimators(value):
            continue
        name = f"model.{key.replace('__', '.')}"
        if is_estimator(value):
            yield name, type_path(value)
        elif getattr(value, "size", 0) > _LARGEST_ARRAY:
            yield name, f"{type_path(value)}{tuple(value.shape)}"
        else:
            yield name, value


def _steps(estimator: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    inner = [
        (key, value)
        for key, value in estimator.get_params(deep=True).items()
        if "__" not in key and is_estimator(value)
    ]
    if not inner:
        yield prefix or "(model)", estimator
    for key, value in inner:
        yield from _steps(value, f"{prefix}.{key}" if prefix else key)


def _holds_estimators(value: object) -> bool:
    """Say whether a value is a pipeline's list of named steps, which stand for themselves."""
    return isinstance(value, list | tuple) and any(
        isinstance(item, tuple) and any(is_estimator(part) for part in item) for item in value
    )

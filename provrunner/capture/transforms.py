"""Reads which transforms a data set applies to its samples, without applying any."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from provrunner.capture.recorder import json_value, type_path

__all__ = ["applied_transforms"]

# Containers that do nothing but call their parts in order, in torch and torchvision.
_SEQUENCES = frozenset({"Compose", "Sequential"})

_PLAIN = (bool, int, float, str, type(None))
_LONGEST = 64


def applied_transforms(dataset: object) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and parameters of each transform that a data set holds, in order of application.

    Looked for are `transform` and `target_transform`, or `transforms` where there is neither, of
    the data set and of all that it wraps as `dataset`, the innermost first. Of an object the public
    attributes that hold numbers, texts or short lists of them are its parameters.

    Example:
        >>> class Scale:
        ...     def __init__(self, by):
        ...         self.by = by
        ...     def __call__(self, sample):
        ...         return sample * self.by
        >>> class Images:
        ...     transform = [Scale(2), abs]
        >>> list(applied_transforms(Images()))
        [('Scale', {'by': 2}), ('abs', {})]
    """
    inner = getattr(dataset, "dataset", None)
    if inner is not None:
        yield from applied_transforms(inner)
    held = [getattr(dataset, name, None) for name in ("transform", "target_transform")]
    if all(transform is None for transform in held):
        held = [getattr(dataset, "transforms", None)]
    for transform in held:
        yield from _steps(transform)


def _steps(transform: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if transform is None:
        return
    parts = _parts(transform)
    if parts is not None:
        for part in parts:
            yield from _steps(part)
    elif isinstance(transform, functools.partial):
        yield _name(transform.func), _plain(transform.keywords)
    elif callable(transform):
        yield _name(transform), _plain(getattr(transform, "__dict__", {}))


def _parts(transform: Any) -> Iterable[Any] | None:
    if isinstance(transform, list | tuple):
        return transform
    if type(transform).__name__ not in _SEQUENCES:
        return None
    parts = getattr(transform, "transforms", transform)
    return parts if isinstance(parts, Iterable) else None


def _name(transform: Any) -> str:
    return type_path(transform).rpartition(".")[2]


def _plain(held: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: json_value(value)
        for name, value in held.items()
        # `training` is a module's state, not what it does to a sample
        if not name.startswith("_") and name != "training" and _is_plain(value)
    }


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return len(value) <= _LONGEST and all(isinstance(item, _PLAIN) for item in value)
    return isinstance(value, _PLAIN)

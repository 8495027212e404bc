"""Whether a configured value fits what an annotation or a default expects."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

__all__ = ["admits", "describe", "is_like"]

_PLAIN: dict[Any, tuple[type, ...]] = {
    type(None): (type(None),),
    bool: (bool,),
    int: (int,),
    float: (int, float),
    str: (str,),
}
"""The types of plain values, each with those that may stand for it."""


def admits(annotation: Any, value: Any) -> bool | None:
    """Tell whether a parameter's annotation allows a plain value.

    Args:
        annotation: resolved, not a string.
        value: None, bool, int, float, str, list or dict.

    Returns:
        None where the annotation names a class that only the program itself can judge.

    Example:
        >>> admits(int | None, 3), admits(int | None, 2.5), admits(float, 1)
        (True, False, True)
    """
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return _any(admits(member, value) for member in get_args(annotation))
    if origin is Annotated:
        return admits(get_args(annotation)[0], value)
    if origin is Literal:
        return value in get_args(annotation)
    return _admits_class(origin or annotation, value)


def is_like(value: Any, default: Any) -> bool:
    """Tell whether a value is of its default's kind; a whole number may stand for any number.

    Example:
        >>> is_like(1, 0.5), is_like(0.5, 1), is_like("a", None), is_like(None, 1)
        (True, False, True, False)
    """
    return default is None or bool(_admits_class(type(default), value))


def describe(value: Any) -> str:
    """Name a value with its type, for a message.

    Example:
        >>> describe(2.5), describe(None)
        ('float 2.5', 'null')
    """
    return "null" if value is None else f"{type(value).__name__} {value!r}"


def _admits_class(kind: Any, value: Any) -> bool | None:
    kind = type(None) if kind is None else kind
    if isinstance(value, bool) and kind in _PLAIN:
        return kind is bool
    if kind in _PLAIN:
        return isinstance(value, _PLAIN[kind])
    if not isinstance(kind, type) or kind is object:
        return None
    if issubclass(kind, Mapping):
        return isinstance(value, Mapping)
    if issubclass(kind, list | tuple | set) or kind is Sequence:
        return isinstance(value, list | tuple)
    return None


def _any(answers: Iterable[bool | None]) -> bool | None:
    known = list(answers)
    if any(known):
        return True
    return None if None in known else False

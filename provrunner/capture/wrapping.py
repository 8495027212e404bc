"""Puts a function round one object's method, and takes it away again."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

__all__ = ["unwrap_method", "wrap_method"]


def wrap_method(
    owner: object,
    name: str,
    *,
    before: Callable[..., None] | None = None,
    after: Callable[..., None] | None = None,
) -> None:
    """Call functions before and after a method of one object, with the arguments of the call.

    The method itself is called once, with its own arguments; what it returns or raises is passed
    on, and after an exception `after` is not called. The class and other objects stay as they are.

    Raises:
        AttributeError: the object has no such method.

    Example:
        >>> class Door:
        ...     def knock(self, times):
        ...         return "come in"
        >>> door, heard = Door(), []
        >>> wrap_method(door, "knock", after=heard.append)
        >>> door.knock(2), heard
        ('come in', [2])
        >>> unwrap_method(door, "knock")
        >>> door.knock(3), heard
        ('come in', [2])
    """
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if before is not None:
            before(*args, **kwargs)
        result = original(*args, **kwargs)
        if after is not None:
            after(*args, **kwargs)
        return result

    setattr(owner, name, wrapped)


def unwrap_method(owner: object, name: str) -> None:
    """Give an object its own method back; nothing happens when it was not wrapped."""
    vars(owner).pop(name, None)

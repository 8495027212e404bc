"""Puts a function round one object's method, and takes it away again."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

__all__ = ["wrap_method"]


def wrap_method(
    owner: object,
    name: str,
    *,
    before: Callable[..., None] | None = None,
    after: Callable[..., None] | None = None,
    returned: Callable[[Any], None] | None = None,
    idle: Callable[[], bool] | None = None,
) -> Callable[[], None]:
    """Call functions before and after a method of one object, with the arguments of the call.

    The method itself is called once, with its own arguments; what it returns or raises is passed
    on, and told to `returned`; after an exception neither that nor `after` is called. A call that
    is `idle`, one that would return None and do nothing else, is left out. The class and other
    objects stay as they are.

    Returns:
        A function that takes the wrapping away. It may be called again, and leaves what others
        have wrapped round the same method, before or since.

    Raises:
        AttributeError: the object has no such method.

    Example:
        >>> class Door:
        ...     def knock(self, times):
        ...         return "come in"
        >>> door, heard = Door(), []
        >>> undo = wrap_method(door, "knock", after=heard.append)
        >>> door.knock(2), heard
        ('come in', [2])
        >>> undo()
        >>> door.knock(3), heard
        ('come in', [2])
    """
    original = getattr(owner, name)
    others = vars(owner).get(name)
    active = True

    @functools.wraps(original)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if active and before is not None:
            before(*args, **kwargs)
        result = None if active and idle is not None and idle() else original(*args, **kwargs)
        if active and returned is not None:
            returned(result)
        if active and after is not None:
            after(*args, **kwargs)
        return result

    def undo() -> None:
        nonlocal active
        active = False
        if vars(owner).get(name) is not wrapped:
            return
        if others is None:
            delattr(owner, name)
        else:
            setattr(owner, name, others)

    setattr(owner, name, wrapped)
    return undo

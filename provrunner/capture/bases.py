"""Makes one callback class acceptable to `lightning` and to `pytorch_lightning`."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys

__all__ = ["accepted_class", "callback_classes"]

_PACKAGES = ("lightning.pytorch", "pytorch_lightning")


def callback_classes() -> tuple[type, ...]:
    """Return the `Callback` class of each Lightning package that the program has loaded.

    Where none is loaded yet the first one installed is: loading the other one as well would cost
    two seconds for a Trainer that nobody made.
    """
    loaded = [name for name in _PACKAGES if hasattr(sys.modules.get(name), "Callback")]
    return tuple(importlib.import_module(name).Callback for name in loaded or [_installed()])


@functools.cache
def accepted_class(cls: type, bases: tuple[type, ...]) -> type:
    """Return a subclass of `cls` that is a `Callback` of every package named, under the same name.

    A Trainer asks for its own package's class when it is given one callback instead of a list.
    """
    missing = tuple(base for base in bases if not issubclass(cls, base))
    if not missing:
        return cls
    namespace = {
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__doc__": cls.__doc__,
    }
    return type(cls.__name__, (cls, *missing), namespace)


def _installed() -> str:
    for name in _PACKAGES:
        if importlib.util.find_spec(name.partition(".")[0]):
            return name
    return _PACKAGES[0]

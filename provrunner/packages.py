"""What a package can do besides holding modules: load names on first use, and be called."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inspect import Signature

__all__ = ["load_on_use", "make_callable"]


def load_on_use(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a `__getattr__` for a package whose names cost too much to load at once.

    Args:
        package: the package's `__name__`.
        homes: by name, the module that defines it.

    Example:
        >>> load_on_use("provrunner.packages", {"sqrt": "math"})("sqrt")(9)
        3.0
    """

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(homes[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return load


def make_callable(package: str, home: str, name: str) -> None:
    """Let a package be called as a function that one of its modules, or another one, defines.

    `provrunner.log` is the package that reads and writes logs and the function that logs a value:
    it stays a module in every other respect.

    Args:
        package: the package's `__name__`.
        home: the module of the function, loaded by the first call.
        name: of the function.
    """
    module = sys.modules[package]
    module.__class__ = type(
        "CallableModule",
        (_CallableModule,),
        {"__module__": __name__, "_home": home, "_name": name},
    )


class _CallableModule(ModuleType):
    """A package that is a function as well."""

    _home: str
    _name: str

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        return self._function()(*args, **kwargs)

    @property
    def __signature__(self) -> Signature:
        """The function's parameters, which editors and `inspect` show."""
        import inspect

        return inspect.signature(self._function())

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to another process by name, as functions do."""
        return import_module, (self.__name__,)

    def _function(self) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(import_module(self._home), self._name)
        return function

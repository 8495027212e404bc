"""Knows torch's classes and state without loading torch."""

from __future__ import annotations

import sys
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    import torch

__all__ = ["is_instance", "is_single_number", "is_tensor", "loaded", "uses_cuda"]


def loaded(name: str) -> Any:
    """Return a module if the program has loaded it, else None."""
    return sys.modules.get(name)


def is_instance(value: object, module: str, *names: str) -> bool:
    """Say whether a value is of one of a module's classes; never where it was not loaded.

    Example:
        >>> from fractions import Fraction
        >>> is_instance(Fraction(1), "fractions", "Fraction"), is_instance(1, "no.such", "Class")
        (True, False)
    """
    home = sys.modules.get(module)
    return home is not None and any(
        isinstance(value, cls) for name in names if (cls := getattr(home, name, None)) is not None
    )


def is_tensor(value: object) -> TypeGuard[torch.Tensor]:
    """Say whether a value is one of torch's tensors."""
    # A module that is just being imported may not have it yet.
    tensor = getattr(sys.modules.get("torch"), "Tensor", None)
    return tensor is not None and isinstance(value, tensor)


def is_single_number(value: object) -> bool:
    """Say whether a value is a real number, or an array or tensor that holds exactly one.

    Example:
        >>> is_single_number(0.5), is_single_number(1j), is_single_number("0.5")
        (True, False, False)
    """
    if type(value) is float:
        return True
    if is_tensor(value):
        return value.numel() == 1 and not value.is_complex()
    if getattr(value, "size", None) == 1 and getattr(value, "dtype", None) is not None:
        return getattr(getattr(value, "dtype", None), "kind", "f") in "biuf"
    return isinstance(value, Real)


def uses_cuda() -> bool:
    """Say whether the program has started CUDA."""
    torch = loaded("torch")
    return bool(torch is not None and torch.cuda.is_initialized())

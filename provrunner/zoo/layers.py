"""Activations by name."""

from __future__ import annotations

from typing import Literal

from torch import nn

__all__ = ["ActivationName", "make_activation"]

ActivationName = Literal["relu", "gelu", "tanh", "silu"]

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


def make_activation(name: ActivationName) -> nn.Module:
    """Make the activation of that name.

    Raises:
        ValueError: there is none.

    Example:
        >>> make_activation("relu")
        ReLU()
    """
    if name not in _ACTIVATIONS:
        raise ValueError(f"activation: {name!r} is none of {', '.join(_ACTIVATIONS)}")
    return _ACTIVATIONS[name]()

"""The resolvers that conf/ uses in its interpolations."""

from __future__ import annotations

from omegaconf import OmegaConf

__all__ = ["min_or_max", "register_resolvers"]


def min_or_max(direction: str) -> str:
    """Return Lightning's word for a direction.

    Example:
        >>> min_or_max("maximize")
        'max'
    """
    return "max" if direction == "maximize" else "min"


def register_resolvers() -> None:
    """Make `${min_or_max:...}` known to OmegaConf; may be called any number of times."""
    OmegaConf.register_new_resolver("min_or_max", min_or_max, replace=True)

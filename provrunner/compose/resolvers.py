"""The resolvers that conf/ uses in its interpolations."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

__all__ = ["hydra_resolvable", "min_or_max", "register_resolvers"]


def min_or_max(direction: str) -> str:
    """Return Lightning's word for a direction.

    Example:
        >>> min_or_max("maximize")
        'max'
    """
    return "max" if direction == "maximize" else "min"


def register_resolvers() -> None:
    """Make `${min_or_max:...}` known to OmegaConf; may be called any number of times."""
    register: Callable[..., None] = OmegaConf.register_new_resolver
    # OmegaConf 2.4 warns of that name and gives its work to one that meant something else before.
    if "replace" in inspect.signature(OmegaConf.register_resolver).parameters:
        register = OmegaConf.register_resolver
    register("min_or_max", min_or_max, replace=True)


@contextmanager
def hydra_resolvable(cfg: DictConfig) -> Iterator[None]:
    """Let `${hydra:...}` be resolved inside the block, as it will be in a run.

    Args:
        cfg: a configuration with Hydra's node; without one, nothing changes.
    """
    holder = HydraConfig.instance()
    before = holder.cfg
    if before is None and "hydra" in cfg:
        holder.set_config(copy.deepcopy(cfg))
    try:
        yield
    finally:
        holder.cfg = before

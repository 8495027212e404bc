"""What Hydra 1.3 and 1.4 are each to be told, so that both do the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hydra import utils
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, open_dict, read_write

__all__ = ["changing", "instantiation", "store_launcher", "version_base"]

_ANYTHING = getattr(utils, "UNSAFE_DISABLE_EXECUTION_CHECKS", None)


def version_base() -> dict[str, Any]:
    """Return the argument that asks Hydra 1.3 for its own behaviour; 1.4 has but one."""
    return {"version_base": "1.3"} if _ANYTHING is None else {}


def instantiation() -> dict[str, Any]:
    """Return the argument that lets Hydra 1.4 call what a configuration names, as 1.3 does.

    `_target_` may name a class of the user's own, so no list can hold all; what the configuration
    of another machine would call is checked by `run.trust` before.
    """
    return {} if _ANYTHING is None else {"_execution_whitelist_": _ANYTHING}


@contextmanager
def changing(config: DictConfig) -> Iterator[None]:
    """Let a composed configuration be changed, its `hydra` too, which 1.4 locks by itself."""
    with read_write(config), read_write(config.hydra), open_dict(config):
        yield


def store_launcher(name: str, settings: Mapping[str, Any]) -> None:
    """Let Hydra know a launcher's settings, in the place of those it knew by the same name.

    Hydra 1.3 replaces them by itself; 1.4 wants to be told.
    """
    told: dict[str, Any] = {} if _ANYTHING is None else {"replace": True}
    ConfigStore.instance().store(
        group="hydra/launcher", name=name, node=dict(settings), provider="provrunner", **told
    )

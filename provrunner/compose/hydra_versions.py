"""What Hydra 1.3 and 1.4 are each to be told, so that both do the same."""

from __future__ import annotations

from typing import Any

from hydra import utils

__all__ = ["instantiation", "version_base"]

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

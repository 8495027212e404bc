"""The rules of `sweep.prune` and `sweep.divergence`, by which runs are stopped early."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from provrunner.errors import ConfigError, nearest

__all__ = ["check_divergence", "read_pruning"]

_RULES: Mapping[str, Mapping[str, Any]] = {
    "median": {"after": 1, "at_least": 4},
    "asha": {"first": 1, "factor": 3},
    "patience": {"epochs": 5, "delta": 0.0},
}
"""Of each rule its settings, with what they are where nothing is said."""

_LOWEST = {"after": 0, "at_least": 1, "first": 1, "factor": 2, "epochs": 1, "delta": 0.0}
_Where = Callable[[str], str]


def read_pruning(node: Any, where: _Where) -> dict[str, Any] | None:
    """Return the rule that a sweep declares, with all its settings; None where it has none.

    Args:
        node: `sweep.prune`: a rule's name, or a mapping of `rule` and its settings.
        where: gives the file of a key, for errors.

    Raises:
        ConfigError: an unknown rule or setting, or a value that makes no sense.
    """
    if node is None:
        return None
    given = dict(node) if isinstance(node, Mapping) else {"rule": node}
    rule = given.pop("rule", None)
    if rule not in _RULES:
        text = f"{rule!r} is none of {', '.join(_RULES)}{nearest(str(rule), _RULES)}"
        raise _mistake(where, "sweep.prune.rule", text)
    known = _RULES[rule]
    for key, value in given.items():
        if key not in known:
            text = f"rule {rule} has {', '.join(known)}{nearest(str(key), known)}"
            raise _mistake(where, f"sweep.prune.{key}", text)
        lowest = _LOWEST[key]
        if not _is_number(value, whole=isinstance(lowest, int)) or value < lowest:
            kind = "whole number" if isinstance(lowest, int) else "number"
            text = f"expected a {kind} from {lowest} up, got {value!r}"
            raise _mistake(where, f"sweep.prune.{key}", text)
    return {"rule": rule, **known, **given}


def check_divergence(node: Any, where: _Where) -> None:
    """Check `sweep.divergence`; None stands for no such rule.

    Raises:
        ConfigError: an unknown key, or a value of the wrong kind.
    """
    path = "sweep.divergence"
    if node is None:
        return
    if not isinstance(node, Mapping):
        raise _mistake(where, path, f"expected a mapping of stop and factor, got {node!r}")
    for key in node:
        if key not in ("stop", "factor"):
            near = nearest(str(key), ("stop", "factor"))
            raise _mistake(where, f"{path}.{key}", f"{path} has stop and factor{near}")
    if not isinstance(node.get("stop"), bool):
        raise _mistake(where, f"{path}.stop", f"expected true or false, got {node.get('stop')!r}")
    factor = node.get("factor")
    if factor is not None and (not _is_number(factor, whole=False) or factor <= 1):
        raise _mistake(where, f"{path}.factor", f"expected a number above 1, got {factor!r}")


def _is_number(value: Any, *, whole: bool) -> bool:
    kinds = int if whole else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)


def _mistake(where: _Where, path: str, text: str) -> ConfigError:
    return ConfigError(f"{where(path)}: {path}: {text}")

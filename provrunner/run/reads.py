"""How often a run reads each key of its configuration."""

from __future__ import annotations

import dis
import inspect
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType
from typing import Any

from hydra.utils import get_object, instantiate
from omegaconf import OmegaConf

from provrunner.compose.hydra_versions import instantiation

__all__ = ["ConfigReads", "reads_argument"]

_BUILT = frozenset({"data", "model", "optimizer", "scheduler", "task", "trainer"})
"""The nodes that objects are made of: what none of them is given, nobody reads."""

_OF_THE_RUN = frozenset({"capture", "reason", "seed", "test"})
"""The nodes that the runner itself reads."""

_OF_HYDRA = frozenset({"_target_", "_partial_", "_args_", "_convert_", "_recursive_"})
_SEES_ALL = frozenset(
    {"_getframe", "currentframe", "eval", "exec", "locals", "save_hyperparameters", "stack", "vars"}
)
"""A constructor that names one of these may read its arguments by another way than their names."""


class ConfigReads:
    """Counts the reads of a configuration's leaves while a run is built.

    A leaf is read when it is handed to a `_target_` that uses the argument, or when a leaf that is
    read refers to it by `${...}`.

    Args:
        references: for each leaf, the leaves that the configuration refers to in its place.
    """

    def __init__(self, references: Mapping[str, Iterable[str]] | None = None) -> None:
        self._counts: Counter[str] = Counter()
        self._users: dict[str, list[str]] = {}
        for user, names in (references or {}).items():
            for name in names:
                self._users.setdefault(name, []).append(user)

    def make(self, path: str, node: Any, **given: Any) -> Any:
        """Instantiate a node of the configuration, and count the leaves that this reads.

        Args:
            path: of the node, such as `trainer.callbacks.checkpoint`.
            node: with a `_target_`, or None.
            given: arguments beside the node's own, as for `hydra.utils.instantiate`.
        """
        plain = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
        self._counts.update(_handed_over(path, plain))
        return instantiate(node, **instantiation(), **given)

    def count(self, names: Iterable[str]) -> dict[str, int | None]:
        """Return how often each leaf was read; None for what the sweep reads, not the run."""
        return {name: self._count(name, frozenset()) for name in names}

    def _count(self, name: str, seen: frozenset[str]) -> int | None:
        top = name.partition(".")[0]
        own = 1 if top in _OF_THE_RUN else self._counts[name]
        users = [user for user in self._users.get(name, ()) if user not in seen]
        through = [self._count(user, seen | {name}) for user in users]
        if own or any(through):
            return own + sum(count or 0 for count in through)
        return 0 if top in _BUILT or (through and None not in through) else None


def reads_argument(target: Any, name: str) -> bool:
    """Say whether a class or function does anything with an argument; True when unknown.

    Example:
        >>> def make(width, depth, **others):
        ...     return width
        >>> [reads_argument(make, name) for name in ("width", "depth", "colour")]
        [True, False, False]
    """
    kinds = inspect.getmro(target) if inspect.isclass(target) else ()
    makers = [vars(kind)["__init__"] for kind in kinds if "__init__" in vars(kind)] or [target]
    codes = [code for maker in makers if (code := getattr(maker, "__code__", None)) is not None]
    if getattr(makers[0], "__code__", None) is None or any(
        _SEES_ALL.intersection(code.co_names) for code in codes
    ):
        return True
    code = codes[0]
    arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    if name in arguments:
        return name in _loaded(code)
    others = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & inspect.CO_VARARGS)
    takes_others = bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return not takes_others or code.co_varnames[others] in _loaded(code)


def _loaded(code: CodeType) -> set[str]:
    """Return the local names that a function's own code or one nested in it uses."""
    names = set(code.co_cellvars)
    for instruction in dis.get_instructions(code):
        if "LOAD" in instruction.opname:
            value = instruction.argval
            names.update(value if isinstance(value, tuple) else (value,))
    return {name for name in names if isinstance(name, str)}


def _handed_over(path: str, node: Any) -> Iterator[str]:
    """Yield the leaves at and below a node that reach what is made of it."""
    if not isinstance(node, dict) or not node:
        yield path
        return
    target = get_object(node["_target_"]) if "_target_" in node else None
    for key, value in node.items():
        if target is None or key in _OF_HYDRA or reads_argument(target, str(key)):
            yield from _handed_over(f"{path}.{key}", value)

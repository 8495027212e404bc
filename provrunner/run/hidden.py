"""Keeps values that `capture.exclude` names out of what the runner itself writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from provrunner.compose import ConfigLeaf
from provrunner.redaction import redact

__all__ = [
    "hidden_texts",
    "hide_values",
    "hide_words",
    "is_hidden",
    "left_out",
    "shown_reason",
]

_MASK = "***"
_SHORTEST_TEXT = 6


def is_hidden(name: str, patterns: Sequence[str]) -> bool:
    """Say whether patterns leave out the value of a configuration's leaf.

    Example:
        >>> is_hidden("data.path", ["data.*"]), is_hidden("seed", ["data.*"])
        (True, False)
    """
    return any(fnmatchcase(word, pattern) for word in ("param", name) for pattern in patterns)


def hide_values(node: Any, patterns: Sequence[str], name: str = "") -> Any:
    """Return a resolved configuration with `***` in place of each value that is left out.

    The patterns themselves stay: a rerun needs them.

    Example:
        >>> hide_values({"data": {"path": "/home/me", "size": 3}}, ["data.path"])
        {'data': {'path': '***', 'size': 3}}
    """
    if isinstance(node, dict) and (node or not name):
        below = f"{name}." if name else ""
        return {key: hide_values(item, patterns, f"{below}{key}") for key, item in node.items()}
    return _MASK if _is_hidden_value(name, patterns) else node


def hide_words(words: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """Return overrides with `***` in place of each value that is left out.

    Example:
        >>> hide_words(["+data.path=/home/me", "seed=1"], ["data.path"])
        ['+data.path=***', 'seed=1']
    """
    parts = [word.partition("=") for word in words]
    return [
        f"{key}={_MASK}" if equals and _is_hidden_value(key.lstrip("+~"), patterns) else whole
        for key, equals, value in parts
        for whole in [f"{key}{equals}{value}"]
    ]


def hidden_texts(leaves: Iterable[ConfigLeaf], patterns: Sequence[str]) -> frozenset[str]:
    """Return the texts that are left out: wherever else they appear, they are masked too.

    Texts of fewer than six characters are left out: masking `sgd` everywhere hides too much.
    """
    return frozenset(
        leaf.value
        for leaf in leaves
        if isinstance(leaf.value, str)
        and len(leaf.value) >= _SHORTEST_TEXT
        and _is_hidden_value(leaf.name, patterns)
    )


def left_out(config: DictConfig) -> Sequence[str]:
    """Return the patterns of what is in no file; none where they are yet to be refused."""
    patterns = OmegaConf.select(config, "capture.exclude")
    return [str(pattern) for pattern in patterns] if isinstance(patterns, ListConfig) else []


def shown_reason(config: DictConfig) -> str | None:
    """Return why the user runs a configuration, redacted; None where that is left out."""
    if config.get("reason") is None or is_hidden("reason", left_out(config)):
        return None
    return redact(str(config.reason))


def _is_hidden_value(name: str, patterns: Sequence[str]) -> bool:
    return is_hidden(name, patterns) and not name.startswith("capture.")

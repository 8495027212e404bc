"""Keeps values that `capture.exclude` names out of what the runner itself writes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep
from omegaconf import DictConfig, ListConfig, OmegaConf

from provrunner.capture.options import CaptureOptions
from provrunner.compose import ConfigLeaf, parse_overrides
from provrunner.errors import ConfigError
from provrunner.redaction import redact, redact_value

__all__ = [
    "MASK",
    "hidden_texts",
    "hide_values",
    "hide_words",
    "is_hidden",
    "left_out",
    "shown_reason",
    "shown_values",
]

MASK = "***"
"""What stands in place of a value that is in no file."""

_SHORTEST_TEXT = 6


def is_hidden(name: str, patterns: Sequence[str]) -> bool:
    """Say whether patterns leave out the value of a configuration's leaf.

    Example:
        >>> is_hidden("data.path", ["data.*"]), is_hidden("seed", ["data.*"])
        (True, False)
    """
    return not CaptureOptions(exclude=tuple(patterns)).keeps("param", name)


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
    return MASK if _is_hidden_value(name, patterns) else node


def hide_words(words: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """Return overrides with `***` in place of each value that is left out.

    Example:
        >>> hide_words(["+data.path=/home/me", "seed=1"], ["data.path"])
        ['+data.path=***', 'seed=1']
        >>> hide_words(["data={path:/home/me,size:3}", "data={size:3}"], ["data.path"])
        ['data=***', 'data={size:3}']
    """
    return [_hide_word(word, patterns) for word in words]


def _hide_word(word: str, patterns: Sequence[str]) -> str:
    key, equals, value = word.partition("=")
    name = key.lstrip("+~")
    is_hidden_value = equals and (
        _is_hidden_value(name, patterns)
        or ("{" in value and patterns and _holds_hidden(word, name, patterns))
    )
    return f"{key}={MASK}" if is_hidden_value else word


def _holds_hidden(word: str, name: str, patterns: Sequence[str]) -> bool:
    """Say whether a mapping that an override gives, or one of several, has a value left out."""
    try:
        given = parse_overrides([word])[0].value()
    except ConfigError:
        return True
    nodes = given.list if isinstance(given, ChoiceSweep) else [given]
    plain = [json.loads(json.dumps(node, default=str)) for node in nodes if isinstance(node, dict)]
    return any(hide_values(node, patterns, name) != node for node in plain)


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


def shown_values(config: DictConfig) -> dict[str, Any]:
    """Return a configuration as it may be written down: resolved, without secrets."""
    resolved = redact_value("", OmegaConf.to_container(config, resolve=True))
    shown = hide_values(resolved, left_out(config))
    return {str(key): value for key, value in shown.items()}


def _is_hidden_value(name: str, patterns: Sequence[str]) -> bool:
    return is_hidden(name, patterns) and not name.startswith("capture.")

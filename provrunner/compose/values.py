"""Write values as Hydra overrides, such that composing gives the same value and type again."""

from __future__ import annotations

import re
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException

__all__ = ["plain_value", "to_override", "to_text"]

_SPECIAL_IN_KEY = re.compile(r"([\\()\[\]{}:=, \t])")
_SURELY_PLAIN = re.compile(r"[A-Za-z_][\w./-]*")


def to_override(key: str, value: Any) -> str:
    """Write `key=value`.

    Example:
        >>> to_override("optimizer.lr", 1e-05), to_override("reason", "a, b")
        ('optimizer.lr=1e-05', "reason='a, b'")
    """
    return f"{key}={to_text(value)}"


def to_text(value: Any) -> str:
    """Write a value in the grammar of Hydra's overrides.

    Args:
        value: None, bool, int, float, str, or a list or dict of such.

    Raises:
        TypeError: the grammar has no way to write the value.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return value if _reads_back(value) else _quoted(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(map(to_text, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{_key(key)}:{to_text(item)}' for key, item in value.items())}}}"
    raise TypeError(f"no override can hold a {type(value).__name__}: {value!r}")


def plain_value(parsed: Any) -> Any:
    """Turn what Hydra's parser gives into plain Python values."""
    if isinstance(parsed, QuotedString):
        return parsed.text
    if isinstance(parsed, list):
        return [plain_value(item) for item in parsed]
    if isinstance(parsed, dict):
        return {plain_value(key): plain_value(item) for key, item in parsed.items()}
    return parsed


def _quoted(text: str) -> str:
    return QuotedString(text, Quote.single).with_quotes()


def _reads_back(text: str) -> bool:
    """Tell whether an unquoted text is read as that very string."""
    if not _SURELY_PLAIN.fullmatch(text):
        return False
    try:
        parsed = OverridesParser.create().parse_override(f"key={text}").value()
    except HydraException:
        return False
    return isinstance(parsed, str) and parsed == text


def _key(key: Any) -> str:
    return _SPECIAL_IN_KEY.sub(r"\\\1", key) if isinstance(key, str) else to_text(key)

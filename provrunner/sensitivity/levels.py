"""The levels of a hyperparameter, however a table spells them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from provrunner.ids import canonical_json

__all__ = ["level_key", "level_lookup", "match_level", "order_named"]


def level_key(value: object) -> str:
    """Name a level so that equal levels share a name and no others do.

    Numbers are equal by value (1 and 1.0), a number never equals a text or a truth value, and null
    is a level of its own.

    Example:
        >>> level_key(1) == level_key(1.0), level_key(1) == level_key(True), level_key(None)
        (True, False, 'null')
    """
    if type(value) is float:  # most values of a large table
        return f"number:{value!r}"
    match value:
        case None:
            return "null"
        case bool():
            return f"bool:{value}"
        case int() | float():
            return f"number:{float(value)!r}"
        case str():
            return f"text:{value}"
        case _:
            return f"json:{canonical_json(value)}"


def level_lookup(levels: Iterable[Any]) -> dict[str, Any]:
    """Map every spelling of the declared levels (itself, its text, its JSON) to the level."""
    levels = tuple(levels)
    lookup = {level_key(level): level for level in levels}
    for level in levels:
        lookup.setdefault(level_key(str(level)), level)
        lookup.setdefault(level_key(canonical_json(level)), level)
    return lookup


def match_level(value: object, lookup: Mapping[str, Any]) -> Any:
    """Return the declared level that a table's value stands for, or the value when there is none.

    Example:
        >>> match_level("1e-3", level_lookup([0.001, 0.01]))
        0.001
    """
    key = level_key(value)
    if key in lookup or not isinstance(value, str):
        return lookup.get(key, value)
    try:
        return lookup.get(level_key(json.loads(value)), value)
    except ValueError:
        return value


def order_named(seen: Mapping[str, Any], declared: Sequence[Any]) -> dict[str, Any]:
    """Return levels by name: declared ones in their order, then others by type and size.

    Args:
        seen: levels by the name that `level_key` gives them; to name each anew takes long.
        declared: levels, some of which were seen.

    Example:
        >>> list(order_named({level_key(level): level for level in (3, 1, 2)}, (2, 1)).values())
        [2, 1, 3]
    """
    known = {key: level for level in declared if (key := level_key(level)) in seen}
    others = sorted((item for item in seen.items() if item[0] not in known), key=_order)
    return {**known, **dict(others)}


def _order(item: tuple[str, Any]) -> tuple[str, float, str]:
    key, value = item
    number = float(value) if isinstance(value, int | float) else 0.0
    return key.partition(":")[0], number, key

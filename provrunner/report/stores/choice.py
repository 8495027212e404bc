"""One experiment of those in a store, and of its runs those that can be read."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml  # type: ignore[import-untyped]

from provrunner.errors import ConfigError, nearest
from provrunner.report.stores.store import StoredRun

__all__ = ["DAMAGE", "choose", "is_own", "read_mapping", "read_whole"]

_Item = TypeVar("_Item")

DAMAGE = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    csv.Error,
    sqlite3.Error,
    yaml.YAMLError,
)
"""What reading bytes that are not what a tool writes may raise."""

_MOST_VALUES = 100_000
"""In one file of settings; aliases can make billions of a few lines, or a value hold itself."""


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Reads what Lightning dumped without importing what it names."""

    def flatten_mapping(self, node: yaml.Node) -> None:
        """Carry out merges (`<<`), which can multiply as aliases do."""
        super().flatten_mapping(node)
        if len(node.value) > _MOST_VALUES:
            raise yaml.YAMLError(f"merges to over {_MOST_VALUES} values")


def _read_python(_loader: _Loader, _kind: str, node: yaml.Node) -> str:
    """Return a Python object as the text that stands for it."""
    if isinstance(node, yaml.ScalarNode):
        return str(node.value or node.tag.rpartition(":")[2])
    start, end = node.start_mark, node.end_mark
    return " ".join(start.buffer[start.index : end.index].split())


def _read_tuple(loader: _Loader, node: yaml.Node) -> list[Any]:
    return list(loader.construct_sequence(node, deep=True))


_Loader.add_constructor("tag:yaml.org,2002:python/tuple", _read_tuple)
_Loader.add_multi_constructor("tag:yaml.org,2002:python/", _read_python)


def choose(
    found: Sequence[tuple[str, Any]], wanted: str | None, what: str, path: Path
) -> tuple[str, Any]:
    """Return the experiment that is wanted, or the only one.

    Raises:
        ConfigError: there is none, several, or none of that name.
    """
    names = [name for name, _ in found]
    if not found:
        raise ConfigError(f"{path} holds no {what} with runs")
    if wanted is None and len(found) > 1:
        raise ConfigError(
            f"{path} holds several: {', '.join(names)}; name one as the experiment (--experiment)"
        )
    if wanted is not None and wanted not in names:
        known = nearest(wanted, names) or f"; there are {', '.join(names)}"
        raise ConfigError(f"{path} holds no {what} {wanted!r}{known}")
    return found[0] if wanted is None else found[names.index(wanted)]


def read_whole(
    items: Iterable[tuple[str, _Item]], read: Callable[[_Item], StoredRun], path: Path
) -> tuple[tuple[StoredRun, ...], tuple[str, ...]]:
    """Read runs one by one; return those that are whole, and of each other one which and why.

    Args:
        items: of each run what it is called and what `read` takes.
        read: reads one.
        path: of the store.

    Raises:
        ConfigError: none could be read.
    """
    runs, skipped = [], []
    for name, item in items:
        try:
            runs.append(read(item))
        except (ConfigError, *DAMAGE) as error:
            skipped.append(f"{name} is damaged and left out: {_reason(error)}")
    if skipped and not runs:
        raise ConfigError(f"{path}: none of its {len(skipped)} runs can be read; {skipped[0]}")
    return tuple(runs), tuple(skipped)


def is_own(file: Path, root: Path) -> bool:
    """Tell whether a path is a regular file of a store, no pipe and no link to one elsewhere."""
    return file.is_file() and file.resolve().is_relative_to(root.resolve())


def read_mapping(file: Path) -> dict[str, Any]:
    """Read a YAML file of values by name.

    Raises:
        ConfigError: it is something else.
    """
    try:
        found = yaml.load(file.read_text(encoding="utf-8"), _Loader) or {}  # noqa: S506 a safe one
    except yaml.YAMLError as error:
        raise ConfigError(f"{file} cannot be read: {str(error).splitlines()[0]}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{file} holds no settings by name")
    if not _is_of_fair_size(found):
        raise ConfigError(f"{file} holds itself, or over {_MOST_VALUES} values")
    return found


def _is_of_fair_size(found: Any) -> bool:
    ahead, count = [found], 0
    while ahead and count <= _MOST_VALUES:
        value = ahead.pop()
        count += 1
        if isinstance(value, dict):
            ahead.extend(value.values())
        elif isinstance(value, list):
            ahead.extend(value)
    return not ahead


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"there is no {error.args[0]!r}"
    return str(error).partition("\n")[0] or type(error).__name__

"""Finds the user's own modules that a run has loaded."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from provrunner.ids import digest
from provrunner.redaction import redact

__all__ = ["SourceFinder"]

_MOST_FILES = 500
_LARGEST_FILE = 1 << 20
_LIBRARIES = frozenset({"lightning", "pytorch_lightning", "torch", "builtins"})
_ELSEWHERE = ("site-packages", "dist-packages")


class SourceFinder:
    """Yields each of the user's modules once.

    These are the modules whose file lies below one of the given folders and in no folder of
    installed packages, and those that define the classes of the given objects, wherever they lie.

    Args:
        roots: folders of the user's code.
        text: whether the redacted text of each module is kept as well.
    """

    def __init__(self, roots: Iterable[Path], *, text: bool = False) -> None:
        self._roots = [root.resolve() for root in roots]
        self._prefixes = tuple(f"{root}/" for root in self._roots)
        self._text = text
        self._seen: set[str] = set()
        self._looked_at: set[str] = set()

    def find(self, objects: Iterable[object] = ()) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield name and data of a `source` event for each module not yielded before.

        At most 500 files of at most 1 MiB each are read in all.
        """
        for name, module in [*_defining(objects), *self._loaded()]:
            file = getattr(module, "__file__", None)
            if not file or file in self._seen or len(self._seen) >= _MOST_FILES:
                continue
            self._seen.add(file)
            if (data := self._read(Path(file))) is not None:
                yield name, data

    def _loaded(self) -> Iterator[tuple[str, ModuleType]]:
        # A copy: an import in another thread may add a module meanwhile.
        modules = sys.modules.copy()
        # Thousands are loaded before a run begins, few while it runs.
        new = modules.keys() - self._looked_at
        self._looked_at |= new
        for name in sorted(new):
            module = modules[name]
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and file.startswith(self._prefixes) and file.endswith(".py"):
                own = name.partition(".")[0] == "provrunner"
                if not own and not any(folder in file for folder in _ELSEWHERE):
                    yield name, module

    def _read(self, path: Path) -> dict[str, Any] | None:
        try:
            if path.stat().st_size > _LARGEST_FILE:
                return None
            content = path.read_bytes()
        except OSError:
            return None
        data: dict[str, Any] = {"sha256": digest(content), "path": self._relative(path)}
        if self._text:
            data["text"] = redact(content.decode("utf-8", "replace"))
        return data

    def _relative(self, path: Path) -> str:
        for root in self._roots:
            if path.is_relative_to(root):
                return path.relative_to(root).as_posix()
        return path.name


def _defining(objects: Iterable[object]) -> Iterator[tuple[str, ModuleType]]:
    for item in objects:
        for cls in type(item).__mro__:
            name = cls.__module__
            if name.partition(".")[0] not in _LIBRARIES and name in sys.modules:
                yield name, sys.modules[name]

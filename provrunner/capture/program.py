"""Records which code a program runs: its commit, and its own modules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from provrunner.capture.code import CodeReader
from provrunner.capture.options import CaptureOptions, RunContext
from provrunner.capture.sources import SourceFinder

__all__ = ["ProgramCode"]

# A little more than git itself is given.
_GIT_PATIENCE_S = 2.5


class ProgramCode:
    """Asks git in the background, and finds the user's modules as they are loaded.

    Args:
        options: how much is kept.
        context: where the code lies, or what a parent process found out.
        emit: is called with kind, subject and data of each event.
    """

    def __init__(
        self,
        options: CaptureOptions,
        context: RunContext,
        emit: Callable[[str, str, Mapping[str, Any]], None],
    ) -> None:
        root = context.code_root or Path.cwd()
        self._emit = emit
        self._reader: CodeReader | None = None
        self._sources: SourceFinder | None = None
        if options.keeps("code"):
            self._reader = CodeReader(root, patch=options.level != "light")
        if options.keeps("source"):
            self._sources = SourceFinder([root], text=options.level == "full")

    def look(self) -> None:
        """Write what git has answered, if it has."""
        if self._reader is not None and self._reader.poll() is not None:
            self.finish()

    def finish(self) -> None:
        """Write what git answers, waiting for it."""
        if self._reader is not None:
            code, self._reader = self._reader.wait(_GIT_PATIENCE_S), None
            self._emit("code", "", code)

    def find_sources(self, objects: Iterable[object] = ()) -> None:
        """Write each of the user's modules that was loaded since the last call."""
        if self._sources is not None:
            for name, data in self._sources.find(objects):
                self._emit("source", name, data)

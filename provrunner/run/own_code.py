"""Whether a name leads to what the user's own code defines, found without running any of it."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

__all__ = ["OwnCode"]

_HOPS = 8
"""How many times a name may be imported from elsewhere in the code before its definition."""


class OwnCode:
    """The code that lies in a folder, without what is installed there and what came with sweeps.

    Args:
        root: the folder.
        sweep: of a sweep that was handed over; nothing below it is the user's.
    """

    def __init__(self, root: Path, sweep: Path) -> None:
        self._root, self._sweep = root.resolve(), sweep.resolve()

    def defines(self, target: str) -> bool:
        """Say whether a dotted name is a class, a function or a class's own method of this code.

        Nothing is imported. A name that the code has assigned, or imported from elsewhere, leads
        out of it, as `my_model.os.system` does where `my_model` imports `os`.
        """
        return self._defines(target.split("."), _HOPS)

    def _defines(self, parts: Sequence[str], hops: int) -> bool:
        found = self._module(parts)
        if found is None or hops == 0:
            return False
        file, depth = found
        module, names = parts[:depth], parts[depth:]
        try:
            body = ast.parse(file.read_bytes()).body
        except (OSError, SyntaxError, ValueError):
            return False
        package = module if file.name == "__init__.py" else module[:-1]
        for node in _statements(body):
            if isinstance(node, ast.ImportFrom):
                source = _imported(node, names[0], package)
                if source and self._defines([*source, *names[1:]], hops - 1):
                    return True
            elif _is_definition(node, names):
                return True
        return False

    def _module(self, parts: Sequence[str]) -> tuple[Path, int] | None:
        """Find the file of the module that a name lies in, and how much of the name is its own.

        None where a module on the way is not of this code, or nothing of the name is left.
        """
        found: tuple[Path, int] | None = None
        spec = _top_module(parts[0])
        for depth in range(1, len(parts)):
            if spec is None:
                break
            if spec.origin is not None:  # a namespace has no code of its own
                file = Path(spec.origin)
                if not self._holds(file):
                    return None
                found = file, depth
            places = spec.submodule_search_locations
            # by its last part alone: for a whole name Python would import what it lies in
            spec = None if places is None else PathFinder.find_spec(parts[depth], list(places))
        return found

    def _holds(self, file: Path) -> bool:
        place = file.resolve()
        return (
            file.is_absolute()  # what is built in has a word such as `frozen` in place of a path
            and place.is_relative_to(self._root)
            and not place.is_relative_to(self._sweep)
            and "site-packages" not in place.parts
            and not any(map(_is_sweep, place.parents))
        )


def _top_module(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None


def _is_sweep(folder: Path) -> bool:
    return (folder / "plan.json").is_file() and (folder / "runs").is_dir()


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module, also those under a condition or in a `try`."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try):
            yield from _statements([*node.body, *node.orelse])
        if isinstance(node, ast.Try):
            yield from _statements([one for handler in node.handlers for one in handler.body])


def _imported(node: ast.ImportFrom, name: str, package: Sequence[str]) -> list[str] | None:
    """Return what a name stands for that `from ... import ...` brings; None where it does not."""
    for alias in node.names:
        if (alias.asname or alias.name) == name:
            # one dot is the package itself, each further one the package above
            base = package[: len(package) - node.level + 1] if node.level else ()
            return [*base, *(node.module.split(".") if node.module else ()), alias.name]
    return None


def _is_definition(node: ast.stmt, names: Sequence[str]) -> bool:
    if isinstance(node, ast.FunctionDef):
        return [node.name] == list(names)
    if not isinstance(node, ast.ClassDef) or node.name != names[0]:
        return False
    # what a class inherits may load files; what it holds may be a module
    return len(names) == 1 or (
        len(names) == 2
        and any(isinstance(own, ast.FunctionDef) and own.name == names[1] for own in node.body)
    )

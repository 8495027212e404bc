"""How some code differs from the code that a run ran."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from provrunner.capture.code import read_code
from provrunner.ids import file_digest
from provrunner.run.record import RunRecord

__all__ = ["code_differences", "module_differences"]

_SHOWN = 12


def code_differences(record: RunRecord, root: Path) -> tuple[str, ...]:
    """Return a sentence for each difference between a run's code and the code in a folder.

    Args:
        record: the run.
        root: the folder that it would be run in now.
    """
    return (*_commit_differences(record.code, read_code(root)), *module_differences(record, root))


def module_differences(record: RunRecord, root: Path) -> tuple[str, ...]:
    """Return a sentence for each module that the run loaded and that is not the same here."""
    found = []
    for name, (path, sha256) in record.sources.items():
        file = _find(name, path, root)
        if file is None:
            found.append(f"module {name} ({path}) is not here")
        elif file_digest(file) != sha256:
            found.append(f"module {name} ({path}) has other bytes than the run's {sha256[:_SHOWN]}")
    return tuple(found)


def _commit_differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    if not then.get("commit"):
        reason = then.get("reason") or "it was not captured"
        yield f"the run's commit is unknown: {reason}"
        return
    if then["commit"] != now["commit"]:
        here = now["commit"] or f"none ({now['reason']})"
        yield f"the run's commit is {then['commit'][:_SHOWN]}, the one here {here[:_SHOWN]}"
    elif then.get("patch_sha256") != now["patch_sha256"]:
        yield (
            f"the run had {_patch(then)}, the commit here ({then['commit'][:_SHOWN]}) {_patch(now)}"
        )


def _patch(code: Mapping[str, Any]) -> str:
    if code.get("patch_sha256"):
        return f"uncommitted changes {code['patch_sha256'][:_SHOWN]}"
    return "uncommitted changes that are not known" if code.get("dirty") else "none"


def _find(name: str, path: str, root: Path) -> Path | None:
    """Find a module's file: below the root as recorded, or where Python finds its package.

    Nothing is imported: what a package does when it is may wait until it is run.
    """
    if (root / path).is_file():
        return root / path
    package, *rest = name.split(".")
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin)
    if rest:
        inside = file.parent.joinpath(*rest)
        file = inside / "__init__.py" if inside.is_dir() else inside.with_name(f"{rest[-1]}.py")
    return file if file.is_file() else None

"""Follows every checkpoint that a trainer writes, loads or deletes."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from provrunner.capture.hashing import BackgroundHash
from provrunner.capture.wrapping import wrap_method
from provrunner.ids import file_digest, folder_digest

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

__all__ = ["CheckpointWatch"]

_LARGE_BYTES = 16 << 20
"""Hashing less takes a training loop some milliseconds; more is hashed beside it."""

Emit = Callable[[str, str, dict[str, Any]], None]
"""Is called with kind, subject and data of an event."""


class CheckpointWatch:
    """Looks at the files a strategy handles: all of Lightning's checkpoints pass through there.

    A large file is hashed in the background; its event follows with the time it was written.

    Args:
        folder: paths below it are written relative to it, others whole.
        emit: is called with kind, subject and data of each event.
        emit_later: gives a function like `emit` whose events belong to this moment; it is called in
            another thread.
        keeps: says by name whether a metric may be written.
        known: digests of what earlier attempts of the run left, by path below the folder.
    """

    def __init__(
        self,
        folder: Path,
        emit: Emit,
        *,
        emit_later: Callable[[], Emit] | None = None,
        keeps: Callable[[str], bool] | None = None,
        known: Mapping[str, str | None] = MappingProxyType({}),
    ) -> None:
        self._folder = folder.absolute()
        self._emit = emit
        self._emit_later = emit_later or (lambda: emit)
        self._keeps = keeps
        self._hashes: dict[str, BackgroundHash] = {}
        self._digests: dict[str, str | None] = dict(known)
        self._waiting: list[tuple[Path, dict[str, Any]]] = []
        self._strategy: object | None = None
        self._undo: list[Callable[[], None]] = []

    def attach(
        self, trainer: Trainer, guard: Callable[[Callable[..., None]], Callable[..., None]]
    ) -> None:
        """Follow a trainer's strategy; once a strategy, however often it is called.

        Args:
            trainer: whose checkpoints are followed.
            guard: makes a function that never raises.
        """
        if self._strategy is trainer.strategy:
            return
        self.detach()
        self._strategy = trainer.strategy

        def saved(_checkpoint: object, filepath: str | Path, *_: Any, **__: Any) -> None:
            self._saved(trainer, filepath)

        self._undo = [
            wrap_method(
                self._strategy, "save_checkpoint", before=guard(self._saving), after=guard(saved)
            ),
            wrap_method(self._strategy, "load_checkpoint", before=guard(self._loaded)),
            wrap_method(self._strategy, "remove_checkpoint", after=guard(self._removed)),
        ]

    def detach(self) -> None:
        """Leave the strategy as it was found."""
        for undo in self._undo:
            undo()
        self._undo = []
        self._strategy = None

    def record(self, path: Path, *, metric: str | None, value: float | None, role: str) -> None:
        """Record a file that the program wrote itself.

        Args:
            path: of the file, or of the folder of a sharded checkpoint.
            metric: what it was chosen by.
            value: of that metric.
            role: best, last, epoch or manual.
        """
        self._record(path, {"metric": metric, "value": value, "role": role})

    def settle(self) -> None:
        """Record the files that were still being hashed, or written when they were announced."""
        self._await_hashes()
        waiting, self._waiting = self._waiting, []
        for path, data in waiting:
            self._record(path, data)

    def _saving(self, _checkpoint: object, filepath: str | Path, *_: Any, **__: Any) -> None:
        # What is being hashed is about to be written over.
        self._await_hash(self._name(Path(os.fspath(filepath))))

    def _saved(self, trainer: Trainer, filepath: str | Path) -> None:
        if not trainer.is_global_zero:
            return
        path = Path(os.fspath(filepath))
        reason = _reason_of(trainer, path)
        if reason["metric"] and self._keeps is not None and not self._keeps(reason["metric"]):
            reason |= {"metric": None, "value": None}
        if _is_large(path):
            emit = self._emit_later()
            done = functools.partial(self._write, path, reason, emit)
            self._hashes[self._name(path)] = BackgroundHash(path, done)
        else:
            self._record(path, reason)

    def _record(self, path: Path, data: dict[str, Any]) -> None:
        self._write(path, data, self._emit, *_measure(path))

    def _write(
        self, path: Path, data: dict[str, Any], emit: Emit, sha256: str | None, size: int
    ) -> None:
        if sha256 is None:
            # Asynchronous writers return before the file is there, or whole.
            self._waiting.append((path, data))
            return
        name = self._name(path)
        self._digests[name] = sha256
        emit("checkpoint", name, {"sha256": sha256, "size_bytes": size, **data})

    def _await_hash(self, name: str) -> None:
        if name in self._hashes:
            self._hashes.pop(name).wait()

    def _await_hashes(self) -> None:
        for name in list(self._hashes):
            self._await_hash(name)

    def _loaded(self, checkpoint_path: str | Path, *_: Any, **__: Any) -> None:
        self._await_hashes()
        path = Path(os.fspath(checkpoint_path))
        sha256, _size = _measure(path)
        foreign = sha256 is None or sha256 not in self._digests.values()
        self._emit("checkpoint_loaded", self._name(path), {"sha256": sha256, "foreign": foreign})

    def _removed(self, filepath: str | Path) -> None:
        name = self._name(Path(os.fspath(filepath)))
        self._await_hash(name)
        if name in self._digests:
            self._emit("checkpoint_deleted", name, {"sha256": self._digests.pop(name)})

    def _name(self, path: Path) -> str:
        whole = path.absolute()
        for folder, candidate in ((self._folder, whole), (self._folder.resolve(), whole.resolve())):
            if candidate.is_relative_to(folder):
                return candidate.relative_to(folder).as_posix()
        return whole.as_posix()


def _reason_of(trainer: Trainer, path: Path) -> dict[str, Any]:
    """Say why a file was written, from what the checkpoint callbacks know of it."""
    for callback in trainer.checkpoint_callbacks:
        scores = {
            _same(key): value for key, value in getattr(callback, "best_k_models", {}).items()
        }
        monitor, key = getattr(callback, "monitor", None), _same(path)
        if key == _same(getattr(callback, "last_model_path", "")):
            return {"metric": monitor, "value": _number(scores.get(key)), "role": "last"}
        if key in scores:
            best = key == _same(getattr(callback, "best_model_path", ""))
            role = "best" if best else "epoch"
            return {"metric": monitor, "value": _number(scores[key]), "role": role}
        if key == _same(getattr(callback, "best_model_path", "")):
            return {"metric": None, "value": None, "role": "epoch"}
    return {"metric": None, "value": None, "role": "manual"}


def _same(path: str | Path) -> str:
    return os.path.normpath(Path(path).absolute()) if path else ""


def _number(score: Any) -> float | None:
    return None if score is None else float(score)


def _is_large(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.is_file() and path.stat().st_size >= _LARGE_BYTES
    return False


def _measure(path: Path) -> tuple[str | None, int]:
    """Return digest and size of a file, or of all files of a sharded checkpoint's folder."""
    with contextlib.suppress(OSError):
        if path.is_file():
            return file_digest(path), path.stat().st_size
        sizes = [file.stat().st_size for file in path.rglob("*") if file.is_file()]
        if sizes:
            return folder_digest(path), sum(sizes)
    return None, 0

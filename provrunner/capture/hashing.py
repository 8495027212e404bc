"""Hashes large files in the background, while the program goes on."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

__all__ = ["BackgroundHash"]

_BLOCK_BYTES = 1 << 20


class BackgroundHash:
    """Reads a file in a thread of its own and calls back with its digest.

    The file is opened at once, so it may be deleted or replaced meanwhile. Python's lock is free
    while a block is read or hashed.

    Args:
        path: of the file.
        done: is called in the thread with the SHA-256 in hex and the size in bytes; with None for
            the digest of a file that was written to meanwhile, or could not be read.

    Raises:
        OSError: the file cannot be opened.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "empty"
        >>> _ = path.write_bytes(b"")
        >>> BackgroundHash(path, lambda sha256, size: print(sha256[:8], size)).wait()
        e3b0c442 0
    """

    def __init__(self, path: Path, done: Callable[[str | None, int], None]) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._done = done
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="provrunner-hash", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Return once the digest was handed over; raise what that raised."""
        self._thread.join()
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _work(self) -> None:
        try:
            self._done(*self._read())
        except Exception as error:  # noqa: BLE001 - a thread's exception would reach nobody
            self._error = error

    def _read(self) -> tuple[str | None, int]:
        total = hashlib.sha256()
        try:
            before = os.fstat(self._descriptor)
            while block := os.read(self._descriptor, _BLOCK_BYTES):
                total.update(block)
            after = os.fstat(self._descriptor)
        except OSError:
            return None, 0
        finally:
            os.close(self._descriptor)
        same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        return total.hexdigest() if same else None, after.st_size

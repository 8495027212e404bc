"""A place that workers and the sweep reach alike, at any URL that fsspec knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from provrunner.errors import ConfigError
from provrunner.log.repeating import repeating

__all__ = ["Store", "sending"]

_OFTEN_S = 30.0
"""How often a run that is under way is sent, so that its worker's death loses no more."""


@dataclass(frozen=True, slots=True)
class Store:
    """Keeps bytes by name below a URL such as `s3://bucket/sweeps` or `file:///mnt/sweeps`.

    Attributes:
        url: where; the settings of its file system come from the environment, as fsspec reads them.
    """

    url: str

    def check(self) -> None:
        """Check that the URL can be used.

        Raises:
            ConfigError: it names no file system, or one whose package is not installed.
        """
        import fsspec

        try:
            fsspec.core.url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            raise ConfigError(f"hydra.launcher.store: {self.url}: {error}") from error

    def put(self, name: str, data: bytes) -> None:
        """Keep bytes in the place of those of before; a reader finds the ones or the others.

        Raises:
            OSError: they cannot be written.
        """
        import fsspec

        files, path = fsspec.core.url_to_fs(f"{self.url.rstrip('/')}/{name}")
        files.makedirs(files._parent(path), exist_ok=True)
        files.pipe_file(f"{path}.part", data)
        files.mv(f"{path}.part", path)

    def take(self, name: str) -> bytes | None:
        """Return what is kept and keep it no more; None where there is nothing.

        Raises:
            OSError: it cannot be read.
        """
        import fsspec

        files, path = fsspec.core.url_to_fs(f"{self.url.rstrip('/')}/{name}")
        files.invalidate_cache()
        try:
            data: bytes = files.cat_file(path)
        except FileNotFoundError:
            return None
        files.rm_file(path)
        return data

    def remove(self, name: str) -> None:
        """Keep no longer what is kept, if anything is.

        Raises:
            OSError: it cannot be removed.
        """
        import fsspec

        files, path = fsspec.core.url_to_fs(f"{self.url.rstrip('/')}/{name}")
        files.invalidate_cache()
        if files.exists(path):
            files.rm_file(path)


@contextmanager
def sending(send: Callable[[], None], *, often_s: float = _OFTEN_S) -> Iterator[None]:
    """Call a function now and then while the block runs; what it cannot do it does next time."""

    def attempt() -> None:
        with suppress(Exception):  # each file system has errors of its own
            send()

    with repeating(attempt, often_s, name="provrunner-sending"):
        yield

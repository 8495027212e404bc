"""A function called now and then, beside what goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["repeating"]


@contextmanager
def repeating(action: Callable[[], object], every_s: float, *, name: str) -> Iterator[None]:
    """Call a function in a thread until the block is left, and wait for its last call then.

    Args:
        action: is called again at once where it returns something true; it raises nothing.
        every_s: seconds before each other call.
        name: of the thread.
    """
    ended = threading.Event()

    def beat() -> None:
        again = False
        while not ended.wait(0 if again else every_s):
            again = bool(action())

    thread = threading.Thread(target=beat, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()

"""How one thread waits for another, where a signal handler may raise between any two steps.

`threading.Event` and `Condition` are written in Python: a handler that raises within them can leave
their lock held for good, and the next to ask for it waits for ever. What is here is made of calls
of C, which take place before what a handler raises, or after it, and never in part.
"""

from __future__ import annotations

import queue
import threading

__all__ = ["Bell", "Latch"]


class Bell:
    """Wakes the one thread that waits for it; rung often before it is heard, it wakes once.

    Example:
        >>> bell = Bell()
        >>> bell.ring()
        >>> bell.ring()
        >>> bell.wait(60.0), bell.wait(0.001)
        (True, False)
    """

    def __init__(self) -> None:
        self._rings: queue.SimpleQueue[None] = queue.SimpleQueue()

    def ring(self) -> None:
        """Wake who waits, or let the next wait end at once; a signal handler may call this."""
        if self._rings.empty():
            self._rings.put(None)

    def wait(self, timeout: float) -> bool:
        """Wait so many seconds at most; return whether it rang."""
        try:
            self._rings.get(timeout=timeout)
        except queue.Empty:
            return False
        while not self._rings.empty():
            self._rings.get_nowait()
        return True


class Latch:
    """Says once that something is done.

    Example:
        >>> latch = Latch()
        >>> latch.wait(0.001)
        False
        >>> latch.open()
        >>> latch.wait(60.0), latch.is_open
        (True, True)
    """

    def __init__(self) -> None:
        self.is_open = False
        self._closed = threading.Lock()
        self._closed.acquire()

    def open(self) -> None:
        """Let through who waits, and all who will; call it once."""
        self.is_open = True
        self._closed.release()

    def wait(self, timeout: float) -> bool:
        """Wait so many seconds at most for it to open; one thread at a time may wait."""
        if not self.is_open:
            self._closed.acquire(timeout=timeout)
        return self.is_open

"""Times in which the disk takes nothing, and the rows they cost."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

from provrunner.schema import Event

__all__ = ["Drops", "Outage", "gap_event"]

_LONGEST_PAUSE_S = 30.0


@dataclass(slots=True)
class Outage:
    """A time in which the disk took nothing."""

    reason: str
    began: float
    pause: float = 0.25
    next_try: float = 0.0

    def postpone(self) -> None:
        """Set the next try, after a pause twice as long as the last and of at most 30 s."""
        self.pause = min(2 * self.pause, _LONGEST_PAUSE_S)
        self.next_try = time.monotonic() + self.pause


@dataclass(slots=True)
class Drops:
    """Metric rows that found no room."""

    count: int = 0
    first_step: int | None = None
    last_step: int | None = None

    def add(self, count: int, step: int) -> None:
        """Count rows of one step."""
        self.count += count
        self.first_step = step if self.first_step is None else self.first_step
        self.last_step = step


def gap_event(drops: Drops, outage: Outage | None) -> Event | None:
    """Return the event that declares what was lost and why; None when nothing is to be said."""
    if outage is None and not drops.count:
        return None
    reason = "more than 16 MiB waited for the disk"
    if outage is not None:
        reason = f"{outage.reason}; {time.monotonic() - outage.began:.1f} s"
    return Event("gap", "metrics", {**asdict(drops), "reason": reason})

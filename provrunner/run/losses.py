"""Training losses, brought to where they can be looked at without holding up the training."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import torch

__all__ = ["Losses"]


@dataclass(slots=True)
class Losses:
    """Losses of the last batches, handed out some at a time.

    A GPU is not waited for: its losses are copied behind the work that it has been given, and are
    handed out at a later batch, once they have arrived.

    Attributes:
        size: how many are handed out together.
    """

    size: int
    _kept: list[torch.Tensor] = field(default_factory=list)
    _sent: deque[tuple[torch.Tensor, torch.cuda.Event | None]] = field(default_factory=deque)

    def add(self, loss: torch.Tensor) -> None:
        """Keep the loss of a batch, of one element."""
        self._kept.append(loss.detach().reshape(()))
        if len(self._kept) >= self.size:
            self._send()

    def arrived(self) -> list[list[float]]:
        """Return those that have arrived since the last call, as they were sent together."""
        found = []
        while self._sent and _has_arrived(self._sent[0][1]):
            found.append(self._sent.popleft()[0].tolist())
        return found

    def all(self) -> list[list[float]]:
        """Return all that are left, also those that have to be waited for."""
        if self._kept:
            self._send()
        for _, event in self._sent:
            if event is not None:
                event.synchronize()
        return self.arrived()

    def _send(self) -> None:
        losses = torch.stack([loss.float() for loss in self._kept])
        self._kept.clear()
        if losses.device.type != "cuda":
            self._sent.append((losses.cpu(), None))
            return
        here = torch.empty(losses.shape, pin_memory=True).copy_(losses, non_blocking=True)
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(losses.device))
        self._sent.append((here, event))


def _has_arrived(event: torch.cuda.Event | None) -> bool:
    return event is None or bool(event.query())  # type: ignore[no-untyped-call]

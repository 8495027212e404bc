"""Finds the values that the user logged since the last look, without waiting for a device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

__all__ = ["Logged", "MetricReader"]

_MOST_ELEMENTS = 10_000


@dataclass(frozen=True, slots=True)
class Logged:
    """What was logged: numbers by name, and by name the values that are no single number."""

    numbers: dict[str, float | torch.Tensor] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)


class MetricReader:
    """Reads Lightning's collection of logged results.

    A result keeps the value of its last `log` call, and a step that logs nothing leaves the old one
    there; each call makes a new tensor, so a value is new when it is another object than last time.

    Attributes:
        keeps: says by name whether a metric is wanted; asked once a name.
    """

    def __init__(self, keeps: Callable[[str], bool]) -> None:
        self.keeps = keeps
        self._names: dict[tuple[str, bool], str | None] = {}
        self._seen: dict[tuple[str, bool], object] = {}

    def read_step(self, results: Mapping[str, Any]) -> Logged:
        """Return the values logged with `on_step=True` since the last call."""
        logged = Logged()
        seen = self._seen
        for key, result in results.items():
            if not result.meta.on_step:
                continue
            value = result._forward_cache
            if value is not None and value is not seen.get((key, True)):
                seen[key, True] = value
                self._add(logged, (key, True), result, value)
        return logged

    def read_epoch(self, results: Mapping[str, Any]) -> Logged:
        """Return the values reduced over the epoch since the last call.

        Only what Lightning has computed already is read: computing it here could make ranks wait
        for each other.
        """
        logged = Logged()
        for key, result in results.items():
            value = result._computed
            if not result.meta.on_epoch or value is None or value is self._seen.get((key, False)):
                continue
            self._seen[key, False] = value
            self._add(logged, (key, False), result, value)
        return logged

    def _add(self, logged: Logged, key: tuple[str, bool], result: Any, value: Any) -> None:
        try:
            name = self._names[key]
        except KeyError:
            name = self._names[key] = self._wanted_name(result, on_step=key[1])
        if name is None or not isinstance(value, torch.Tensor):
            return
        if value.numel() != 1:
            logged.others[name] = value.flatten()[:_MOST_ELEMENTS].tolist()
        elif value.is_cpu:
            logged.numbers[name] = float(value.item())
        else:
            # A torchmetrics object may return its own state, which it changes in place later.
            logged.numbers[name] = value.detach() if result.is_tensor else value.detach().clone()

    def _wanted_name(self, result: Any, *, on_step: bool) -> str | None:
        meta = result.meta
        name: str = meta.forked_name(on_step)
        if meta.add_dataloader_idx and meta.dataloader_idx is not None:
            name += f"/dataloader_idx_{meta.dataloader_idx}"
        return name if self.keeps(name) else None

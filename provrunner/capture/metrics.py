"""Finds the values that the user logged since the last look, without waiting for a device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from provrunner.capture.recorder import shorten

__all__ = ["MetricReader"]

_MOST_ELEMENTS = 10_000

Logged = tuple[dict[str, float | torch.Tensor], dict[str, list[Any]]]
"""Numbers by name, and by name the values that are no single number."""


class MetricReader:
    """Reads Lightning's collections of logged results.

    A result keeps the value of its last `log` call, and a step that logs nothing leaves the old one
    there; each call makes a new tensor, so a value is new when it is another object than last time.

    Args:
        keeps: says by name whether a metric is wanted; asked once a name.
    """

    def __init__(self, keeps: Callable[[str], bool]) -> None:
        self._keeps = keeps
        self._step_seen: dict[str, object] = {}
        self._epoch_seen: dict[str, object] = {}
        self._step_names: dict[str, str | None] = {}
        self._epoch_names: dict[str, str | None] = {}

    def read_step(self, results: Mapping[str, Any]) -> Logged:
        """Return the values logged with `on_step=True` since the last call."""
        logged: Logged = ({}, {})
        seen, names = self._step_seen, self._step_names
        for key, result in results.items():
            value = result._forward_cache
            if value is None or value is seen.get(key) or not result.meta.on_step:
                continue
            seen[key] = value
            if key not in names:
                names[key] = self._wanted_name(result.meta, on_step=True)
            if (name := names[key]) is not None:
                _add(logged, name, value, result)
        return logged

    def read_epoch(self, results: Mapping[str, Any]) -> Logged:
        """Return the values reduced over the epoch since the last call.

        Only what Lightning has computed already is read: computing it here could make ranks wait
        for each other.
        """
        logged: Logged = ({}, {})
        seen, names = self._epoch_seen, self._epoch_names
        for key, result in results.items():
            value = result._computed
            if value is None or value is seen.get(key) or not result.meta.on_epoch:
                continue
            seen[key] = value
            if key not in names:
                names[key] = self._wanted_name(result.meta, on_step=False)
            if (name := names[key]) is not None:
                _add(logged, name, value, result)
        return logged

    def _wanted_name(self, meta: Any, *, on_step: bool) -> str | None:
        name: str = meta.forked_name(on_step)
        if meta.add_dataloader_idx and meta.dataloader_idx is not None:
            name += f"/dataloader_idx_{meta.dataloader_idx}"
        return shorten(name) if self._keeps(name) else None


def _add(logged: Logged, name: str, value: object, result: Any) -> None:
    if not isinstance(value, torch.Tensor):
        return
    numbers, others = logged
    if value.numel() != 1:
        others[name] = value.flatten()[:_MOST_ELEMENTS].tolist()
    elif value.is_cpu:
        numbers[name] = float(value.item())
    else:
        # A torchmetrics object may return its own state, which it changes in place later.
        numbers[name] = value.detach() if result.is_tensor else value.detach().clone()

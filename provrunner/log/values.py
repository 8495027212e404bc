"""Logged values sorted by what they are: numbers, tensors on a device, and everything else."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Values", "move_to_cpu", "sort_values"]

_ELEMENTS = 1000
_CHARACTERS = 10_000


@dataclass(frozen=True, slots=True)
class Values:
    """One step's values by kind, each in the order they were logged.

    Attributes:
        numbers: on the CPU already.
        tensors: one element each, on another device; reading one now would make training wait.
        others: plain JSON values of what is no number.
    """

    numbers: dict[str, float] = field(default_factory=dict)
    tensors: dict[str, Any] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)


def sort_values(values: Mapping[str, Any]) -> Values:
    """Sort one step's values by kind.

    Example:
        >>> sort_values({"loss": 1, "note": "warm"})
        Values(numbers={'loss': 1.0}, tensors={}, others={'note': 'warm'})
    """
    found = Values()
    for name, value in values.items():
        if _is_on_device(value) and _size(value) == 1:
            found.tensors[name] = value
            continue
        try:
            found.numbers[name] = _number(value)
        except (TypeError, ValueError, OverflowError, RuntimeError):
            found.others[name] = _plain(value)
    return found


def move_to_cpu(tensors: Sequence[Any]) -> list[float]:
    """Copy tensors of one element to the CPU, with one transfer for each device and type.

    The calling thread waits for the device; the one that trains does not.
    """
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for position, tensor in enumerate(tensors):
        groups[str(tensor.device), str(tensor.dtype)].append(position)
    torch = sys.modules.get("torch")
    numbers = [0.0] * len(tensors)
    for positions in groups.values():
        flat = [tensors[position].detach().reshape(()) for position in positions]
        moved = flat if torch is None else torch.stack(flat).to("cpu").tolist()
        for position, value in zip(positions, moved, strict=True):
            numbers[position] = float(value)
    return numbers


def _is_on_device(value: object) -> bool:
    device = getattr(value, "device", None)
    return getattr(device, "type", "cpu") != "cpu"


def _size(value: Any) -> int | None:
    count = getattr(value, "numel", None)
    return int(count()) if callable(count) else None


def _number(value: Any) -> float:
    if isinstance(value, str | bytes | bytearray):
        raise TypeError("a text is no number, even one of digits")
    item = getattr(value, "item", None)
    return float(item() if callable(item) else value)


def _plain(value: Any) -> Any:
    size = getattr(value, "size", None)
    size = _size(value) or (size if isinstance(size, int) else 0)
    if callable(getattr(value, "tolist", None)) and size <= _ELEMENTS:
        value = value.tolist()
    if value is None or isinstance(value, bool | int | float | str):
        return value if not isinstance(value, str) else value[:_CHARACTERS]
    if isinstance(value, list | tuple) and len(value) <= _ELEMENTS:
        return [_plain(part) for part in value]
    if isinstance(value, Mapping) and len(value) <= _ELEMENTS:
        return {str(key): _plain(part) for key, part in value.items()}
    return repr(value)[:_CHARACTERS]

"""Data as a program holds them without a data set: features, and perhaps targets."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["Arrays", "as_datasets"]


class Arrays:
    """Features and targets of the same samples.

    Attributes:
        data: one row a sample; None where it has no array form.
        targets: one value a sample, or None.
    """

    def __init__(self, data: Any, targets: Any = None) -> None:
        self.data = _array(data)
        self.targets = None if targets is None else _array(targets)
        self._size = len(data) if hasattr(data, "__len__") else data.shape[0]

    def __len__(self) -> int:
        return int(self._size)


def as_datasets(data: Any) -> dict[str, Any]:
    """Return by split what `DataDescriber` understands; without names the data are `train`.

    A pair is features and targets; a table (pandas, Polars) becomes its array.

    Example:
        >>> sorted(as_datasets({"train": ([[1.0]], [0]), "test": [[2.0]]}))
        ['test', 'train']
    """
    named = data if isinstance(data, dict) else {"train": data}
    return {str(split): _as_dataset(held) for split, held in named.items()}


def _as_dataset(held: Any) -> Any:
    # Fabric wraps a loader in one of its own kind.
    held = getattr(held, "_dataloader", held)
    if isinstance(held, tuple) and len(held) == 2:
        return Arrays(*held)
    if isinstance(held, list) or hasattr(held, "to_numpy") or isinstance(held, np.ndarray):
        return Arrays(held)
    return held


def _array(values: Any) -> Any:
    if hasattr(values, "to_numpy"):
        return np.asarray(values.to_numpy())
    return np.asarray(values) if isinstance(values, list) else values

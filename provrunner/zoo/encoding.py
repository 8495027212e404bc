"""Columns of a table as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from provrunner.errors import ConfigError

__all__ = ["Encoded", "encode_categories", "encode_numbers"]

_MOST_CATEGORIES = 200


@dataclass(frozen=True, slots=True)
class Encoded:
    """A column as numbers, and what was done to it.

    Attributes:
        values: (rows, columns made of it) float32.
        transform: name, params, n_in, n_out, changed; None where nothing was done.
    """

    values: NDArray[np.float32]
    transform: dict[str, Any] | None = None


def encode_numbers(name: str, values: NDArray[np.float64], train: NDArray[np.int64]) -> Encoded:
    """Fill gaps with the mean of the training rows.

    Raises:
        ConfigError: all training rows are gaps.

    Example:
        >>> encode_numbers("age", np.array([1.0, 3.0, np.nan]), np.array([0, 1])).values.ravel()
        array([1., 3., 2.], dtype=float32)
    """
    gaps = ~np.isfinite(values)
    if not gaps.any():
        return Encoded(values.astype(np.float32)[:, None])
    known = values[train][~gaps[train]]
    if not len(known):
        raise ConfigError(f"data.features: {name!r} has no number in the training rows")
    mean = float(known.mean())
    transform = {
        "name": "fill_gaps",
        "params": {"column": name, "mean": mean},
        "n_in": len(values),
        "n_out": len(values),
        "changed": int(gaps.sum()),
    }
    return Encoded(np.where(gaps, mean, values).astype(np.float32)[:, None], transform)


def encode_categories(name: str, values: Sequence[str | None], train: NDArray[np.int64]) -> Encoded:
    """Make a column of zeros and ones of each category that the training rows hold.

    A gap, or a category that the training rows lack, is zero in all of them.

    Raises:
        ConfigError: there are over 200 categories, as in a column of names or ids.

    Example:
        >>> encode_categories("sex", ["f", "m", None], np.array([0, 1])).values.tolist()
        [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    """
    categories = sorted({value for row in train if (value := values[row]) is not None})
    if len(categories) > _MOST_CATEGORIES:
        raise ConfigError(
            f"data.features: {name!r} has {len(categories)} categories, such as "
            f"{categories[0]!r}; at most {_MOST_CATEGORIES}; leave it out of the features"
        )
    numbers = {category: number for number, category in enumerate(categories)}
    encoded = np.zeros((len(values), len(categories)), np.float32)
    for row, value in enumerate(values):
        if value in numbers:
            encoded[row, numbers[value]] = 1.0
    transform = {
        "name": "one_hot",
        "params": {"column": name, "categories": categories},
        "n_in": len(values),
        "n_out": len(values),
        "changed": len(values),
    }
    return Encoded(encoded, transform)

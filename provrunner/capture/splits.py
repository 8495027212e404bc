"""What a split of a data set is, and what two of them share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from provrunner.capture.digests import ArrayContent

__all__ = ["Part", "class_counts", "shared_indices", "told_part"]

_MOST_CLASSES = 1000


@dataclass(frozen=True, slots=True)
class Part:
    """A split as it lies in its data set.

    Attributes:
        dataset: the subject of its data set.
        indices: which samples, in order; None for all or when unknown.
        content: the arrays of the data set, where they are known.
        labels: one a sample of the split, where they are known.
    """

    dataset: str
    size: int | None = None
    indices: np.ndarray | None = None
    content: ArrayContent | None = None
    labels: np.ndarray | None = None
    seed: int | None = None


def told_part(dataset: str, told: Mapping[str, Any]) -> Part:
    """Return a split as a data module's `provenance()` tells of it."""
    indices, labels = told.get("indices"), told.get("labels")
    positions = None if indices is None else np.asarray(indices)
    size = told.get("size", None if positions is None else len(positions))
    return Part(
        dataset=dataset,
        size=size,
        indices=positions,
        labels=None if labels is None else np.asarray(labels),
        seed=told.get("seed"),
    )


def class_counts(labels: np.ndarray | None) -> dict[str, int] | None:
    """Count the samples of each class; None when there are no labels, or too many classes."""
    if labels is None:
        return None
    values, counts = np.unique(labels, return_counts=True)
    if len(values) > _MOST_CLASSES:
        return None
    return {str(value): int(count) for value, count in zip(values, counts, strict=True)}


def shared_indices(part: Part, other: Part) -> int | None:
    """Count the samples of two splits of one data set that are the same; None when unknown."""
    if part.indices is None or other.indices is None:
        # A split without indices is the whole data set, when its content is known.
        whole, rest = (part, other) if part.indices is None else (other, part)
        return rest.size if whole.content is not None else None
    return len(np.intersect1d(part.indices, other.indices))

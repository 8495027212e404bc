"""An orthonormal basis, in which a component's variance is a sum of squares."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "confounded",
    "contrasts",
    "dummies",
    "group_means",
    "legendre",
    "products",
    "rank_correlation",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_TOLERANCE = 1e-9


def contrasts(levels: int) -> Floats:
    """Return orthonormal contrasts of a factor under the uniform measure over its levels.

    The scaled Helmert contrasts: column j sets level j+1 against the levels before it; columns have
    mean 0, mean square 1 and mean product 0. A function `contrasts(L) @ b` of the level has
    variance `sum(b**2)`, and which orthonormal basis is chosen changes no component.

    Returns:
        (levels, levels - 1) float64.

    Example:
        >>> contrasts(2).round(3).tolist()
        [[-1.0], [1.0]]
    """
    table = np.zeros((levels, levels - 1))
    for j in range(1, levels):
        table[:j, j - 1] = -1.0
        table[j, j - 1] = j
        table[:, j - 1] *= np.sqrt(levels / (j * (j + 1)))
    return table


def dummies(codes: Ints, levels: int) -> Floats:
    """Return one column a level: 1 in the rows that have it, else 0."""
    table = np.zeros((codes.size, levels))
    table[np.arange(codes.size), codes] = 1.0
    return table


def legendre(unit: Floats, degree: int) -> Floats:
    """Return Legendre polynomials of degrees 1 to `degree`, orthonormal under the uniform measure.

    Args:
        unit: (n,) positions in a range, 0 at its lower end and 1 at its upper one.
        degree: the highest; 0 gives no column.

    Returns:
        (n, degree) float64; over the unit interval columns have mean 0, mean square 1 and mean
        product 0.

    Example:
        >>> legendre(np.array([0.0, 0.5, 1.0]), 2).round(3).tolist()
        [[-1.732, 2.236], [0.0, -1.118], [1.732, 2.236]]
    """
    x = 2.0 * np.asarray(unit, dtype=np.float64) - 1.0
    table = np.polynomial.legendre.legvander(x, degree)[:, 1:]
    return np.asarray(table * np.sqrt(2.0 * np.arange(1, degree + 1) + 1.0))


def group_means(table: Floats, groups: Ints) -> Floats:
    """Return the mean of a table's rows by group, one row a group.

    Example:
        >>> group_means(np.array([[1.0], [3.0], [5.0]]), np.array([0, 0, 1])).tolist()
        [[2.0], [5.0]]
    """
    counts = np.bincount(groups)
    sums = [np.bincount(groups, column) for column in table.T]
    return (
        np.asarray(np.stack(sums, axis=1) / counts[:, None]) if sums else np.zeros((counts.size, 0))
    )


def products(blocks: Sequence[Floats]) -> Floats:
    """Return the columns of an interaction: every product of one column of each block.

    Example:
        >>> products([np.array([[1.0, 2.0]]), np.array([[3.0, 5.0]])]).tolist()
        [[3.0, 5.0, 6.0, 10.0]]
    """

    def times(left: Floats, right: Floats) -> Floats:
        return np.asarray((left[:, :, None] * right[:, None, :]).reshape(left.shape[0], -1))

    return reduce(times, blocks)


def confounded(blocks: Sequence[Floats]) -> NDArray[np.bool_]:
    """Find which blocks of columns the runs cannot tell apart.

    Looks at the projector onto the null space of all columns and the constant: two blocks are
    confounded where its entries for them are not zero, a block alone where its own are not. The
    projector is unique, so that neither the order of the blocks nor a pseudo-inverse decides.

    Returns:
        (blocks, blocks) bool, symmetric; the diagonal says whether a block is confounded at all.

    Example:
        >>> a, c = contrasts(2)[[0, 0, 1, 1]], contrasts(2)[[0, 1, 0, 1]]
        >>> confounded([a, -a, c]).tolist()
        [[True, True, False], [True, True, False], [False, False, False]]
    """
    design = np.hstack([np.ones((blocks[0].shape[0], 1)), *blocks])
    values, vectors = np.linalg.eigh(design.T @ design / design.shape[0])
    null = vectors[:, values < _TOLERANCE * values[-1]]
    projector = np.abs(null @ null.T)
    stops = np.cumsum([1, *(block.shape[1] for block in blocks)])
    spans = [slice(start, stop) for start, stop in pairwise(stops)]
    found = [[projector[i, j].max(initial=0.0) > 1e-6 for j in spans] for i in spans]
    return np.array(found, dtype=bool)


def rank_correlation(a: Floats, b: Floats) -> float | None:
    """Return Spearman's rank correlation; None with fewer than three values or all alike.

    Example:
        >>> rank_correlation(np.array([1.0, 2, 3]), np.array([1.0, 3, 2]))
        0.5
    """
    if a.size < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(values: Floats) -> Floats:
    """Return ranks, ties sharing their mean."""
    distinct, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    stops = np.cumsum(counts)
    means = stops - (counts - 1) / 2
    return np.asarray(means[codes.reshape(-1)][: values.size] if distinct.size else values)

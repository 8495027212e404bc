"""Whether later trials were placed in view of earlier results."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy

from provrunner.sensitivity.basis import Floats, rank_correlation
from provrunner.sensitivity.factors import Factor
from provrunner.sensitivity.study import Study
from provrunner.sensitivity.trials import Run

__all__ = ["adaptivity_p", "is_adaptive", "is_declared_adaptive"]

ADAPTIVE_P = 1e-3
"""Trials are called adaptive where so few exchangeable orders would follow the best as closely."""

_ADAPTIVE = frozenset(
    {"tpe", "gp", "bayes", "bayesian", "cmaes", "nsga2", "hyperband", "asha", "adaptive"}
)
_FIRST = 10
_LOOKS = 1000
_SORTED = 0.9


def is_declared_adaptive(study: Study) -> bool:
    """Tell whether a sweep says that its points depend on its results."""
    return study.design.lower() in _ADAPTIVE


def is_adaptive(runs: Sequence[Run], factors: Sequence[Factor], y: Floats) -> bool:
    """Tell by their order whether points depend on earlier results.

    Args:
        runs: ended, sorted by number.
        factors: of these runs.
        y: their objective, lower is better; infinite where a run failed.
    """
    rows = _first_of_each([run.key for run in runs])
    points = np.hstack([_coordinates(factor)[rows] for factor in factors])
    p = adaptivity_p(points, y[rows])
    return p is not None and p < ADAPTIVE_P


def adaptivity_p(points: Floats, y: Floats) -> float | None:
    """Return how surprising it is, for points chosen blindly, to lie so near to the best before.

    Each point's distance to the best of those before it is ranked among all points' distances to
    that best one. Blindly chosen points are exchangeable, so that the ranks average one half;
    points placed by a search come nearer. One-sided normal p of the average.

    Args:
        points: (n, coordinates) in the order of running.
        y: (n,) objective, lower is better.

    Returns:
        None where there are too few points, or where they come sorted along a coordinate.

    Example:
        >>> adaptivity_p(np.zeros((5, 1)), np.zeros(5)) is None
        True
    """
    n = y.size
    if n < 2 * _FIRST or _is_sorted(points):
        return None
    ranks = []
    for t in range(_FIRST, n, max(n // _LOOKS, 1)):
        best = int(np.argmin(y[:t]))
        distances = ((points - points[best]) ** 2).sum(axis=1)
        others = np.delete(distances, [best, t])
        own = distances[t]
        ranks.append(float(((others < own) + 0.5 * (others == own)).mean()))
    z = (0.5 - float(np.mean(ranks))) * math.sqrt(12 * len(ranks))
    return float(scipy.special.ndtr(-z))


def _first_of_each(keys: Sequence[tuple[str, ...]]) -> list[int]:
    seen: dict[tuple[str, ...], int] = {}
    for i, key in enumerate(keys):
        seen.setdefault(key, i)
    return list(seen.values())


def _coordinates(factor: Factor) -> Floats:
    if factor.axis is None:
        return factor.columns / math.sqrt(2 * factor.df)
    return np.nan_to_num(factor.axis.unit, nan=-1.0)[:, None]


def _is_sorted(points: Floats) -> bool:
    order = np.arange(points.shape[0], dtype=np.float64)
    return any(abs(rank_correlation(order, column) or 0.0) > _SORTED for column in points.T)

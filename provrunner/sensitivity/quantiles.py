"""Critical values of many comparisons at once, by numerical integration."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import scipy

from provrunner.sensitivity.basis import Floats

__all__ = ["dunnett_critical", "student_critical", "tukey_critical"]

_SCALE_NODES = 48
_NORMAL_NODES = 96
_NORMAL_REACH = 8.5


def student_critical(df: float, level: float = 0.95) -> float:
    """Return the two-sided critical value of Student's t."""
    return float(scipy.special.stdtrit(df, (1 + level) / 2))


@lru_cache(maxsize=512)
def tukey_critical(means: int, df: float, level: float = 0.95) -> float:
    """Return the critical value of the studentized range of `means` means (Tukey 1953).

    Integrates `k ∫ φ(z) (Φ(z) - Φ(z - q s))^(k-1) dz` over the distribution of `s`, the estimated
    standard deviation over the true one.

    Example:
        >>> round(tukey_critical(3, 10), 3)
        3.877
    """
    if means == 2:
        return float(np.sqrt(2)) * student_critical(df, level)
    z, weight = _normal_rule()

    def coverage(q: Floats) -> Floats:
        inside = scipy.special.ndtr(z) - scipy.special.ndtr(z - q[:, None])
        return np.asarray(means * (inside ** (means - 1)) @ weight)

    return _solve(coverage, df, level)


@lru_cache(maxsize=512)
def dunnett_critical(
    comparisons: int, df: float, correlation: float = 0.5, *, sides: int = 2, level: float = 0.95
) -> float:
    """Return the critical value of comparisons with one mean (Dunnett 1955).

    Integrates the multivariate t with equal correlation over its common normal part and its scale:
    `∫∫ φ(z) Φ((√r z + c s) / √(1-r))^k dz dG(s)`. A smaller correlation gives a larger value
    (Slepian 1962), so that the smallest pairwise correlation is safe where they differ.

    Args:
        comparisons: means that are compared with the one.
        correlation: of any two differences, 0 <= correlation < 1; 0.5 when all means are as
            precise.
        df: degrees of freedom of the estimated variance.
        sides: 1 or 2.
        level: confidence in all comparisons at once.

    Example:
        >>> round(dunnett_critical(2, 10, sides=1), 2), round(dunnett_critical(2, 10), 2)
        (2.15, 2.57)
    """
    if comparisons == 1:
        return student_critical(df, level if sides == 2 else 2 * level - 1)
    z, weight = _normal_rule()
    root, left = np.sqrt(correlation), np.sqrt(1 - correlation)

    def coverage(c: Floats) -> Floats:
        inside = scipy.special.ndtr((root * z + c[:, None]) / left)
        if sides == 2:
            inside = inside - scipy.special.ndtr((root * z - c[:, None]) / left)
        return np.asarray((inside**comparisons) @ weight)

    return _solve(coverage, df, level)


def _normal_rule() -> tuple[Floats, Floats]:
    x, w = _legendre(_NORMAL_NODES)
    z = _NORMAL_REACH * x
    return z, _NORMAL_REACH * w * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)


def _scale_rule(df: float) -> tuple[Floats, Floats]:
    """Nodes and weights for `sqrt(chi-squared / df)`, over all but 1e-11 of its distribution."""
    low, high = np.sqrt(scipy.special.chdtri(df, np.array([1 - 5e-12, 5e-12])) / df)
    x, w = _legendre(_SCALE_NODES)
    s = (high + low) / 2 + (high - low) / 2 * x
    log_density = (
        np.log(2) + df / 2 * np.log(df / 2) - scipy.special.gammaln(df / 2)
        + (df - 1) * np.log(s) - df * s**2 / 2
    )  # fmt: skip
    return s, (high - low) / 2 * w * np.exp(log_density)


@lru_cache(maxsize=4)
def _legendre(nodes: int) -> tuple[Floats, Floats]:
    x, w = np.polynomial.legendre.leggauss(nodes)
    return x, w


def _solve(coverage: Callable[[Floats], Floats], df: float, level: float) -> float:
    s, weight = _scale_rule(df)
    low, high = 0.0, 2.0
    while coverage(high * s) @ weight < level:
        low, high = high, 2 * high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if coverage(middle * s) @ weight < level else (low, middle)
    return float((low + high) / 2)

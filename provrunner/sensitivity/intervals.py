"""Confidence intervals for variances and for shares of variance."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import scipy

__all__ = [
    "Estimate",
    "chi2_interval",
    "noise_interval",
    "noncentrality_interval",
    "share_interval",
]

LEVEL = 0.95
_HUGE_F = 1e6
_STEPS = 200


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def scaled(self, factor: float) -> Estimate:
        """Return the estimate in another unit; `factor` is not negative."""
        return Estimate(self.value * factor, self.low * factor, self.high * factor)


def noncentrality_interval(f: float, df1: float, df2: float) -> tuple[float, float]:
    """Return the 95 % interval of the noncentrality that an F statistic came from.

    The ends solve `P(F' <= f) = 0.975` and `= 0.025` (Venables 1975; Steiger 2004); an end that no
    noncentrality reaches is 0, so that the lower end is above 0 just where `p < 0.025`. For the
    upper end an F below its median without effect counts as that median: an unusually small F is
    luck, and would otherwise give an interval of no width.

    Example:
        >>> [round(end, 3) for end in noncentrality_interval(3.0, 4, 20)]
        [0.0, 28.434]
    """
    tail = (1 - LEVEL) / 2
    usual = max(f, float(scipy.special.fdtri(df1, df2, 0.5)))
    return _noncentrality(f, df1, df2, 1 - tail), _noncentrality(usual, df1, df2, tail)


def chi2_interval(variance: float, df: float) -> Estimate:
    """Return a variance with its 95 % interval, `df * s2 / sigma2` being chi-squared.

    Example:
        >>> chi2_interval(1.0, 10).low.__round__(4), chi2_interval(1.0, 10).high.__round__(4)
        (0.4882, 3.0798)
    """
    tail = (1 - LEVEL) / 2
    low = variance * df / float(scipy.special.chdtri(df, tail))
    high = variance * df / float(scipy.special.chdtri(df, 1 - tail))
    return Estimate(variance, low, high)


def share_interval(part: Estimate, rest: Estimate) -> tuple[float, float]:
    """Return the 95 % interval of `part / (part + rest)`.

    Log-odds limits recovered from the limits of both variances (MOVER-R: Donner and Zou 2012, with
    logarithms). With an exact `rest` this is the noncentral-F interval with the rest plugged in.

    Args:
        part: a component's variance; its value may be negative, its ends may not.
        rest: all else in one run's variance, not negative.
    """
    if rest.value <= 0:
        return (0.0, 1.0) if part.value <= 0 else (1.0, 1.0)
    if part.value <= 0:
        return 0.0, _share(part.high, rest.low)
    odds = math.log(part.value / rest.value)
    below = math.hypot(_log_ratio(part.value, part.low), _log_ratio(rest.high, rest.value))
    above = math.hypot(_log_ratio(part.high, part.value), _log_ratio(rest.value, rest.low))
    return _logistic(odds - below), _logistic(odds + above)


def noise_interval(signal: Estimate, seed: Estimate, noise: Estimate) -> tuple[float, float]:
    """Return the 95 % interval of `noise / (signal + seed + noise)`.

    Without a seed component this is the exact noncentral-F interval of the test of all components
    together. With one, limits of the two are added (MOVER: Zou and Donner 2008) and then set
    against the chi-squared limits of the noise.

    Args:
        signal: sum of all other components' variances, with noncentral-F ends.
        seed: the common seeds' variance; all zeros when there is none.
        noise: the noise variance with its chi-squared ends.
    """
    if noise.value <= 0:
        return 0.0, 0.0
    if seed.high <= 0:
        return _share(noise.value, signal.high), _share(noise.value, signal.low)
    a, b = max(signal.value, 0.0), max(seed.value, 0.0)
    low = max(a + b - math.hypot(a - min(signal.low, a), b - min(seed.low, b)), 0.0)
    if signal.low <= 0 and seed.low <= 0:
        # neither is seen: adding limits would exclude that nothing but noise exists
        low = 0.0
    high = a + b + math.hypot(max(signal.high, a) - a, max(seed.high, b) - b)
    above, below = share_interval(Estimate(a + b, low, high), noise)
    return 1 - below, 1 - above


def _noncentrality(f: float, df1: float, df2: float, probability: float) -> float:
    if not f > 0 or float(scipy.special.fdtr(df1, df2, f)) <= probability:
        return 0.0
    if f > _HUGE_F:
        # F' / (1 + nc / df1) tends to df2 / chi-squared: its own numerator no longer varies
        return df1 * f * float(scipy.special.chdtri(df2, probability)) / df2
    low, high = 0.0, max(df1 * f, 1.0)
    while float(scipy.special.ncfdtr(df1, df2, high, f)) > probability:
        low, high = high, 2 * high
    return _bisect(lambda nc: float(scipy.special.ncfdtr(df1, df2, nc, f)) > probability, low, high)


def _bisect(is_below: Callable[[float], bool], low: float, high: float) -> float:
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if high - low <= 1e-13 * high:
            break
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return (low + high) / 2


def _share(part: float, rest: float) -> float:
    return part / (part + rest) if part > 0 else 0.0


def _log_ratio(larger: float, smaller: float) -> float:
    if larger <= smaller:
        return 0.0
    return math.log(larger / smaller) if smaller > 0 else math.inf


def _logistic(log_odds: float) -> float:
    if log_odds < -700:
        return 0.0
    return 1 / (1 + math.exp(-log_odds))

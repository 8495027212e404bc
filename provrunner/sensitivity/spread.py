"""Whether the noise differs between trials or levels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy

from provrunner.sensitivity.anova import Fit
from provrunner.sensitivity.basis import Floats, Ints, group_means
from provrunner.sensitivity.design import Design

__all__ = [
    "Spread",
    "bartlett_p",
    "brown_forsythe",
    "noise_by_level",
    "spread_of_residuals",
    "spread_within",
]

CAREFUL_P = 0.2
"""Tests allow for unequal variances where the smallest p, times the number of tests, is below."""

UNEQUAL_P = 0.05
"""Below this, variances are said to differ."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Whether the noise differs between levels.

    Attributes:
        p: smallest of the tests, times their number; None when it cannot be tested.
        factor: position of the factor whose levels differ most.
        level: position of its noisiest level.
    """

    p: float | None = None
    factor: int | None = None
    level: int | None = None

    @property
    def may_differ(self) -> bool:
        """Whether tests allow for noise that differs."""
        return self.p is not None and self.p < CAREFUL_P

    @property
    def is_unequal(self) -> bool:
        """Whether the noise is said to differ."""
        return self.p is not None and self.p < UNEQUAL_P


def spread_within(design: Design, within: Floats, y: Floats) -> Spread:
    """Test whether the noise differs, by two tests that miss different things.

    Brown and Forsythe's test of the factors' levels is robust, but misses a single noisy trial and
    has little power with two or three seeds; Bartlett's test sees both, and raises false alarms
    where noise has long tails. A false alarm costs power and a miss the level, so that either one
    counts: the smaller p, Bartlett's times the number of groupings it was made for. With common
    seeds Bartlett's is made before and after they are taken out, since taking out a seed's mean
    spreads one noisy trial over all.

    Args:
        design: with replicates.
        within: what the trials' means and the common seeds leave of the objective.
        y: the objective.
    """
    robust = brown_forsythe(design, within)
    own = np.bincount(design.cells) - 1.0
    kept = [(within, own * design.pure_df / max(own.sum(), 1.0))]
    if design.blocks is not None:
        kept.append((y - group_means(y[:, None], design.cells)[design.cells, 0], own))
    tests = [p for values, df in kept for p in _bartlett(design, values, df)]
    sharp = min(1.0, min(tests) * len(tests)) if tests else 1.0
    if robust.p is None:
        return Spread(sharp, *_noisiest(design, within)) if tests else robust
    if robust.p <= sharp:
        return robust
    return Spread(sharp, *_noisiest(design, within))


def brown_forsythe(design: Design, within: Floats) -> Spread:
    """Test whether the noise differs between the levels of any factor (Brown and Forsythe 1974).

    One-way analysis of variance of absolute deviations from the trial's median, over the levels of
    each factor in turn; the smallest p is multiplied by their number. The one deviation a trial
    that its median makes redundant is left out (Hines and O'Hara Hines 2000).
    """
    deviations, cells = _deviations(within, design.cells)
    first = np.unique(design.cells, return_index=True)[1]
    tests = []
    for i, factor in enumerate(design.factors):
        levels = factor.codes[first][cells]
        p = _one_way_p(deviations, levels)
        if p is not None:
            means = np.bincount(levels, deviations) / np.maximum(np.bincount(levels), 1)
            tests.append((p, i, int(np.argmax(means))))
    if not tests:
        return Spread()
    p, position, level = min(tests)
    return Spread(min(1.0, p * len(tests)), position, level)


def bartlett_p(squares: Floats, df: Floats) -> float | None:
    """Return Bartlett's (1937) p of equal variances, from sums of squares and their freedom.

    Returns:
        None with fewer than two groups that have squares.

    Example:
        >>> round(bartlett_p(np.array([2.0, 20.0]), np.array([4.0, 4.0])), 3)
        0.047
    """
    used = (df > 0.5) & (squares > 0)
    squares, df = squares[used], df[used]
    if df.size < 2:
        return None
    pooled = squares.sum() / df.sum()
    statistic = df.sum() * np.log(pooled) - df @ np.log(squares / df)
    correction = 1 + ((1 / df).sum() - 1 / df.sum()) / (3 * (df.size - 1))
    return float(scipy.special.chdtrc(df.size - 1, statistic / correction))


def spread_of_residuals(design: Design, fit: Fit) -> Spread:
    """Test whether a surface's residuals are larger in some places (Glejser 1969).

    Regression of their absolute values on each factor's first two columns in turn; the smallest p
    is multiplied by the number of factors.
    """
    size = np.abs(fit.residuals) / np.sqrt(np.maximum(1 - fit.leverage, 1e-6))
    tests = []
    for i, factor in enumerate(design.factors):
        table = factor.table if factor.axis is None else factor.table[:, :2]
        p = _regression_p(size, table)
        if p is not None:
            means = group_means(size[:, None], np.unique(factor.codes, return_inverse=True)[1])
            tests.append((p, i, int(np.unique(factor.codes)[np.argmax(means)])))
    if not tests:
        return Spread()
    p, position, level = min(tests)
    level = min(level, len(design.factors[position].levels) - 1)
    return Spread(min(1.0, p * len(tests)), position, level)


def noise_by_level(design: Design, within: Floats, position: int) -> Floats:
    """Return the standard deviation between runs of one trial at each level; NaN without any.

    Args:
        design: with replicates.
        within: what the trials' means and the common seeds leave of the objective.
        position: of the factor.
    """
    codes, levels = design.factors[position].codes, len(design.factors[position].levels)
    first = np.unique(design.cells, return_index=True)[1]
    own = (np.bincount(design.cells) - 1.0) * design.pure_df / (design.n_runs - design.n_cells)
    df = np.bincount(codes[first], own, minlength=levels)[:levels]
    squares = np.bincount(codes, within**2, minlength=levels)[:levels]
    return np.asarray(np.sqrt(np.where(df > 0, squares / np.where(df > 0, df, 1), np.nan)))


def _bartlett(design: Design, values: Floats, df: Floats) -> Iterator[float]:
    by_trial = np.bincount(design.cells, values**2)
    first = np.unique(design.cells, return_index=True)[1]
    groupings = [np.arange(by_trial.size), *(factor.codes[first] for factor in design.factors)]
    for groups in groupings[: 1 if len(design.factors) == 1 else None]:
        squares, freedom = (np.bincount(groups, values) for values in (by_trial, df))
        p = bartlett_p(np.asarray(squares, float), np.asarray(freedom, float))
        if p is not None:
            yield p


def _noisiest(design: Design, within: Floats) -> tuple[int, int]:
    """Return the factor and level at which the noise is largest against the factor's mean."""
    found = []
    for i, factor in enumerate(design.factors):
        counts = np.maximum(np.bincount(factor.codes), 1)
        means = np.bincount(factor.codes, within**2) / counts
        found.append((float(means.max() / max(means.mean(), 1e-300)), -i, int(np.argmax(means))))
    _, position, level = max(found)
    return -position, min(level, len(design.factors[-position].levels) - 1)


def _deviations(within: Floats, cells: Ints) -> tuple[Floats, Ints]:
    order = np.argsort(cells, kind="stable")
    stops = np.cumsum(np.bincount(cells))
    kept, members = [np.zeros(0)], [np.zeros(0, dtype=np.intp)]
    for cell, values in enumerate(np.split(within[order], stops[:-1])):
        if values.size > 1:
            distances = np.sort(np.abs(values - np.median(values)))[1:]
            kept.append(distances)
            members.append(np.full(distances.size, cell, dtype=np.intp))
    return np.concatenate(kept), np.concatenate(members)


def _one_way_p(values: Floats, groups: Ints) -> float | None:
    counts = np.bincount(groups)
    used = counts > 0
    df1, df2 = int(used.sum()) - 1, values.size - int(used.sum())
    if df1 < 1 or df2 < 2:
        return None
    means = np.bincount(groups, values) / np.maximum(counts, 1)
    within = float(((values - means[groups]) ** 2).sum())
    between = float(counts @ (means - values.mean()) ** 2)
    if within <= 0:
        return None
    return float(scipy.special.fdtrc(df1, df2, between / df1 / (within / df2)))


def _regression_p(values: Floats, table: Floats) -> float | None:
    q, _ = np.linalg.qr(table - table.mean(axis=0))
    centred = values - values.mean()
    explained = float(((q.T @ centred) ** 2).sum())
    df1, df2 = q.shape[1], values.size - q.shape[1] - 1
    left = float(centred @ centred) - explained
    if df1 < 1 or df2 < 2 or left <= 0:
        return None
    return float(scipy.special.fdtrc(df1, df2, explained / df1 / (left / df2)))

"""The variance between runs of one trial, and what stands in for it where there is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from provrunner.sensitivity.anova import ErrorTerm, Fit
from provrunner.sensitivity.basis import Floats, Ints, dummies
from provrunner.sensitivity.design import MIN_DF, Design

__all__ = ["Noise", "Spread", "brown_forsythe", "find_noise", "welch"]

POOLING_P = 0.25
"""Lack of fit is pooled with the noise where its own p is above this (Bancroft 1964)."""

UNEQUAL_P = 0.2
"""Variances are called unequal where Brown and Forsythe's p is below this."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Whether the noise differs between levels.

    Attributes:
        p: Brown and Forsythe's, times the number of groupings tried; None when it cannot be tested.
        factor: position of the factor whose levels differ most.
        level: position of its noisiest level.
    """

    p: float | None = None
    factor: int | None = None
    level: int | None = None

    @property
    def is_unequal(self) -> bool:
        """Whether the noise is taken to differ."""
        return self.p is not None and self.p < UNEQUAL_P


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """The noise, and the error term of the tests.

    Attributes:
        variance: between runs of one trial; None when there are no replicates to tell it.
        df: its degrees of freedom.
        left_variance: of what the components leave between trials; None when they leave nothing.
        left_df: its degrees of freedom.
        left_f: mean square of what is left over that of the noise; None without replicates.
        left_p: its p.
        error: what effects are tested against.
        spread: whether the noise differs between levels.
    """

    variance: float | None
    df: int
    left_variance: float | None
    left_df: int
    left_f: float | None
    left_p: float | None
    error: ErrorTerm
    spread: Spread


def find_noise(design: Design, fit: Fit, y: Floats) -> Noise:
    """Split what the components leave into noise and lack of fit, and choose the error term.

    Without replicates the residual is both at once and is never called noise. With replicates and a
    model that leaves differences between trials, effects are tested against those differences when
    they exceed the noise (`p < 0.25`), else against both pooled: trials, not runs, are the unit.
    """
    if not design.is_replicated:
        variance = fit.rss / fit.df
        error = ErrorTerm(variance, fit.df)
        return Noise(None, 0, variance, fit.df, None, None, error, Spread())
    within = within_residuals(design, y)
    squares = float(within @ within)
    squares = squares if squares > fit.floor else 0.0
    variance = squares / design.pure_df
    spread = brown_forsythe(design, within)
    left_df = fit.df - design.pure_df
    if left_df <= 0:
        error = _robust(design, fit, ErrorTerm(variance, design.pure_df), spread)
        return Noise(variance, design.pure_df, None, 0, None, None, error, spread)
    left = max(fit.rss - squares, 0.0)
    f = left / left_df / variance if variance > 0 else (np.inf if left > fit.floor else 0.0)
    p = float(special.fdtrc(left_df, design.pure_df, f)) if np.isfinite(f) else 0.0
    if p < POOLING_P and left_df >= MIN_DF:
        error = ErrorTerm(left / left_df, left_df)
    else:
        error = _robust(design, fit, ErrorTerm(fit.rss / fit.df, fit.df), spread)
    left_variance = (left - left_df * variance) / design.n_runs
    return Noise(variance, design.pure_df, left_variance, left_df, float(f), p, error, spread)


def within_residuals(design: Design, y: Floats) -> Floats:
    """Return what is left of an objective after its trial's mean and its common seed.

    Example:
        >>> from provrunner.sensitivity.design import build_design
        >>> within_residuals(build_design([], None, n_runs=2), np.array([1.0, 3.0])).tolist()
        [-1.0, 1.0]
    """
    columns = [y[:, None]]
    if design.blocks is not None:
        columns.append(dummies(design.blocks, design.n_blocks)[:, 1:])
    table = np.hstack(columns)
    members = dummies(design.cells, design.n_cells)
    table = table - members @ ((members.T @ table) / members.sum(axis=0)[:, None])
    left, seeds = table[:, 0], table[:, 1:]
    if seeds.shape[1] == 0:
        return np.asarray(left)
    return np.asarray(left - seeds @ np.linalg.lstsq(seeds, left, rcond=None)[0])


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
    p, factor_position, level = min(tests)
    return Spread(min(1.0, p * len(tests)), factor_position, level)


def welch(y: Floats, groups: Ints) -> tuple[float, float, float] | None:
    """Test equal means under unequal variances (Welch 1951).

    Returns:
        F, its second degrees of freedom and p; None when a group has no variance to tell.

    Example:
        >>> y, groups = np.array([1.0, 2, 3, 4, 6, 8]), np.array([0, 0, 0, 1, 1, 1])
        >>> [round(x, 4) for x in welch(y, groups)]
        [9.6, 2.9412, 0.0548]
    """
    n = np.bincount(groups)
    means = np.bincount(groups, y) / n
    squares = np.bincount(groups, (y - means[groups]) ** 2)
    if n.min() < 2 or squares.min() <= rounding(y):
        return None
    k = n.size
    weight = n * (n - 1) / squares
    share = weight / weight.sum()
    mean = float(share @ means)
    slack = float(((1 - share) ** 2 / (n - 1)).sum()) / (k**2 - 1)
    f = float(weight @ (means - mean) ** 2) / (k - 1) / (1 + 2 * (k - 2) * slack)
    df = 1 / (3 * slack)
    return f, df, float(special.fdtrc(k - 1, df, f))


def rounding(y: Floats) -> float:
    """Return the square that rounding alone may leave of one value."""
    return float((1e-14 * np.abs(y).max()) ** 2)


def _robust(design: Design, fit: Fit, error: ErrorTerm, spread: Spread) -> ErrorTerm:
    """Give each run its own variance by HC3; one that the model fits exactly keeps the common."""
    if not spread.is_unequal:
        return error
    single = (np.bincount(design.cells) == 1)[design.cells] | (fit.leverage > 1 - 1e-8)
    weights = (fit.residuals / np.where(single, 1.0, 1 - fit.leverage)) ** 2
    weights = np.where(single, error.variance, weights)
    return ErrorTerm(error.variance, error.df, weights, design.cells)


def _deviations(within: Floats, cells: Ints) -> tuple[Floats, Ints]:
    kept, members = [], []
    for cell in range(int(cells.max()) + 1):
        values = within[cells == cell]
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
    return float(special.fdtrc(df1, df2, between / df1 / (within / df2)))

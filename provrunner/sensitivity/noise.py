"""The variance between runs of one trial, and what stands in for it where there is none."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy

from provrunner.sensitivity.anova import ErrorTerm, Fit, press_residuals
from provrunner.sensitivity.basis import Floats, Ints, dummies, group_means
from provrunner.sensitivity.design import MIN_DF, Design
from provrunner.sensitivity.spread import Spread, spread_of_residuals, spread_within

__all__ = ["Noise", "find_noise", "welch", "within_residuals"]

SEARCH_COST = 4
"""Degrees of freedom that choosing a column costs beside its own."""

POOLING_P = 0.25
"""Lack of fit is pooled with the noise where its own p is above this (Bancroft 1964)."""


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
        within: what the trials' means and the common seeds leave; None without replicates.
    """

    variance: float | None
    df: int
    left_variance: float | None
    left_df: int
    left_f: float | None
    left_p: float | None
    error: ErrorTerm
    spread: Spread
    within: Floats | None = None


def find_noise(design: Design, fit: Fit, y: Floats) -> Noise:
    """Split what the components leave into noise and lack of fit, and choose the error term.

    Without replicates the residual is both at once and is never called noise. With replicates and a
    model that leaves differences between trials, effects are tested against those differences when
    they exceed the noise (`p < 0.25`), else against both pooled: trials, not runs, are the unit.
    """
    if not design.is_replicated:
        variance = fit.rss / fit.df
        spread = spread_of_residuals(design, fit)
        error = _robust_surface(design, fit, ErrorTerm(variance, fit.df), spread)
        error = _searched(error, design)
        return Noise(None, 0, variance, fit.df, None, None, error, spread)
    within = within_residuals(design, y)
    squares = float(within @ within)
    squares = squares if squares > fit.floor else 0.0
    variance = squares / design.pure_df
    spread = spread_within(design, within, y)
    left_df = fit.df - design.pure_df
    if left_df <= 0:
        error = _robust(design, fit, ErrorTerm(variance, design.pure_df), spread)
        return Noise(variance, design.pure_df, None, 0, None, None, error, spread, within)
    left = max(fit.rss - squares, 0.0)
    f = left / left_df / variance if variance > 0 else (np.inf if left > fit.floor else 0.0)
    p = float(scipy.special.fdtrc(left_df, design.pure_df, f)) if np.isfinite(f) else 0.0
    if p < POOLING_P and left_df >= MIN_DF:
        error = _searched(ErrorTerm(left / left_df, left_df), design)
    else:
        error = _robust(design, fit, ErrorTerm(fit.rss / fit.df, fit.df), spread)
        error = _searched(error, design)
    left_variance = (left - left_df * variance) / design.n_runs
    return Noise(
        variance, design.pure_df, left_variance, left_df, float(f), p, error, spread, within
    )


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
    table = table - group_means(table, design.cells)[design.cells]
    left, seeds = table[:, 0], table[:, 1:]
    if seeds.shape[1] == 0:
        return np.asarray(left)
    return np.asarray(left - seeds @ np.linalg.lstsq(seeds, left, rcond=None)[0])


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
    return f, df, float(scipy.special.fdtrc(k - 1, df, f))


def rounding(y: Floats) -> float:
    """Return the square that rounding alone may leave of one value."""
    return float((1e-14 * np.abs(y).max()) ** 2)


def _searched(error: ErrorTerm, design: Design) -> ErrorTerm:
    """Allow for columns that may have been chosen only because they leave small residuals.

    Each costs further degrees of freedom (Friedman 1991, section 3.6), in the variance that tests
    and intervals use and in its own, of which an eighth is left at least. The cost was set by
    simulation: below four, 27 null runs of six hyperparameters give false positives.
    """
    if design.searched == 0:
        return error
    df = max(error.df - SEARCH_COST * design.searched, error.df / 8, 1.0)
    return replace(error, df=int(df), inflation=error.df / int(df))


def _robust(design: Design, fit: Fit, error: ErrorTerm, spread: Spread) -> ErrorTerm:
    """Give each run its own variance by HC3; one that the model fits exactly keeps the common.

    HC3 (MacKinnon and White 1985) leans to the safe side with few seeds, where HC2, which is a
    trial's own unbiased variance, finds too much once one trial is noisy. Degrees of freedom of
    sums of these are Satterthwaite's (1946).
    """
    if not spread.may_differ:
        return error
    counts = np.bincount(design.cells)
    own = np.bincount(design.cells, 1 - fit.leverage)
    is_fitted = (counts == 1) | (own < 1e-6)
    single = is_fitted[design.cells] | (fit.leverage > 1 - 1e-8)
    weights = (fit.residuals / np.where(single, 1.0, 1 - fit.leverage)) ** 2
    weights = np.where(single, error.variance, weights)
    freedom = np.where(is_fitted, error.df, own)
    return ErrorTerm(error.variance, error.df, weights, design.cells, freedom)


def _robust_surface(design: Design, fit: Fit, error: ErrorTerm, spread: Spread) -> ErrorTerm:
    """Give each run of an unreplicated surface its own variance by HC3.

    One residual has one degree of freedom; its fourth power overestimates its variance's square
    three times, which the degrees of freedom allow for.
    """
    if not spread.may_differ:
        return error
    weights = press_residuals(fit.residuals, fit.leverage) ** 2
    freedom = np.full(design.n_cells, 3.0)
    return ErrorTerm(error.variance, error.df, weights, design.cells, freedom)

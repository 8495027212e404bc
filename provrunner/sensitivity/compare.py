"""The marginal curve of a factor, with what it says of each level against the best one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from provrunner.sensitivity.anova import ErrorTerm, Fit, covariance
from provrunner.sensitivity.basis import Floats
from provrunner.sensitivity.design import Design
from provrunner.sensitivity.factors import Factor
from provrunner.sensitivity.intervals import Estimate
from provrunner.sensitivity.quantiles import dunnett_critical, student_critical, tukey_critical

__all__ = ["Curve", "curve_from", "curve_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Mean objective by level, uniform over the levels of all other factors; lower is better.

    Attributes:
        means: (levels,).
        half_widths: of each mean's own 95 % interval, given the seeds used; None without an error
            term.
        effect: largest minus smallest mean, with Tukey's simultaneous interval.
        best: position of the smallest mean.
        as_good: levels in Hsu's 95 % confidence set of the best.
        gain: mean at the default minus the smallest mean, with Dunnett's interval; None when the
            default is unknown or was not run.
    """

    means: Floats
    half_widths: Floats | None
    effect: Estimate | None
    best: int
    as_good: tuple[bool, ...]
    gain: Estimate | None


def curve_of(design: Design, fit: Fit, error: ErrorTerm | None, position: int) -> Curve:
    """Return the marginal curve of one factor of a fitted model.

    Args:
        design: of the analysed runs.
        fit: of the objective.
        error: what differences are judged by; None makes a curve of means only.
        position: of the factor in the design.
    """
    factor = design.factors[position]
    span = fit.spans[(position,)]
    rows = factor.at_levels[:, : factor.df] @ fit.rows(span)
    rows[:, 0] = 1.0
    means = rows @ fit.coefficients
    if error is None:
        return _means_only(means)
    table, _ = covariance(fit, error, rows)
    df = covariance(fit, error, fit.rows(span))[1]
    rank = factor.df if factor.axis is not None else None
    return curve_from(means, table, df, factor, rank=rank)


def curve_from(
    means: Floats, table: Floats, df: float, factor: Factor, *, rank: int | None = None
) -> Curve:
    """Return a marginal curve from its means and their covariance.

    Args:
        means: (levels,).
        table: (levels, levels).
        df: degrees of freedom of the covariance.
        factor: whose curve it is.
        rank: coefficients that the means are made of; None is one fewer than means.
    """
    best = int(np.argmin(means))
    half_widths = student_critical(df) * np.sqrt(np.maximum(table.diagonal(), 0.0))
    gain = None
    if factor.default is not None and means.size > 1:
        gain = gain_over(means, table, df, factor.default, rank=rank)
    as_good = confidence_set(means, table, df, rank=rank)
    effect = effect_range(means, table, df, rank=rank)
    return Curve(means, half_widths, effect, best, as_good, gain)


def _means_only(means: Floats) -> Curve:
    best = int(np.argmin(means))
    return Curve(means, None, None, best, tuple(means == means[best]), None)


def effect_range(means: Floats, table: Floats, df: float, *, rank: int | None = None) -> Estimate:
    """Return the largest difference of two means with a 95 % interval.

    All true differences lie within Tukey and Kramer's limits at once, and so does the largest. So
    they do within Scheffé's (1953), which are closer for many means of few coefficients.

    Args:
        means: (levels,).
        table: covariance of the means.
        df: its degrees of freedom.
        rank: coefficients that the means are made of; None is one fewer than means.

    Example:
        >>> e = effect_range(np.array([0.0, 1.0]), np.eye(2) / 8, 10.0)
        >>> round(e.value, 3), round(e.low, 3), round(e.high, 3)
        (1.0, 0.0, 2.114)
    """
    differences = np.abs(means[:, None] - means)
    critical = min(tukey_critical(means.size, df) / np.sqrt(2), _scheffe(means, df, rank))
    width = critical * standard_errors(table)
    low = max(float((differences - width).max()), 0.0)
    return Estimate(float(differences.max()), low, float((differences + width).max()))


def confidence_set(
    means: Floats, table: Floats, df: float, *, rank: int | None = None
) -> tuple[bool, ...]:
    """Tell which levels may be the best one, with 95 % confidence (Hsu 1984).

    A level is out where another one's mean is lower by more than Dunnett's one-sided limit. That
    the best mean was picked among several is allowed for.

    Example:
        >>> confidence_set(np.array([0.0, 0.5, 3.0]), np.eye(3) / 4, 20.0)
        (True, True, False)
    """
    errors = standard_errors(table)
    inside = []
    for i in range(means.size):
        critical = min(_dunnett(table, i, df, sides=1), _scheffe(means, df, rank))
        inside.append(
            bool((means[i] - means <= critical * errors[i] + 1e-15 * abs(means[i])).all())
        )
    return tuple(inside)


def gain_over(
    means: Floats, table: Floats, df: float, default: int, *, rank: int | None = None
) -> Estimate:
    """Return what the default loses against the best level, with a 95 % interval.

    Dunnett's two-sided limits with the default as control hold for all levels at once, so that the
    best may be picked afterwards.
    """
    losses = means[default] - means
    others = np.arange(means.size) != default
    critical = min(_dunnett(table, default, df, sides=2), _scheffe(means, df, rank))
    width = (critical * standard_errors(table)[default])[others]
    low = max(float((losses[others] - width).max()), 0.0)
    high = max(float((losses[others] + width).max()), 0.0)
    return Estimate(float(losses.max()), low, high)


def standard_errors(table: Floats) -> Floats:
    """Return the standard error of every difference of two means from their covariance."""
    diagonal = table.diagonal()
    return np.sqrt(np.maximum(diagonal[:, None] + diagonal - 2 * table, 0.0))


def _scheffe(means: Floats, df: float, rank: int | None) -> float:
    """Return Scheffé's critical value for all contrasts of means of so many coefficients."""
    size = means.size - 1 if rank is None else rank
    return float(np.sqrt(size * scipy.special.fdtri(size, df, 0.95)))


def _dunnett(table: Floats, control: int, df: float, *, sides: int) -> float:
    """Return the critical value against one mean, for the smallest correlation."""
    count = table.shape[0] - 1
    if count < 2:
        return dunnett_critical(count, df, 0.0, sides=sides)
    contrast = np.delete(np.eye(count + 1), control, axis=0)
    contrast[:, control] = -1.0
    joint = contrast @ table @ contrast.T
    scale = np.sqrt(joint.diagonal())
    if scale.min() <= 0:
        return dunnett_critical(count, df, sides=sides)
    smallest = float((joint / np.outer(scale, scale)).min())
    return dunnett_critical(count, df, round(min(max(smallest, 0.0), 0.95), 6), sides=sides)

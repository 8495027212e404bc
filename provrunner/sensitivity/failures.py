"""What makes runs fail: rates by value, and tests that also stand perfect separation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy

from provrunner.sensitivity.anova import holm
from provrunner.sensitivity.axes import place_on_axis
from provrunner.sensitivity.basis import Floats, Ints, contrasts
from provrunner.sensitivity.factors import Factor, build_factors
from provrunner.sensitivity.sample import Sample
from provrunner.sensitivity.trials import Run, is_failure, is_usable

__all__ = ["FailureModel", "FailureTest", "Rate", "failure_model", "firth_log_likelihood", "wilson"]

LEAST = 5
"""Failures and successes that a test needs."""

_BINS = 5
_CURVE_POINTS = 41
_STEPS = 200


@dataclass(frozen=True, slots=True)
class Rate:
    """Runs that failed at a level, or between two values of a range.

    Attributes:
        level: the level; None for a range, of which start and stop are the ends.
        rate: of failures among the runs; low and high are Wilson's 95 % interval.
    """

    level: Any
    start: float | None
    stop: float | None
    runs: int
    failed: int
    rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class FailureTest:
    """Whether one hyperparameter changes how often runs fail.

    Attributes:
        p: of the penalised likelihood-ratio test; None with too few failures or successes.
        p_holm: the same, for all hyperparameters tested.
        curve: values of a number and the chance of failing there, by a logistic regression on it
            alone, of second degree at most; empty where it is no number or there is no test.
    """

    name: str
    rates: tuple[Rate, ...]
    df: int
    statistic: float | None = None
    p: float | None = None
    p_holm: float | None = None
    curve: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class FailureModel:
    """Failures and successes, and what each hyperparameter has to do with them.

    Attributes:
        is_joint: whether each is tested beside the others; else alone, since there are too few
            failures or successes for a model of all.
    """

    failures: int
    successes: int
    is_joint: bool
    tests: tuple[FailureTest, ...]


def failure_model(sample: Sample) -> FailureModel | None:
    """Return how failures depend on the hyperparameters; None where no run failed.

    Logistic regression penalised by Jeffreys' prior (Firth 1993), whose estimates stay finite where
    a value always fails, with its likelihood-ratio test (Heinze and Schemper 2002). Pruned and
    unfinished runs count neither way.
    """
    ended = [run for run in sample.runs if is_failure(run) or is_usable(run)]
    failed = np.array([is_failure(run) for run in ended], dtype=np.float64)
    failures, successes = int(failed.sum()), int((1 - failed).sum())
    if failures == 0:
        return None
    drawn = {name for f in sample.design.factors if f.axis is not None for name in f.parameters}
    parts = [
        _part(factor, ended, failed, sample, is_drawn=factor.name in drawn)
        for factor in build_factors(ended, sample.study.parameters)
        if factor.df > 0
    ]
    tables = [table for table, _ in parts]
    size = sum(table.shape[1] for table in tables)
    fewest = min(failures, successes)
    is_joint = 2 * size <= fewest and _is_full_rank(tables)
    tests = [FailureTest(name, rates, table.shape[1]) for table, (name, rates) in parts]
    if fewest >= LEAST and tests:
        tests = _tested(tests, tables, failed, is_joint=is_joint)
        tests = [replace(test, curve=_curve(test.name, ended, failed, sample)) for test in tests]
    return FailureModel(failures, successes, is_joint and fewest >= LEAST, tuple(tests))


def firth_log_likelihood(table: Floats, outcome: Floats, free: Ints) -> float:
    """Return the largest log likelihood of a logistic model, penalised by half log det I.

    Args:
        table: (n, p) columns, the constant among them.
        outcome: (n,) 0 or 1.
        free: positions of the coefficients that are fitted; the others are 0, though they stay in
            the penalty, as a likelihood-ratio test of them wants it.

    Example:
        >>> table = np.ones((4, 1))
        >>> round(firth_log_likelihood(table, np.array([0.0, 0, 1, 1]), np.array([0])), 4)
        -2.7726
    """
    return _firth(table, outcome, free)[1]


def wilson(failed: int, runs: int) -> tuple[float, float]:
    """Return Wilson's (1927) 95 % interval of a rate.

    Example:
        >>> [round(end, 3) for end in wilson(0, 10)]
        [0.0, 0.278]
    """
    z = float(scipy.special.ndtri(0.975))
    rate = failed / runs
    scale = 1 + z**2 / runs
    middle = (rate + z**2 / (2 * runs)) / scale
    width = z / scale * math.sqrt(rate * (1 - rate) / runs + z**2 / (4 * runs**2))
    return max(middle - width, 0.0), min(middle + width, 1.0)


def _part(
    factor: Factor, runs: Sequence[Run], failed: Floats, sample: Sample, *, is_drawn: bool
) -> tuple[Floats, tuple[str, tuple[Rate, ...]]]:
    """Return a factor's columns, and its name with its rates."""
    parameter = next(p for p in sample.study.parameters if p.name == factor.name)
    values = [run.values[factor.name] for run in runs]
    placed = place_on_axis(values, parameter, []) if is_drawn else None
    if placed is None:
        return contrasts(len(factor.levels))[factor.codes], (factor.name, _rates(factor, failed))
    unit = placed.axis.unit
    edges = np.linspace(0, 1, _BINS + 1)
    bins = np.minimum(np.searchsorted(edges, np.nan_to_num(unit), side="right") - 1, _BINS - 1)
    ends = [float(placed.axis.span.value(edge)) for edge in edges]
    rates = [
        _rate(failed[(bins == i) & ~np.isnan(unit)], None, ends[i], ends[i + 1])
        for i in range(_BINS)
    ]
    if np.isnan(unit).any():
        rates.insert(0, _rate(failed[np.isnan(unit)], None, None, None))
    table = placed.axis.table[:, : 2 + int(placed.axis.has_indicator)]
    return table, (factor.name, tuple(rate for rate in rates if rate.runs))


def _rates(factor: Factor, failed: Floats) -> tuple[Rate, ...]:
    pairs = enumerate(factor.levels)
    return tuple(_rate(failed[factor.codes == i], level, None, None) for i, level in pairs)


def _rate(failed: Floats, level: Any, start: float | None, stop: float | None) -> Rate:
    runs, count = failed.size, int(failed.sum())
    low, high = wilson(count, runs) if runs else (0.0, 1.0)
    return Rate(level, start, stop, runs, count, count / runs if runs else 0.0, low, high)


def _tested(
    tests: Sequence[FailureTest], tables: Sequence[Floats], failed: Floats, *, is_joint: bool
) -> list[FailureTest]:
    one = np.ones((failed.size, 1))
    statistics = []
    for i, own in enumerate(tables):
        others = [table for j, table in enumerate(tables) if j != i] if is_joint else []
        table = np.hstack([one, *others, own])
        every = np.arange(table.shape[1])
        fitted = firth_log_likelihood(table, failed, every)
        without = firth_log_likelihood(table, failed, every[: -own.shape[1]])
        statistics.append(max(2 * (fitted - without), 0.0))
    p_values = [
        float(scipy.special.chdtrc(test.df, value))
        for test, value in zip(tests, statistics, strict=True)
    ]
    rows = zip(tests, statistics, p_values, holm(p_values), strict=True)
    return [replace(test, statistic=value, p=p, p_holm=p_holm) for test, value, p, p_holm in rows]


def _curve(
    name: str, runs: Sequence[Run], failed: Floats, sample: Sample
) -> tuple[tuple[float, float], ...]:
    parameter = next(p for p in sample.study.parameters if p.name == name)
    placed = place_on_axis([run.values[name] for run in runs], parameter, [])
    if placed is None or np.isnan(placed.axis.unit).any() or placed.axis.most < 2:
        return ()
    axis, one = placed.axis, np.ones((failed.size, 1))
    beta, _ = _firth(np.hstack([one, axis.table[:, :2]]), failed, np.arange(3))
    values = sorted({float(axis.span.value(unit)) for unit in np.linspace(0, 1, _CURVE_POINTS)})
    columns = axis.columns_at(axis.span.unit(np.array(values)))[:, :2]
    chance = scipy.special.expit(beta[0] + columns @ beta[1:])
    return tuple(zip(values, chance.tolist(), strict=True))


def _is_full_rank(tables: Sequence[Floats]) -> bool:
    if not tables:
        return False
    table = np.hstack([np.ones((tables[0].shape[0], 1)), *tables])
    return bool(np.linalg.matrix_rank(table, tol=1e-8) == table.shape[1])


def _firth(table: Floats, outcome: Floats, free: Ints) -> tuple[Floats, float]:
    """Return the coefficients of the largest penalised likelihood, and its logarithm."""
    beta = np.zeros(table.shape[1])
    value = _penalised(table, outcome, beta)
    for _ in range(_STEPS):
        chance = scipy.special.expit(table @ beta)
        weights = chance * (1 - chance)
        root = np.sqrt(weights)[:, None] * table
        q, _ = np.linalg.qr(root)
        leverage = (q**2).sum(axis=1)
        score = table.T @ (outcome - chance + leverage * (0.5 - chance))
        information = root[:, free].T @ root[:, free]
        step = np.zeros(beta.size)
        step[free] = np.linalg.lstsq(information, score[free], rcond=None)[0]
        size = float(np.abs(step).max(initial=0.0))
        if size < 1e-9:
            break
        beta, value = _climb(table, outcome, beta, step * min(1.0, 5.0 / size), value)
    return beta, value


def _climb(
    table: Floats, outcome: Floats, beta: Floats, step: Floats, value: float
) -> tuple[Floats, float]:
    """Take the step, halved until the likelihood does not fall."""
    for _ in range(30):
        reached = _penalised(table, outcome, beta + step)
        if reached >= value - 1e-12:
            return beta + step, reached
        step = step / 2
    return beta, value


def _penalised(table: Floats, outcome: Floats, beta: Floats) -> float:
    chance = scipy.special.expit(table @ beta)
    likelihood = float(
        (scipy.special.xlogy(outcome, chance) + scipy.special.xlog1py(1 - outcome, -chance)).sum()
    )
    weights = np.maximum(chance * (1 - chance), 1e-300)
    information = (table * weights[:, None]).T @ table
    sign, log_determinant = np.linalg.slogdet(information)
    return likelihood + 0.5 * float(log_determinant) if sign > 0 else -math.inf

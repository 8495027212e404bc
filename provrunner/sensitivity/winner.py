"""The best run, with whether its trial beats the runner-up beyond seed noise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from provrunner.sensitivity.basis import Floats
from provrunner.sensitivity.noise import Noise
from provrunner.sensitivity.quantiles import student_critical
from provrunner.sensitivity.trials import Run, Trial

__all__ = ["Winner", "find_winner"]

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Winner:
    """The best run and its trial against the best other trial.

    Attributes:
        runner_up: the best run of the trial with the best mean among all others.
        difference: mean advantage of the best run's trial over the runner-up's; positive is better.
        low: end of its 95 % interval; None when the noise is unknown.
        better: None when the noise is unknown.
        is_best_on_average: whether no other trial has a better mean.
    """

    run: Run
    trial: Trial
    runner_up: Run | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    better: bool | None
    is_best_on_average: bool


def find_winner(
    trials: Sequence[Trial], noise: Noise | None, sign: float, *, common_seeds: bool
) -> Winner | None:
    """Find the best run, and compare its trial's mean with the best other trial's.

    A best run's own value is biased by having been picked, so that means of trials are compared,
    over the seeds that both have where there are some (paired), with the noise of the whole sweep,
    or with the two trials' own (paired t, or Welch's) where the noise differs between levels.
    Comparing the best with the second best by one two-sided t test at 5 % needs no correction for
    the number of trials (Gutmann and Maymin 1987; Hung and Fithian 2019).

    Args:
        trials: with their usable runs; trials without any are passed over.
        noise: of the sweep; None when it is unknown.
        sign: 1 where lower is better, -1 where higher is.
        common_seeds: whether the noise is what the trials' common seeds leave.
    """
    ranked = sorted((t for t in trials if t.runs), key=lambda t: (_mean(t, sign), t.runs[0].number))
    if not ranked:
        return None
    runs = [(_value(run, sign), run.number, i) for i, t in enumerate(ranked) for run in t.runs]
    _, number, position = min(runs)
    trial = ranked[position]
    run = next(run for run in trial.runs if run.number == number)
    others = [t for t in ranked if t is not trial]
    if not others:
        return Winner(run, trial, None, None, None, None, None, None, True)
    rival = others[0]
    runner_up = min(rival.runs, key=lambda r: (_value(r, sign), r.number))
    is_best = _mean(trial, sign) <= _mean(rival, sign)
    pairs = _paired(trial, rival, sign) if common_seeds else np.array([])
    difference, error, df = _advantage(trial, rival, pairs, noise, sign)
    if error is None or df is None:
        return Winner(run, trial, runner_up, difference, None, None, None, None, is_best)
    width = student_critical(df) * error
    t = difference / error if error > 0 else np.copysign(np.inf, difference)
    p = float(2 * scipy.special.stdtr(df, -abs(t))) if np.isfinite(t) else float(difference == 0)
    better = p < ALPHA and difference > 0
    low, high = difference - width, difference + width
    return Winner(run, trial, runner_up, difference, low, high, p, better, is_best)


def _advantage(
    trial: Trial, rival: Trial, pairs: Floats, noise: Noise | None, sign: float
) -> tuple[float, float | None, float | None]:
    """Return the mean difference, its standard error and its degrees of freedom."""
    own, theirs = _values(trial, sign), _values(rival, sign)
    difference = float(pairs.mean()) if pairs.size else float(theirs.mean() - own.mean())
    if noise is None or noise.variance is None:
        return difference, None, None
    unequal = noise.spread.is_unequal
    if pairs.size:
        if unequal and pairs.size > 1:
            return difference, float(pairs.std(ddof=1) / np.sqrt(pairs.size)), pairs.size - 1
        return difference, float(np.sqrt(2 * noise.variance / pairs.size)), noise.df
    if unequal and min(own.size, theirs.size) > 1:
        parts = np.array([own.var(ddof=1) / own.size, theirs.var(ddof=1) / theirs.size])
        spread = float((parts**2 / np.array([own.size - 1, theirs.size - 1])).sum())
        df = float(parts.sum()) ** 2 / spread if spread > 0 else float(noise.df)
        return difference, float(np.sqrt(parts.sum())), df
    error = np.sqrt(noise.variance * (1 / own.size + 1 / theirs.size))
    return difference, float(error), noise.df


def _paired(trial: Trial, rival: Trial, sign: float) -> Floats:
    mine, theirs = _by_seed(trial, sign), _by_seed(rival, sign)
    return np.array([theirs[seed] - mine[seed] for seed in mine if seed in theirs])


def _by_seed(trial: Trial, sign: float) -> dict[int, float]:
    values: dict[int, list[float]] = defaultdict(list)
    for run in trial.runs:
        if run.seed is not None:
            values[run.seed].append(_value(run, sign))
    return {seed: sum(found) / len(found) for seed, found in values.items()}


def _values(trial: Trial, sign: float) -> Floats:
    return np.array([_value(run, sign) for run in trial.runs])


def _value(run: Run, sign: float) -> float:
    return sign * (run.objective if run.objective is not None else np.nan)


def _mean(trial: Trial, sign: float) -> float:
    return sign * (trial.mean if trial.mean is not None else np.nan)

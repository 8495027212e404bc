"""How many more runs would tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import scipy

from provrunner.sensitivity.anova import Fit
from provrunner.sensitivity.components import ALPHA
from provrunner.sensitivity.design import MIN_DF, MIN_RUNS, Design

__all__ = ["POWER", "Need", "power_of_test", "runs_for_effect", "runs_for_noise"]

POWER = 0.8
_MOST_REPLICATES = 1000


@dataclass(frozen=True, slots=True)
class Need:
    """More runs that would help: the same trials with further seeds.

    Attributes:
        more_runs: 0 when the runs at hand suffice.
        replicates: seeds a trial with them.
    """

    more_runs: int
    replicates: int


def power_of_test(df1: float, df2: float, noncentrality: float, alpha: float) -> float:
    """Return the chance that an F test finds an effect.

    Example:
        >>> round(power_of_test(1, 18, 7.5, 0.05), 3)
        0.736
    """
    critical = float(scipy.special.fdtri(df1, df2, 1 - alpha))
    return 1.0 - float(scipy.special.ncfdtr(df1, df2, noncentrality, critical))


def runs_for_effect(design: Design, fit: Fit, position: int) -> Need | None:
    """Return the runs that find an effect of one sigma; None beyond 1000 seeds a trial.

    They find it with a chance of 0.8.

    The effect is the hardest one of its size: two levels half a sigma above and below, all others
    between (Cohen 1988, pattern of minimum variability), `V = sigma^2 / 2L` over L levels, so that
    the noncentrality of N runs is `N e / 2L`, e being the design's precision for this factor
    against a balanced grid's (1). It is tested at 0.05 over the number of tests, Holm's first
    step. Runs are added a seed for every trial at a time; a lost run counts as one still to be
    made.
    """
    levels = len(design.factors[position].levels)
    inverse = fit.inverse[fit.spans[(position,)], fit.spans[(position,)]]
    efficiency = (levels - 1) / float(inverse.trace()) / design.n_runs
    alpha = ALPHA / len(design.terms)

    def is_enough(replicates: int) -> bool:
        n = design.n_cells * replicates
        df = _residual_df(design, replicates)
        noncentrality = n * efficiency / (2 * levels)
        return df >= MIN_DF and power_of_test(levels - 1, df, noncentrality, alpha) >= POWER

    return _need(design, is_enough)


def runs_for_noise(design: Design) -> Need | None:
    """Return the runs that make the noise estimable, and a sweep conclusive; None for one trial."""
    if design.n_cells < 2:
        return None

    def is_enough(replicates: int) -> bool:
        n = design.n_cells * replicates
        shared = replicates - 1 if design.blocks is not None else 0
        return n >= MIN_RUNS and n - design.n_cells - shared >= MIN_DF

    return _need(design, is_enough)


def _residual_df(design: Design, replicates: int) -> int:
    model = design.n_runs - design.residual_df - max(design.n_blocks - 1, 0)
    shared = replicates - 1 if design.blocks is not None else 0
    return design.n_cells * replicates - model - shared


def _need(design: Design, is_enough: Callable[[int], bool]) -> Need | None:
    low, high = 0, 1
    while not is_enough(high):
        low, high = high, 2 * high
        if high > _MOST_REPLICATES:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return Need(max(design.n_cells * high - design.n_runs, 0), high)

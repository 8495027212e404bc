"""How many more runs would make the largest share known to a tenth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from provrunner.sensitivity.analysis import Analysis
from provrunner.sensitivity.components import Component, is_seed_unseen
from provrunner.sensitivity.intervals import Estimate, noncentrality_interval, share_interval

__all__ = ["HALF_WIDTH", "Precision", "runs_for_share"]

HALF_WIDTH = 0.1
_MOST_TIMES = 4096


@dataclass(frozen=True, slots=True)
class Precision:
    """Runs that narrow a component's share to plus or minus a tenth.

    Attributes:
        component: the one whose interval is widest.
        half_width: half the width of its interval now.
        more_runs: 0 when it is narrow enough; None beyond 4096 times the runs at hand.
    """

    component: Component
    half_width: float
    more_runs: int | None


def runs_for_share(analysis: Analysis) -> Precision | None:
    """Return the runs that would make the least known share of a component known to a tenth.

    The noncentral-F interval is computed for the same shares in a larger sweep of the same design,
    whose F and residual degrees of freedom grow with the runs. Common seeds that matter are known
    from their own number alone: with them it is seeds that are added, one for every trial.
    """
    parts = [part for part in analysis.components if part.term and part.share is not None]
    if not parts:
        return None
    widest = max(parts, key=lambda part: (_half(part), -len(part.term)))
    if _half(widest) <= HALF_WIDTH:
        return Precision(widest, _half(widest), 0)
    n, seeds = analysis.design.n_runs, analysis.design.n_blocks
    start, unit = (seeds, n / seeds) if seeds else (n, 1.0)
    low, high = start, start * _MOST_TIMES
    if _expected_half(analysis, widest, high * unit) > HALF_WIDTH:
        return Precision(widest, _half(widest), None)
    while high - low > 1:
        middle = (low + high) // 2
        is_enough = _expected_half(analysis, widest, middle * unit) <= HALF_WIDTH
        low, high = (low, middle) if is_enough else (middle, high)
    return Precision(widest, _half(widest), round(high * unit) - n)


def _half(part: Component) -> float:
    return (part.share.high - part.share.low) / 2 if part.share else 0.0


def _expected_half(analysis: Analysis, part: Component, n: float) -> float:
    """Half the width of a share's interval in a sweep of `n` runs with the shares found."""
    total = sum(max(other.variance.value, 0.0) for other in analysis.components)
    error = analysis.noise.error.variance if analysis.noise else 0.0
    if total <= 0 or error <= 0 or part.df is None:
        return 0.0
    value = max(part.variance.value, 0.0)
    used = analysis.design.n_runs - analysis.design.residual_df
    unit = error / n
    low, high = noncentrality_interval(1 + value / unit / part.df, part.df, max(n - used, 1))
    ends = share_interval(
        Estimate(value, low * unit, high * unit), _rest(analysis, max(total - value, 1e-300), n)
    )
    return (ends[1] - ends[0]) / 2


def _rest(analysis: Analysis, rest: float, n: float) -> Estimate:
    """Return all other variance, as uncertain as the common seeds' part of it is."""
    seed = next((part for part in analysis.components if part.kind == "seed"), None)
    design = analysis.design
    if seed is None or is_seed_unseen(analysis.components) or analysis.noise is None:
        return Estimate(rest, rest, rest)
    seeds = n * design.n_blocks / design.n_runs
    noise = max(analysis.noise.variance or 0.0, 1e-300)
    value = max(seed.variance.value, 0.0)
    f = 1 + design.n_cells * value / noise
    df = seeds - 1, (design.n_cells - 1) * (seeds - 1)
    tails = scipy.special.fdtri(*df, np.array([0.975, 0.025]))
    low, high = np.maximum(f / tails - 1, 0.0) * noise / design.n_cells
    return Estimate(rest, rest - value + min(float(low), value), rest - value + float(high))

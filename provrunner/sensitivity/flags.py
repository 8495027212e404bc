"""What a reader must know before trusting the numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from provrunner.schema import RunStatus
from provrunner.sensitivity.analysis import Analysis
from provrunner.sensitivity.basis import Floats
from provrunner.sensitivity.design import MIN_DF, MIN_RUNS, Design
from provrunner.sensitivity.numbers import format_list
from provrunner.sensitivity.trials import Run, Trial
from provrunner.sensitivity.verdict import describe_values, short_level

__all__ = ["ROBUST", "Flag", "count_statuses", "is_outlier_dominated", "raise_flags"]

ROBUST = "tests that allow for it are used"
"""What the flag of noise that differs says of the tests."""

OUTLIER_SHARE = 0.95
"""The worst third of normal runs holds 0.49 of all squared distances to the median."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One warning: its name, and one sentence."""

    flag: str
    detail: str


def raise_flags(
    analysis: Analysis,
    runs: Sequence[Run],
    *,
    deciding: Trial | None,
    reruns: int,
    seeds_have_no_effect: bool,
) -> tuple[Flag, ...]:
    """Return all flags of an analysis, in a fixed order.

    Args:
        analysis: of the usable runs.
        runs: all runs of the sweep, whatever their status.
        deciding: the trial that all rests on, if any.
        reruns: bit-identical reruns left out.
        seeds_have_no_effect: whether every trial gave one value with all its seeds.
    """
    design = analysis.design
    found = [*_conclusions(analysis), *_noise(analysis, seeds_have_no_effect), *_shape(design)]
    found += [
        Flag(
            "aliased",
            f"the runs cannot tell {format_list(factor.parameters)} apart: one effect for all",
        )
        for factor in design.factors
        if len(factor.parameters) > 1
    ]
    found += _spread(analysis)
    found += _deciding(deciding)
    found += _trust(analysis)
    if reruns:
        found.append(Flag("reruns_collapsed", f"{reruns} bit-identical reruns are counted once"))
    pruned = sum(run.status == RunStatus.PRUNED for run in runs)
    if pruned:
        detail = (
            f"{pruned} pruned runs are left out: stopped early (censored), their objective is at "
            "another epoch budget; without them their levels look too good"
        )
        found.append(Flag("pruned_left_out", detail))
    return tuple(found)


def _conclusions(analysis: Analysis) -> list[Flag]:
    if analysis.is_constant and analysis.y.size > 1:
        return [Flag("constant_metric", f"all {analysis.y.size} runs have the same objective")]
    if analysis.noise is not None:
        return []
    return [Flag("cannot_conclude", f"{_why_not(analysis.design)}: means only")]


def _why_not(design: Design) -> str:
    if design.n_runs < MIN_RUNS:
        runs = "run" if design.n_runs == 1 else "runs"
        return f"{design.n_runs} finished {runs}, at least {MIN_RUNS} are needed"
    if design.has_ranges and 2 * design.model_size > design.n_cells:
        return (
            f"{design.n_cells} points for {design.model_size} coefficients, at least "
            f"{2 * design.model_size} are needed"
        )
    if not design.factors:
        return "no hyperparameter varies"
    df = max(design.residual_df, design.pure_df)
    return f"{df} residual degrees of freedom, at least {MIN_DF} are needed"


def _noise(analysis: Analysis, seeds_have_no_effect: bool) -> list[Flag]:
    found = []
    if seeds_have_no_effect:
        found.append(
            Flag(
                "seeds_have_no_effect", "each trial gave one value with all its seeds: counted once"
            )
        )
    if analysis.noise is not None and analysis.noise.variance is None:
        detail = "too few trials have a second seed: what the effects leave is 'unresolved'"
        if not analysis.design.is_scattered:
            detail = f"{detail}; p-values are conservative"
        found.append(Flag("noise_not_estimable", detail))
    return found


def _shape(design: Design) -> list[Flag]:
    found = []
    if design.kind == "one_at_a_time":
        detail = "one hyperparameter at a time was changed: whether they interact is not known"
        found.append(Flag("interactions_not_estimable", detail))
    elif design.dropped_terms:
        names = format_list([design.term_name(term) for term in design.dropped_terms])
        detail = f"too few combinations were run for {names}"
        found.append(Flag("interactions_not_estimable", detail))
    if design.kind == "adaptive":
        detail = "points were placed, or runs stopped, in view of earlier results: no p-values"
        found.append(Flag("adaptive", detail))
    if design.is_scattered:
        return found
    if design.kind == "partial_grid" or not design.is_balanced:
        found.append(Flag("unbalanced", _balance(design)))
    return found


def _balance(design: Design) -> str:
    counts = np.bincount(design.cells)
    runs = (
        f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}"
    )
    cells = int(np.prod([len(factor.levels) for factor in design.factors], dtype=np.int64))
    missing = f", {cells - design.n_cells} of {cells} combinations without a run" * (
        design.n_cells < cells and design.kind != "one_at_a_time"
    )
    return f"{runs} runs a trial{missing}: effects are adjusted for each other (type III)"


def _spread(analysis: Analysis) -> list[Flag]:
    noise = analysis.noise
    if noise is None:
        return []
    spread, is_robust = noise.spread, noise.error.weights is not None
    if spread.factor is None or spread.level is None:
        return []
    # few residuals beside the effects are enough to be careful, and not to say that noise differs
    can_tell = noise.variance is not None or analysis.design.is_scattered
    is_unequal = spread.is_unequal and can_tell
    if not is_unequal and not (spread.may_differ and is_robust):
        return []
    factor = analysis.design.factors[spread.factor]
    level = short_level(factor.levels[spread.level])
    what, most = "the noise", "noisiest"
    if noise.variance is None:
        what, most = "what is unresolved", "most"
    detail = (
        f"{what} {'differs' if is_unequal else 'may differ'} between levels of {factor.name} "
        f"(p = {spread.p:.2g}); {most} at {level}"
    )
    robust = f": {ROBUST}" if is_robust else ""
    return [Flag("heteroscedastic" if is_unequal else "robust_tests", detail + robust)]


def _deciding(trial: Trial | None) -> list[Flag]:
    if trial is None:
        return []
    runs = f"{len(trial.runs)} {'run' if len(trial.runs) == 1 else 'runs'}"
    detail = (
        f"without one trial, {describe_values(trial.values)} ({runs}), nothing is significant; a "
        "noisy trial whose seeds happen to agree looks the same: more seeds of it would tell"
    )
    return [Flag("one_trial_decides", detail)]


def _trust(analysis: Analysis) -> list[Flag]:
    found = []
    trust = analysis.trust
    if analysis.design.is_scattered and trust is not None and trust.level == "low":
        detail = (
            f"the fitted surface predicts {trust.press_r2:.0%} of the variance of unseen runs"
            if trust.press_r2 is not None and trust.press_r2 > 0
            else "the fitted surface predicts unseen runs no better than their mean"
        )
        found.append(Flag("low_trust", detail))
    # one factor at a time, most runs share most levels: any effect is of a few runs
    if analysis.design.kind != "one_at_a_time" and is_outlier_dominated(analysis.y):
        detail = (
            "the worst third of the runs makes up almost all variance: what explains the rest is "
            "told for the better half"
        )
        found.append(Flag("outlier_dominated", detail))
    return found


def is_outlier_dominated(y: Floats) -> bool:
    """Tell whether the worst third of the runs holds 95 % of all squared distances to the median.

    Args:
        y: objective, lower is better.

    Example:
        >>> is_outlier_dominated(np.array([1.0, 2, 3, 4, 5, 6, 7, 100]))
        True
    """
    if y.size < MIN_RUNS:
        return False
    squares = (np.sort(y) - np.median(y)) ** 2
    worst = float(squares[-(y.size // 3) :].sum())
    return bool(worst > OUTLIER_SHARE * squares.sum() > 0)


def count_statuses(runs: Sequence[Run]) -> dict[str, int]:
    """Count runs by status, in alphabetical order."""
    counts = Counter(str(run.status) for run in runs)
    return {status: counts[status] for status in sorted(counts)}

"""Whether all that is found rests on a single trial."""

from __future__ import annotations

import numpy as np

from provrunner.sensitivity.analysis import Analysis, analyse
from provrunner.sensitivity.basis import Floats, group_means
from provrunner.sensitivity.design import Design
from provrunner.sensitivity.sample import Sample, design_of
from provrunner.sensitivity.trials import Trial

__all__ = ["deciding_trial"]

_KINDS = ("full_grid", "partial_grid")
"""In other designs an effect is of one trial by construction, or of a surface."""

_LEFT = 0.5
"""A trial decides nothing where more than this part of the squares between trials stays."""


def deciding_trial(sample: Sample, analysis: Analysis) -> Trial | None:
    """Return the trial without which nothing is significant any more; None where there is none.

    A trial whose noise is many times that of the others, and whose few seeds happen to agree, looks
    like an effect, and no test of the differences between its seeds can tell. Only the trial that
    fits worst beside the main effects is tried, and only where most squares between trials go with
    it, so that an effect that just reaches significance is not said to rest on one trial.
    """
    design = analysis.design
    is_found = any(part.is_significant for part in analysis.components)
    if not is_found or design.kind not in _KINDS or not design.is_replicated:
        return None
    means = group_means(analysis.y[:, None], design.cells)[:, 0]
    cell = _worst_fitting(design, means)
    if _squares(np.delete(means, cell)) > _LEFT * _squares(means):
        return None
    inside = design.cells != cell
    runs = [run for run, kept in zip(sample.analysed, inside, strict=True) if kept]
    rest = analyse(design_of(runs, sample.study), analysis.y[inside])
    if rest.noise is None or any(part.is_significant for part in rest.components):
        return None
    key = sample.analysed[int(np.argmin(inside))].key
    return next(trial for trial in sample.trials if trial.runs and trial.runs[0].key == key)


def _worst_fitting(design: Design, means: Floats) -> int:
    """Return the trial whose own column would take most squares from those left by the mains."""
    first = np.unique(design.cells, return_index=True)[1]
    mains = [factor.columns[first] for factor in design.factors]
    q, _ = np.linalg.qr(np.hstack([np.ones((first.size, 1)), *mains]))
    left = 1 - np.minimum((q**2).sum(axis=1), 1.0)
    residuals = means - q @ (q.T @ means)
    return int(np.argmax(np.where(left > 1e-8, residuals**2 / np.maximum(left, 1e-8), 0.0)))


def _squares(values: Floats) -> float:
    return float(((values - values.mean()) ** 2).sum())

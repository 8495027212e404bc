"""The fitted surface over two ranges, all other factors averaged."""

from __future__ import annotations

import numpy as np

from provrunner.sensitivity.analysis import LARGE_DF, Analysis
from provrunner.sensitivity.anova import covariance
from provrunner.sensitivity.basis import Floats
from provrunner.sensitivity.quantiles import student_critical

__all__ = ["fitted_pairs", "fitted_surface"]


def fitted_pairs(analysis: Analysis) -> tuple[tuple[int, int], ...]:
    """Return the pairs of a surface that interact, in the order of the design's factors."""
    terms = {*analysis.design.terms, *(part.term for part in analysis.components)}
    return tuple(sorted((term[0], term[1]) for term in terms if len(term) == 2))


def fitted_surface(analysis: Analysis, first: int, second: int) -> tuple[Floats, Floats] | None:
    """Return the fitted mean at the levels of two factors, with half widths of 95 % intervals.

    Of a Gaussian process where one took over, else of the linear model.

    Returns:
        Two tables of (levels of first, levels of second); None where one of them is no range that
        is always active, or nothing can be concluded.
    """
    fit, noise = analysis.fit, analysis.noise
    factors = [analysis.design.factors[i] for i in (first, second)]
    if fit is None or noise is None or any(f.axis is None or f.axis.active < 1 for f in factors):
        return None
    sizes = [len(factor.levels) for factor in factors]
    if analysis.process is not None:
        means, spread = analysis.process.surfaces[first, second]
        return means.reshape(sizes), student_critical(LARGE_DF) * spread.reshape(sizes)
    codes = [position.ravel() for position in np.indices(sizes)]
    rows = np.zeros((codes[0].size, fit.coefficients.size))
    rows[:, 0] = 1.0
    for term in ((first,), (second,), (first, second)):
        if term in fit.spans:
            own = [codes[(first, second).index(i)] for i in term]
            rows[:, fit.spans[term]] = analysis.design.term_at(term, own)
    table, df = covariance(fit, noise.error, rows)
    widths = student_critical(df) * np.sqrt(np.maximum(table.diagonal(), 0.0))
    return (rows @ fit.coefficients).reshape(sizes), widths.reshape(sizes)

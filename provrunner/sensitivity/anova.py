"""Least squares in the orthonormal basis, with the type III test of each component."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import scipy

from provrunner.sensitivity.basis import Floats, Ints
from provrunner.sensitivity.design import Design, Term

__all__ = [
    "ErrorTerm",
    "Fit",
    "TermTest",
    "component_test",
    "covariance",
    "fit_model",
    "holm",
    "press_residuals",
]


MANY_ROWS = 2000
"""Above this, coefficients come from the normal equations."""

_ROUNDING = 1e-12
"""Share of a column's square up to which a product with another one is taken for rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A least-squares fit.

    Attributes:
        inverse: `(X'X)^-1`, (p, p).
        projection: `(X'X)^-1 X'`, (p, n): what turns an objective into coefficients.
        leverage: (n,).
        residuals: (n,).
        spans: the coefficients of each component.
        seeds: the coefficients of the seed block.
        floor: sums of squares up to here are rounding.
    """

    coefficients: Floats
    inverse: Floats
    projection: Floats
    leverage: Floats
    residuals: Floats
    spans: dict[Term, slice]
    seeds: slice
    floor: float

    @property
    def rss(self) -> float:
        """Residual sum of squares, 0 where it is rounding."""
        rss = float(self.residuals @ self.residuals)
        return rss if rss > self.floor else 0.0

    @property
    def df(self) -> int:
        """Residual degrees of freedom."""
        return self.residuals.size - self.coefficients.size

    def rows(self, span: slice) -> Floats:
        """Return the contrasts that pick the coefficients of a span."""
        return np.asarray(np.eye(self.coefficients.size)[span])


@dataclass(frozen=True, slots=True, eq=False)
class ErrorTerm:
    """What effects are tested against.

    Attributes:
        variance: of one run.
        df: its degrees of freedom.
        weights: each run's own variance by HC3 when variances differ, else None.
        groups: trial of each run, for the degrees of freedom of sums of `weights`.
        freedom: degrees of freedom of each trial's own variance.
        inflation: what tests and intervals take the variance times, where a model was chosen that
            leaves small residuals.
    """

    variance: float
    df: int
    weights: Floats | None = None
    groups: Ints | None = None
    freedom: Floats | None = None
    inflation: float = 1.0


@dataclass(frozen=True, slots=True)
class TermTest:
    """A component's variance and its test.

    Attributes:
        variance: unbiased, may be negative.
        squares: type III sum of squares.
        df: degrees of freedom of the component.
        scale: expected sum of squared coefficients when there is no effect, on these `df1` and
            `df2`.
        ratio: sum of squared coefficients over `scale`: the F that shares' intervals are made of.
    """

    variance: float
    squares: float
    df: int
    f: float
    p: float
    scale: float
    ratio: float
    df1: float
    df2: float


def fit_model(design: Design, y: Floats) -> Fit:
    """Fit the constant, the seed block and the design's components to an objective.

    Args:
        design: of the analysed runs.
        y: (n_runs,) in the order of the design's runs.
    """
    matrix, spans, (inverse, projection, leverage) = _system(design)
    coefficients = projection @ y
    return Fit(
        coefficients=coefficients,
        inverse=inverse,
        projection=projection,
        leverage=leverage,
        residuals=y - matrix @ coefficients,
        spans=dict(zip(design.terms, spans[1:], strict=True)),
        seeds=spans[0],
        floor=rounding_floor(y),
    )


@lru_cache(maxsize=2)
def _system(design: Design) -> tuple[Floats, list[slice], tuple[Floats, Floats, Floats]]:
    """Return the columns of a design, the spans of its components, and what `_solve` makes of them.

    One design is fitted to the objective, to its values through training and to the durations; of
    thousands of runs it takes a second each time.
    """
    blocks = [
        np.ones((design.n_runs, 1)),
        design.seed_columns,
        *map(design.term_columns, design.terms),
    ]
    stops = np.cumsum([block.shape[1] for block in blocks])
    spans = [slice(int(a), int(b)) for a, b in pairwise(stops)]
    matrix = np.hstack(blocks)
    del blocks  # as large as the matrix, which may be of ten thousand runs
    own = spans[0].stop if spans else 1
    if matrix.shape[0] > MANY_ROWS:
        return matrix, spans, _solve_many(matrix[:, :own], matrix[:, own:], design.cells)
    return matrix, spans, _solve(matrix)


def _solve_many(own: Floats, shared: Floats, cells: Ints) -> tuple[Floats, Floats, Floats]:
    """Return what `_solve` does of many rows, of which those of one trial share most columns.

    Many rows of an orthonormal basis are nearly orthogonal, so that normal equations lose nothing
    there and take a fraction of the time of an orthogonal decomposition.

    Args:
        own: (n_runs, m) the columns of the constant and of the seeds.
        shared: (n_runs, k) those of the components, which runs of one trial have in common.
        cells: trial of each run.
    """
    _, firsts, trials, counts = np.unique(
        cells, return_index=True, return_inverse=True, return_counts=True
    )
    once = shared[firsts]
    sums = np.zeros((once.shape[0], own.shape[1]))
    np.add.at(sums, trials, own)
    across = sums.T @ once
    products = np.block([[own.T @ own, across], [across.T, (once * counts[:, None]).T @ once]])
    inverse = _inverse(products)
    first, rest = np.split(inverse, [own.shape[1]])
    # a row a run, side by side in memory, as they are read below
    turned = (once @ rest)[trials]
    turned += own @ first
    leverage = np.einsum("ij,ij->i", own, turned[:, : own.shape[1]])
    leverage += np.einsum("ij,ij->i", shared, turned[:, own.shape[1] :])
    return inverse, turned.T, np.minimum(leverage, 1.0)


def _inverse(products: Floats) -> Floats:
    """Return the inverse of `X'X`; of a whole grid, whose columns are orthogonal, at once."""
    scale = np.diag(products)
    if np.abs(products - np.diag(scale)).max() <= _ROUNDING * scale.min():
        return np.diag(1.0 / scale)
    return np.asarray(np.linalg.inv(products), dtype=np.float64)


def _solve(matrix: Floats) -> tuple[Floats, Floats, Floats]:
    """Return `(X'X)^-1`, `(X'X)^-1 X'` and the leverages."""
    q, r = np.linalg.qr(matrix)
    inverse_r = np.linalg.inv(r)
    projection = inverse_r @ q.T
    return inverse_r @ inverse_r.T, projection, np.minimum((q**2).sum(axis=1), 1.0)


def press_residuals(residuals: Floats, leverage: Floats) -> Floats:
    """Return each row's error when the model is fitted without it.

    Example:
        >>> press_residuals(np.array([1.0]), np.array([0.5])).tolist()
        [2.0]
    """
    return np.asarray(residuals / np.maximum(1.0 - leverage, 1e-6))


def rounding_floor(y: Floats) -> float:
    """Return the sum of squares that rounding alone may leave."""
    return float(y.size * (1e-14 * np.abs(y).max(initial=0.0)) ** 2)


def covariance(fit: Fit, error: ErrorTerm, rows: Floats) -> tuple[Floats, float]:
    """Return the covariance of contrasts `rows @ coefficients`, with its degrees of freedom.

    Classical with one variance. With weights that differ (MacKinnon and White 1985) the degrees of
    freedom of its trace are Satterthwaite's (1946) over the trials' own variances.

    Args:
        fit: whose coefficients the contrasts are of.
        error: the variance of one run.
        rows: (contrasts, coefficients).
    """
    if error.weights is None or error.groups is None or error.freedom is None:
        unit = error.variance * error.inflation
        return unit * (rows @ fit.inverse @ rows.T), float(error.df)
    return weighted_covariance(error, rows @ fit.projection)


def weighted_covariance(error: ErrorTerm, linear: Floats) -> tuple[Floats, float]:
    """Return the covariance of sums of runs of different variances, and its degrees of freedom.

    Args:
        error: with weights.
        linear: (contrasts, n_runs) what each run counts in each sum.
    """
    if error.weights is None or error.groups is None or error.freedom is None:
        return error.variance * error.inflation * (linear @ linear.T), float(error.df)
    table = np.asarray((linear * error.weights) @ linear.T) * error.inflation
    by_trial = np.bincount(error.groups, (linear**2).sum(axis=0) * error.weights)
    spread = float((by_trial**2 / error.freedom).sum())
    df = float(by_trial.sum()) ** 2 / spread if spread > 0 else float(error.df)
    return table, min(max(df, 1.0), float(error.df))


def component_test(fit: Fit, error: ErrorTerm, span: slice) -> TermTest:
    """Estimate and test the component that a span of coefficients makes.

    `V = sum(b^2) - s^2 tr(C)`, unbiased. With one variance the test is Wald's type III F. With
    unequal ones it is the ANOVA-type statistic `sum(b^2) / tr(C)` on their covariance with Box's
    degrees of freedom (Brunner, Dette and Munk 1997), which holds its level where Wald's does not:
    with few runs a trial, the covariance's inverse is too noisy.
    """
    b = fit.coefficients[span]
    squares = float(b @ b)
    inverse = fit.inverse[span, span]
    table, df2 = _covariance_of_span(fit, error, span)
    scale = float(np.trace(table))
    variance = squares - error.variance * float(np.trace(inverse))
    wald = float(b @ np.linalg.solve(inverse, b))
    if scale <= 0:
        is_real = wald > fit.floor
        f, p = (np.inf, 0.0) if is_real else (0.0, 1.0)
        return TermTest(variance if is_real else 0.0, wald, b.size, f, p, 0.0, f, b.size, df2)
    ratio = squares / scale
    if error.weights is None:
        df1 = float(b.size)
        f = wald / b.size / (error.variance * error.inflation)
    else:
        df1, f = scale**2 / float((table**2).sum()), ratio
    p = float(scipy.special.fdtrc(df1, df2, f))
    return TermTest(variance, wald, b.size, f, p, scale, ratio, df1, df2)


def _covariance_of_span(fit: Fit, error: ErrorTerm, span: slice) -> tuple[Floats, float]:
    if error.weights is None:
        unit = error.variance * error.inflation
        return unit * fit.inverse[span, span], float(error.df)
    return weighted_covariance(error, fit.projection[span])


def holm(p: list[float]) -> list[float]:
    """Adjust p-values for their number (Holm 1979).

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p)
    largest = 0.0
    for rank, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        largest = max(largest, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = largest
    return adjusted

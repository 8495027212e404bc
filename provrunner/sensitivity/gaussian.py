"""A Gaussian process in place of polynomials, where it predicts unseen runs better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from provrunner.sensitivity.basis import Floats
from provrunner.sensitivity.design import Design, Term
from provrunner.sensitivity.factors import Factor
from provrunner.sensitivity.intervals import Estimate
from provrunner.sensitivity.kernel import Kernel, correlations, covariances, learn_kernel
from provrunner.sensitivity.trust import press_r2

__all__ = ["MOST_RUNS", "Process", "fit_process"]

MOST_RUNS = 500
"""A Gaussian process is tried up to here."""

_FOLDS = 5

_NODES = 16
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True, eq=False)
class Process:
    """A fitted Gaussian process, reduced to what sensitivity needs.

    Attributes:
        press_r2: what it predicts of fifths of the runs left out in turn, from the others alone.
        variances: of each main effect and pair under the design's measure, with 95 % intervals.
        rest: variance of the surface beyond these, and of what it leaves unexplained.
        curves: mean and covariance of each factor's marginal curve at its levels.
        surfaces: of each pair, mean and standard deviation of the surface at all pairs of levels,
            those of the second factor side by side.
    """

    press_r2: float
    variances: dict[Term, Estimate]
    rest: float
    curves: tuple[tuple[Floats, Floats], ...]
    surfaces: dict[Term, tuple[Floats, Floats]]


def fit_process(design: Design, y: Floats, least: float) -> Process | None:
    """Fit a Gaussian process to runs without replicates; None where it predicts no better.

    Length scales that were learnt from a run predict it too well: with six of them, forty runs of
    noise look half explained. So what decides are fifths of the runs, left out while learning, too.

    A squared exponential kernel with a length scale a factor, the product over factors, plus noise
    of one variance. So every integral over a factor is a sum over nodes of that factor alone
    (Oakley and O'Hagan 2004).

    Args:
        design: of the analysed runs, one a trial.
        y: the objective.
        least: PRESS R² that it has to exceed.
    """
    if y.size > MOST_RUNS or design.n_cells < design.n_runs or np.ptp(y) == 0:
        return None
    scale, shift = float(y.std()), float(y.mean())
    factors = design.factors
    points = [_features(factor.columns, factor) for factor in factors]
    z = (y - shift) / scale
    learnt = learn_kernel(points, z)
    table = covariances(points, points, learnt) + learnt.noise * np.eye(y.size)
    inverse = np.asarray(np.linalg.inv(table), dtype=np.float64)
    weights, noise = inverse @ z, learnt.noise
    easy = press_r2(weights / inverse.diagonal(), np.zeros(y.size), z)
    if easy is None or easy <= least:
        return None
    predicted = _r2_of_folds(points, z)
    if predicted <= least:
        return None
    surface = _Surface(factors, points, learnt, inverse, weights)
    mains: list[Term] = [(i,) for i in range(len(factors))]
    terms = [*mains, *combinations(range(len(factors)), 2)]
    variances = {term: surface.variance(term) for term in terms}
    total = surface.total() + noise
    rest = max(total - sum(part.value for part in variances.values()), noise)
    curves = []
    for i in range(len(factors)):
        means, table = surface.curve(i)
        curves.append((shift + scale * means, scale**2 * table))
    return Process(
        press_r2=predicted,
        variances={term: part.scaled(scale**2) for term, part in variances.items()},
        rest=rest * scale**2,
        curves=tuple(curves),
        surfaces={
            term: (shift + scale * means, scale * np.sqrt(np.maximum(spread, 0.0)))
            for term in terms[len(factors) :]
            for means, spread in [surface.pair(term)]
        },
    )


class _Surface:
    """Integrals of a Gaussian process over the design's measure."""

    def __init__(
        self,
        factors: Sequence[Factor],
        points: Sequence[Floats],
        learnt: Kernel,
        inverse: Floats,
        weights: Floats,
    ) -> None:
        lengths, amplitude = learnt.lengths, learnt.amplitude
        rules = [_rule(factor) for factor in factors]
        self.rule_weights = [rule[1] for rule in rules]
        self.levels = [_at_levels(factor) for factor in factors]
        self.points, self.lengths = points, lengths
        self.amplitude, self.inverse, self.weights = amplitude, inverse, weights
        triples = zip(rules, points, lengths, strict=True)
        self.at_nodes = [correlations(rule[0], own, length) for rule, own, length in triples]
        self.means = [
            weight @ table for weight, table in zip(self.rule_weights, self.at_nodes, strict=True)
        ]
        self.inner = [
            correlations(rule[0], rule[0], length)
            for rule, length in zip(rules, lengths, strict=True)
        ]
        self.doubles = [
            float(weight @ inner @ weight)
            for weight, inner in zip(self.rule_weights, self.inner, strict=True)
        ]

    def variance(self, term: Term) -> Estimate:
        """Return a component's variance with the interval of its posterior, taken as lognormal."""
        rows = self._rows([self.at_nodes[i] for i in term], term)
        weight = _flat([self.rule_weights[i][:, None] for i in term])[:, 0]
        centre = self._centring(term)
        mean = centre @ (rows @ self.weights)
        prior = self.amplitude * self._outer(term) * _flat([self.inner[i] for i in term])
        spread = centre @ (prior - rows @ self.inverse @ rows.T) @ centre.T
        value = float(weight @ mean**2)
        weighted = spread * weight
        extra = max(float(np.trace(weighted)), 0.0)
        variance = 4 * float((weight * mean) @ spread @ (weight * mean))
        variance += 2 * float((weighted * weighted.T).sum())
        centre_value = max(value + extra, 1e-12)
        ratio = np.sqrt(np.log1p(max(variance, 0.0) / centre_value**2))
        low = centre_value * float(np.exp(-_Z * ratio))
        high = centre_value * float(np.exp(_Z * ratio))
        return Estimate(value, min(low, value), max(high, value))

    def total(self) -> float:
        """Return the variance of the surface's mean, and what is not known of it on average."""
        second = np.prod(
            [
                (table.T * weight) @ table
                for table, weight in zip(self.at_nodes, self.rule_weights, strict=True)
            ],
            axis=0,
        )
        first = np.prod(self.means, axis=0)
        known = self.amplitude**2 * float(
            self.weights @ second @ self.weights - (first @ self.weights) ** 2
        )
        unknown = self.amplitude - self.amplitude**2 * float((self.inverse * second).sum())
        return known + max(unknown, 0.0)

    def curve(self, position: int) -> tuple[Floats, Floats]:
        """Return the mean and covariance of a marginal curve at the factor's levels."""
        levels = self.levels[position]
        own, length = self.points[position], self.lengths[position]
        rows = self._rows([correlations(levels, own, length)], (position,))
        prior = self.amplitude * self._outer((position,)) * correlations(levels, levels, length)
        return rows @ self.weights, prior - rows @ self.inverse @ rows.T

    def pair(self, term: Term) -> tuple[Floats, Floats]:
        """Return the mean and variance of the surface at the levels of two factors."""
        places = [(self.levels[i], self.points[i], self.lengths[i]) for i in term]
        rows = self._rows([correlations(*place) for place in places], term)
        prior = self.amplitude * self._outer(term)
        return rows @ self.weights, prior - ((rows @ self.inverse) * rows).sum(axis=1)

    def _rows(self, tables: Sequence[Floats], term: Term) -> Floats:
        """Return the covariance of a component's nodes with the runs, other factors averaged."""
        others = [mean for i, mean in enumerate(self.means) if i not in term]
        averaged = np.prod([np.ones(self.weights.size), *others], axis=0)
        table = tables[0]
        for other in tables[1:]:
            table = (table[:, None, :] * other[None, :, :]).reshape(-1, table.shape[1])
        return np.asarray(self.amplitude * table * averaged)

    def _outer(self, term: Term) -> float:
        return float(np.prod([d for i, d in enumerate(self.doubles) if i not in term]))

    def _centring(self, term: Term) -> Floats:
        """Return what takes a component's averages over each of its factors out."""
        parts = []
        for i in term:
            weight = self.rule_weights[i]
            parts.append(np.eye(weight.size) - np.tile(weight, (weight.size, 1)))
        return _flat(parts)


def _r2_of_folds(points: Sequence[Floats], z: Floats) -> float:
    """Return what is predicted of each fifth of the runs from the others alone."""
    fold = np.arange(z.size) % _FOLDS
    errors, around_mean = 0.0, 0.0
    for i in range(_FOLDS):
        inside, outside = fold == i, fold != i
        known = [own[outside] for own in points]
        learnt = learn_kernel(known, z[outside])
        table = covariances(known, known, learnt) + learnt.noise * np.eye(int(outside.sum()))
        mean = float(z[outside].mean())
        weights = np.linalg.solve(table, z[outside] - mean)
        rows = covariances([own[inside] for own in points], known, learnt)
        errors += float(((z[inside] - mean - rows @ weights) ** 2).sum())
        around_mean += float(((z[inside] - mean) ** 2).sum())
    return 1 - errors / around_mean if around_mean > 0 else 0.0


def _features(columns: Floats, factor: Factor) -> Floats:
    """Return a factor's coordinates: the unit interval and whether active, or its contrasts."""
    if factor.axis is None:
        return np.asarray(columns / np.sqrt(2.0))
    return _unit_features(factor.axis.unit, has_null=factor.axis.active < 1)


def _unit_features(unit: Floats, *, has_null: bool) -> Floats:
    coordinate = np.nan_to_num(unit, nan=0.5)[:, None]
    if not has_null:
        return coordinate
    return np.hstack([coordinate, np.isnan(unit)[:, None].astype(np.float64)])


def _rule(factor: Factor) -> tuple[Floats, Floats]:
    """Return nodes and weights of the design's measure over a factor."""
    if factor.axis is None:
        levels = len(factor.levels)
        return _at_levels(factor), np.full(levels, 1 / levels)
    x, w = np.polynomial.legendre.leggauss(_NODES)
    active = factor.axis.active
    if active == 1:
        return _unit_features((x + 1) / 2, has_null=False), w / 2
    nodes = np.concatenate([[np.nan], (x + 1) / 2])
    return _unit_features(nodes, has_null=True), np.concatenate([[1 - active], active * w / 2])


def _at_levels(factor: Factor) -> Floats:
    if factor.axis is None:
        return np.asarray(factor.at_levels / np.sqrt(2.0))
    units = [
        np.nan if level is None else float(factor.axis.span.unit(np.array([level]))[0])
        for level in factor.levels
    ]
    return _unit_features(np.array(units), has_null=factor.axis.active < 1)


def _flat(tables: Sequence[Floats]) -> Floats:
    table = tables[0]
    for other in tables[1:]:
        table = np.asarray(np.kron(table, other))
    return table

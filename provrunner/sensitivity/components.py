"""The parts of one run's variance: components, seeds, noise, each with its share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy

from provrunner.sensitivity.anova import (
    ErrorTerm,
    Fit,
    TermTest,
    component_test,
    fit_model,
    holm,
)
from provrunner.sensitivity.basis import Floats
from provrunner.sensitivity.design import Design, Term
from provrunner.sensitivity.gaussian import Process
from provrunner.sensitivity.intervals import (
    Estimate,
    chi2_interval,
    noise_interval,
    noncentrality_interval,
    share_interval,
)
from provrunner.sensitivity.noise import POOLING_P, Noise, find_noise, welch

__all__ = ["Component", "is_seed_unseen", "process_components", "variance_components"]

_ZERO = Estimate(0.0, 0.0, 0.0)
ALPHA = 0.05

LEAST_SHARE = 0.01
"""What a pair of a Gaussian process must explain to be listed."""


@dataclass(frozen=True, slots=True)
class Component:
    """One part of one run's variance.

    Attributes:
        kind: main, interaction, seed, noise or unresolved.
        term: positions of its factors; empty for the last three kinds.
        variance: unbiased with its ends, in squared units of the objective; may be negative.
        squares: type III sum of squares.
        share: of one run's variance, cut to 0..1.
        total: shares of all components with this factor; mains only.
        shapley: the same with each share split evenly among its factors; mains only.
    """

    name: str
    kind: str
    term: Term
    variance: Estimate
    share: Estimate | None = None
    total: float | None = None
    shapley: float | None = None
    df: int | None = None
    squares: float | None = None
    f: float | None = None
    p: float | None = None
    p_holm: float | None = None

    @property
    def is_significant(self) -> bool | None:
        """Whether Holm's p is below 0.05; None where there is no such test."""
        return None if self.p_holm is None else self.p_holm < ALPHA


def variance_components(design: Design, fit: Fit, noise: Noise, y: Floats) -> tuple[Component, ...]:
    """Split one run's variance into shares that add to 1.

    Every variance is an unbiased estimate of one quantity: a component's mean square over the
    design's uniform measure, the variance between seeds, the variance between runs of one trial
    with the same seeds taken out. Their sum, negative estimates included, estimates the variance
    of a run with levels and seed drawn at random; a share is one estimate over this sum. The seeds
    are a random sample, so that theirs is the variance component `(MS_seed - MS_noise) / trials`
    and not the spread of the seeds at hand: with it, common and independent seeds estimate the
    same shares, since independent seeds leave `seed + noise` within trials.
    """
    tests = _tests(fit, noise)
    if design.kind == "single_factor" and design.blocks is None and noise.spread.may_differ:
        tests = {term: _welch(design, y, test) for term, test in tests.items()}
    p_values = _p_values(design, tests, y)
    parts = [
        Component(
            name=design.term_name(term),
            kind="main" if len(term) == 1 else "interaction",
            term=term,
            variance=_term_variance(test),
            df=test.df,
            squares=test.squares,
            f=test.f if np.isfinite(test.f) else None,
            p=p_values[term][0],
            p_holm=p_values[term][1],
        )
        for term, test in tests.items()
    ]
    parts += [*_left(design, noise), *_seed(design, fit, noise)]
    parts.append(_bottom(noise))
    return _with_shares(design, parts, sum(test.df for test in tests.values()))


def process_components(
    design: Design, parts: Sequence[Component], process: Process
) -> tuple[Component, ...]:
    """Return the components with a Gaussian process's variances; tests stay the linear model's.

    Pairs that the linear model has not are listed where they explain a hundredth at least; they
    have no test. Since its length scales are taken as known, a process's own intervals are too
    narrow (they held the truth of six parameters at 54 runs in two of three cases), so that they
    are widened to hold those of the linear model; a pair without one may be nothing.
    """
    known = {part.term: part for part in parts if part.term}
    total = process.rest + sum(part.value for part in process.variances.values())
    found = [
        replace(
            known.get(term) or Component(design.term_name(term), "interaction", term, variance),
            variance=variance,
        )
        for term, variance in process.variances.items()
        if term in known or variance.value >= LEAST_SHARE * total
    ]
    rest = total - sum(part.variance.value for part in found)
    spread = parts[-1].variance
    scale = rest / spread.value if spread.value > 0 else 1.0
    bottom = replace(parts[-1], variance=Estimate(rest, spread.low * scale, spread.high * scale))
    joined = _with_shares(design, [*found, bottom], sum(part.df or 0 for part in found))
    return tuple(_widened(part, known.get(part.term)) if part.term else part for part in joined)


def _widened(part: Component, other: Component | None) -> Component:
    if part.share is None:
        return part
    if other is None or other.share is None:
        return replace(part, share=replace(part.share, low=0.0))
    low, high = min(part.share.low, other.share.low), max(part.share.high, other.share.high)
    return replace(part, share=replace(part.share, low=low, high=high))


def _tests(fit: Fit, noise: Noise) -> dict[Term, TermTest]:
    return {term: component_test(fit, noise.error, span) for term, span in fit.spans.items()}


def _p_values(
    design: Design, tests: Mapping[Term, TermTest], y: Floats
) -> dict[Term, tuple[float | None, float | None]]:
    """Return each component's p and Holm's p.

    A model chosen by the objective would be tested too leniently: its p is joined with that of the
    model fixed beforehand, `min(1, 2 min(p_fixed, p_chosen))`, and Holm counts all components that
    either model tests. Trials placed in view of earlier results have no p.
    """
    if design.kind == "adaptive":
        return dict.fromkeys(tests, (None, None))
    p_values = {term: test.p for term, test in tests.items()}
    if design.fixed is not None:
        fixed_fit = fit_model(design.fixed, y)
        fixed = _tests(fixed_fit, find_noise(design.fixed, fixed_fit, y))
        p_values = {
            term: min(1.0, 2 * min(found[term].p for found in (tests, fixed) if term in found))
            for term in {**tests, **fixed}
        }
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    return {term: (p_values[term], adjusted[term]) for term in tests}


def _welch(design: Design, y: Floats, test: TermTest) -> TermTest:
    """Take Welch's F and p for a single factor with unequal variances, where they can be told."""
    found = welch(y, design.factors[0].codes)
    return test if found is None else replace(test, f=found[0], p=found[2])


def _term_variance(test: TermTest) -> Estimate:
    if test.scale <= 0:
        return Estimate(test.variance, max(test.variance, 0.0), max(test.variance, 0.0))
    low, high = noncentrality_interval(test.ratio, test.df1, test.df2)
    unit = test.scale / test.df1
    return Estimate(test.variance, low * unit, high * unit)


def _left(design: Design, noise: Noise) -> list[Component]:
    """What the model leaves between trials, where replicates tell it from the noise."""
    if noise.variance is None or noise.left_variance is None:
        return []
    value = noise.left_variance
    variance = Estimate(value, max(value, 0.0), max(value, 0.0))
    if noise.left_f is not None and np.isfinite(noise.left_f):
        low, high = noncentrality_interval(noise.left_f, noise.left_df, noise.df)
        unit = noise.variance / design.n_runs
        variance = Estimate(value, low * unit, high * unit)
    f = noise.left_f if noise.left_f is not None and np.isfinite(noise.left_f) else None
    return [
        Component("unresolved", "unresolved", (), variance, df=noise.left_df, f=f, p=noise.left_p)
    ]


def _seed(design: Design, fit: Fit, noise: Noise) -> list[Component]:
    """The common seeds' variance component, with the exact interval of its ratio to the noise."""
    if design.blocks is None:
        return []
    pure = noise.error if noise.variance is None else ErrorTerm(noise.variance, noise.df)
    test = component_test(fit, pure, fit.seeds)
    seeds = design.n_blocks
    value = test.variance * seeds / (seeds - 1)
    variance = Estimate(value, max(value, 0.0), max(value, 0.0))
    if test.scale > 0:
        tails = scipy.special.fdtri(test.df, pure.df, np.array([0.975, 0.025]))
        usual = max(test.ratio, float(scipy.special.fdtri(test.df, pure.df, 0.5)))
        ends = np.array([test.ratio, usual]) / tails - 1
        low, high = np.maximum(ends, 0.0) * test.scale * seeds / (seeds - 1)
        variance = Estimate(value, float(low), float(high))
    f = test.f if np.isfinite(test.f) else None
    seed = Component("seed", "seed", (), variance, df=test.df, squares=test.squares, f=f, p=test.p)
    return [seed]


def _bottom(noise: Noise) -> Component:
    """The noise; without replicates what the model leaves, noise and lack of fit at once."""
    if noise.variance is None:
        left, df = noise.error.variance, noise.error.df
        squares = left * noise.left_df
        return Component(
            "unresolved", "unresolved", (), chi2_interval(left, df), df=df, squares=squares
        )
    variance = chi2_interval(noise.variance, noise.df)
    squares = noise.variance * noise.df
    return Component("noise", "noise", (), variance, df=noise.df, squares=squares)


def _with_shares(design: Design, parts: list[Component], model_df: int) -> tuple[Component, ...]:
    total = sum(part.variance.value for part in parts)
    if total <= 0:
        return tuple(parts)
    raw = {part.term: part.variance.value / total for part in parts if part.term}
    shared = []
    for part in parts:
        bounds = _bounds(design, parts, part, model_df)
        value = min(max(part.variance.value / total, 0.0), 1.0)
        share = Estimate(value, min(bounds[0], value), max(bounds[1], value))
        owner = part.term if part.kind == "main" else None
        with_it = [] if owner is None else [term for term in raw if owner[0] in term]
        shared.append(
            replace(
                part,
                share=share,
                total=_cut(sum(raw[term] for term in with_it)) if owner else None,
                shapley=_cut(sum(raw[term] / len(term) for term in with_it)) if owner else None,
            )
        )
    return tuple(shared)


def _bounds(
    design: Design, parts: list[Component], part: Component, model_df: int
) -> tuple[float, float]:
    bottom = parts[-1].variance
    seed = next((other.variance for other in parts if other.kind == "seed"), _ZERO)
    signals = [other for other in parts[:-1] if other.kind != "seed"]
    rest = max(sum(other.variance.value for other in signals if other is not part), 0.0)
    if part is parts[-1]:
        return noise_interval(_signal(design, signals, part, model_df), seed, bottom)
    if part.kind == "seed":
        return share_interval(seed, _exact(rest + bottom.value))
    fixed = rest + bottom.value
    if is_seed_unseen(parts):
        return share_interval(part.variance, _exact(fixed))
    b = max(seed.value, 0.0)
    spread = Estimate(fixed + b, fixed + min(seed.low, b), fixed + max(seed.high, b))
    return share_interval(part.variance, spread)


def is_seed_unseen(parts: Sequence[Component]) -> bool:
    """Tell whether common seeds show no effect, so that shares' intervals pass them over.

    Two or three seeds leave their variance almost unknown, which would make every interval wide
    whether seeds matter or not; the rule is that for lack of fit (Bancroft 1964).
    """
    seed = next((part for part in parts if part.kind == "seed"), None)
    return seed is not None and seed.p is not None and seed.p >= POOLING_P


def _signal(design: Design, signals: list[Component], bottom: Component, model_df: int) -> Estimate:
    """All that differs between trials at once, with the limits of the test of all of it."""
    value = sum(part.variance.value for part in signals)
    noise = bottom.variance.value
    if noise <= 0:
        return _exact(max(value, 0.0))
    df1 = design.n_cells - 1 if bottom.kind == "noise" else model_df
    unit = noise / design.n_runs
    f = 1 + value / unit / df1
    low, high = noncentrality_interval(f, df1, bottom.df or 1)
    return Estimate(value, low * unit, high * unit)


def _exact(value: float) -> Estimate:
    return Estimate(value, value, value)


def _cut(share: float) -> float:
    return min(max(share, 0.0), 1.0)

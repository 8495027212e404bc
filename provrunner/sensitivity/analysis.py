"""The analysis of one objective over one design, from arrays alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from provrunner.sensitivity.advice import Need, runs_for_effect, runs_for_noise
from provrunner.sensitivity.anova import Fit, fit_model
from provrunner.sensitivity.basis import Floats
from provrunner.sensitivity.compare import Curve, curve_from, curve_of
from provrunner.sensitivity.components import Component, process_components, variance_components
from provrunner.sensitivity.design import Design
from provrunner.sensitivity.gaussian import Process, fit_process
from provrunner.sensitivity.noise import Noise, find_noise
from provrunner.sensitivity.search import choose_surface
from provrunner.sensitivity.trust import Trust, trust_in

PROCESS_MARGIN = 0.05
"""A Gaussian process takes over where its PRESS R² is better by more than this."""

LARGE_DF = 1e6
"""Degrees of freedom of a posterior, whose scale is taken as known."""

__all__ = ["Analysis", "analyse", "interaction_table"]


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What one objective says of a design's factors; lower is better throughout.

    Attributes:
        noise: None when nothing can be concluded, and then no components.
        components: mains by share, interactions by share, seed, unresolved, noise.
        curves: one a factor.
        needs: more runs for an effect of one sigma, one a factor; None where it cannot be said.
        noise_need: more runs that would make the noise estimable; None when it is, or cannot be.
        trust: in the model; None when nothing can be concluded.
        process: the Gaussian process that shares and curves are of; None where they are the linear
            model's.
    """

    design: Design
    y: Floats
    fit: Fit | None
    noise: Noise | None
    components: tuple[Component, ...]
    curves: tuple[Curve, ...]
    needs: tuple[Need | None, ...]
    noise_need: Need | None
    trust: Trust | None = None
    process: Process | None = None

    @property
    def method(self) -> str:
        """What shares and curves are of: `linear_model` or `gaussian_process`."""
        return "linear_model" if self.process is None else "gaussian_process"

    @property
    def is_constant(self) -> bool:
        """Whether the objective never changes."""
        return bool(self.y.size > 0 and np.ptp(self.y) == 0)

    @property
    def sigma(self) -> float | None:
        """Standard deviation between runs of one trial; None when it cannot be told."""
        if self.noise is None or self.noise.variance is None:
            return None
        return float(np.sqrt(self.noise.variance))

    def main(self, position: int) -> Component | None:
        """Return the main effect of a factor; None when nothing can be concluded."""
        return next((part for part in self.components if part.term == (position,)), None)


def analyse(design: Design, y: Floats) -> Analysis:
    """Analyse an objective, of which lower is better.

    Args:
        design: of the analysed runs.
        y: (n_runs,) finite, in the order of the design's runs.
    """
    positions = range(len(design.factors))
    needs: tuple[Need | None, ...] = tuple(None for _ in positions)
    is_constant = bool(y.size > 0 and np.ptp(y) == 0)
    if design.is_scattered and design.is_conclusive and not is_constant:
        design = choose_surface(design, y)
    fit = fit_model(design, y) if design.factors and design.residual_df >= 0 else None
    if fit is None or not design.is_conclusive or is_constant:
        curves = tuple(curve_of(design, fit, None, i) for i in positions) if fit else ()
        need = None if is_constant else runs_for_noise(design)
        return Analysis(design, y, fit, None, (), curves, needs, need)
    noise = find_noise(design, fit, y)
    analysis = Analysis(
        design=design,
        y=y,
        fit=fit,
        noise=noise,
        components=_sorted(variance_components(design, fit, noise, y)),
        curves=tuple(curve_of(design, fit, noise.error, i) for i in positions),
        needs=tuple(runs_for_effect(design, fit, i) for i in positions)
        if design.is_replicated and not design.is_scattered
        else needs,
        noise_need=None if design.is_replicated else runs_for_noise(design),
        trust=trust_in(design, fit, y, noise.error.inflation),
    )
    return _better_surface(analysis)


def _better_surface(analysis: Analysis) -> Analysis:
    """Take shares and curves from a Gaussian process where it predicts clearly better."""
    known = None if analysis.trust is None else analysis.trust.press_r2
    if not analysis.design.is_scattered or known is None or known > 1 - PROCESS_MARGIN:
        return analysis
    process = fit_process(analysis.design, analysis.y, max(known, 0.0) + PROCESS_MARGIN)
    if process is None or analysis.trust is None:
        return analysis
    pairs = zip(analysis.design.factors, process.curves, strict=True)
    return replace(
        analysis,
        components=_sorted(process_components(analysis.design, analysis.components, process)),
        curves=tuple(curve_from(*curve, LARGE_DF, factor) for factor, curve in pairs),
        trust=replace(analysis.trust, press_r2=process.press_r2),
        process=process,
    )


def interaction_table(analysis: Analysis, first: int, second: int) -> Floats | None:
    """Return the fitted interaction of two factors by level; None when the model has none.

    Returns:
        (levels of first, levels of second).
    """
    if analysis.fit is None or analysis.noise is None or (first, second) not in analysis.fit.spans:
        return None
    sizes = [len(analysis.design.factors[i].levels) for i in (first, second)]
    codes = [position.ravel() for position in np.indices(sizes)]
    columns = analysis.design.term_at((first, second), codes)
    fitted = columns @ analysis.fit.coefficients[analysis.fit.spans[(first, second)]]
    return np.asarray(fitted.reshape(sizes))


def _sorted(parts: tuple[Component, ...]) -> tuple[Component, ...]:
    kinds = ("main", "interaction", "seed", "unresolved", "noise")

    def key(part: Component) -> tuple[int, float, int, tuple[int, ...]]:
        share = round(part.share.value, 12) if part.share else 0.0
        return kinds.index(part.kind), -share, len(part.term), part.term

    return tuple(sorted(parts, key=key))

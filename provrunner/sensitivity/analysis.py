"""The analysis of one objective over one design, from arrays alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from provrunner.sensitivity.advice import Need, runs_for_effect, runs_for_noise
from provrunner.sensitivity.anova import Fit, fit_model
from provrunner.sensitivity.basis import Floats, contrasts
from provrunner.sensitivity.compare import Curve, curve_of
from provrunner.sensitivity.components import Component, variance_components
from provrunner.sensitivity.design import Design
from provrunner.sensitivity.noise import Noise, find_noise

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
    """

    design: Design
    y: Floats
    fit: Fit | None
    noise: Noise | None
    components: tuple[Component, ...]
    curves: tuple[Curve, ...]
    needs: tuple[Need | None, ...]
    noise_need: Need | None

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
    fit = fit_model(design, y) if design.factors else None
    is_constant = bool(y.size > 0 and np.ptp(y) == 0)
    if fit is None or not design.is_conclusive or is_constant:
        curves = tuple(curve_of(design, fit, None, i) for i in positions) if fit else ()
        need = None if is_constant else runs_for_noise(design)
        return Analysis(design, y, fit, None, (), curves, needs, need)
    noise = find_noise(design, fit, y)
    return Analysis(
        design=design,
        y=y,
        fit=fit,
        noise=noise,
        components=_sorted(variance_components(design, fit, noise, y)),
        curves=tuple(curve_of(design, fit, noise.error, i) for i in positions),
        needs=tuple(runs_for_effect(design, fit, i) for i in positions)
        if design.is_replicated
        else needs,
        noise_need=None if design.is_replicated else runs_for_noise(design),
    )


def interaction_table(analysis: Analysis, first: int, second: int) -> Floats | None:
    """Return the fitted interaction of two factors by level; None when the model has none.

    Returns:
        (levels of first, levels of second).
    """
    if analysis.fit is None or analysis.noise is None or (first, second) not in analysis.fit.spans:
        return None
    a, b = (contrasts(len(analysis.design.factors[i].levels)) for i in (first, second))
    b_pair = analysis.fit.coefficients[analysis.fit.spans[(first, second)]]
    return np.asarray(a @ b_pair.reshape(a.shape[1], b.shape[1]) @ b.T)


def _sorted(parts: tuple[Component, ...]) -> tuple[Component, ...]:
    kinds = ("main", "interaction", "seed", "unresolved", "noise")

    def key(part: Component) -> tuple[int, float, int, tuple[int, ...]]:
        share = round(part.share.value, 12) if part.share else 0.0
        return kinds.index(part.kind), -share, len(part.term), part.term

    return tuple(sorted(parts, key=key))

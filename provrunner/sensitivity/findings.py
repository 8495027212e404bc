"""What the analysis finds of each factor, in the units and words of the sweep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from provrunner.sensitivity.advice import Need
from provrunner.sensitivity.analysis import Analysis
from provrunner.sensitivity.compare import Curve
from provrunner.sensitivity.components import Component
from provrunner.sensitivity.factors import Factor
from provrunner.sensitivity.intervals import Estimate

__all__ = ["Finding", "find_all"]


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """All that is known of one factor.

    Attributes:
        main: None when nothing can be concluded.
        partners: factors that it interacts with, significantly.
        sigma: noise of one run; None when unknown.
        need: more runs for an effect of one sigma; None where it cannot be said.
    """

    factor: Factor
    curve: Curve
    main: Component | None
    partners: tuple[str, ...]
    sigma: float | None
    need: Need | None

    @property
    def best(self) -> Any:
        """The level with the best marginal mean."""
        return self.factor.levels[self.curve.best]

    @property
    def as_good(self) -> tuple[Any, ...]:
        """The levels that may be the best one, in the order declared; none without a conclusion."""
        if self.main is None:
            return ()
        pairs = zip(self.factor.levels, self.curve.as_good, strict=True)
        return tuple(level for level, good in pairs if good)

    @property
    def gain(self) -> Estimate | None:
        """What tuning gains over the default; None when it is unknown."""
        return self.curve.gain if self.main is not None else None

    @property
    def is_significant(self) -> bool:
        """Whether the main effect is."""
        return self.main is not None and bool(self.main.is_significant)

    @property
    def not_excluded(self) -> float | None:
        """The largest effect that the runs leave possible where none is seen, else None."""
        if self.main is None or self.curve.effect is None or self.is_significant:
            return None
        return self.curve.effect.high

    @property
    def within_sigma(self) -> tuple[Any, ...]:
        """The levels whose marginal mean is within one sigma of the best; none without a sigma."""
        if self.sigma is None or self.main is None:
            return ()
        limit = float(self.curve.means.min()) + self.sigma
        pairs = zip(self.factor.levels, self.curve.means, strict=True)
        return tuple(level for level, mean in pairs if mean <= limit)

    @property
    def worth_tuning(self) -> str:
        """Whether tuning it pays.

        `yes`: the main effect is significant and the default loses, beyond its interval. `no`:
        even the upper end of what the default may lose is below one sigma, the difference that
        another seed makes. Else `unknown`; a lack of runs is never a no.
        """
        if self.gain is None:
            return "unknown"
        if self.is_significant and self.gain.low > 0:
            return "yes"
        is_small = self.sigma is not None and self.gain.high < self.sigma
        return "no" if is_small and not self.partners else "unknown"


def find_all(analysis: Analysis) -> tuple[Finding, ...]:
    """Return one finding a factor, mains with the largest share first."""
    factors = analysis.design.factors
    pairs = [
        part.term
        for part in analysis.components
        if part.kind == "interaction" and part.is_significant
    ]
    findings = []
    for i, (factor, curve) in enumerate(zip(factors, analysis.curves, strict=True)):
        partners = sorted({j for term in pairs if i in term for j in term} - {i})
        findings.append(
            Finding(
                factor=factor,
                curve=curve,
                main=analysis.main(i),
                partners=tuple(factors[j].name for j in partners),
                sigma=analysis.sigma,
                need=analysis.needs[i],
            )
        )
    order = {part.name: rank for rank, part in enumerate(analysis.components)}
    return tuple(sorted(findings, key=lambda found: order.get(found.factor.name, 0)))

"""How far the fitted model may be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from provrunner.sensitivity.anova import Fit, press_residuals
from provrunner.sensitivity.basis import Floats
from provrunner.sensitivity.design import Design

__all__ = ["HIGH_TRUST", "LOW_TRUST", "Trust", "press_r2", "trust_in"]

HIGH_TRUST = 0.7
"""PRESS R² from which trust is high."""

LOW_TRUST = 0.3
"""PRESS R² below which trust is low."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What speaks for a model and against it.

    Attributes:
        press_r2: part of the variance that the model predicts in runs left out one at a time; below
            0 it predicts worse than the mean. None where a run cannot be left out.
        runs_per_parameter: runs over coefficients.
        residual_df: degrees of freedom that the model leaves.
        leverage: the largest; a run of leverage 1 decides a coefficient alone.
    """

    press_r2: float | None
    runs_per_parameter: float
    residual_df: int
    leverage: float

    @property
    def level(self) -> str | None:
        """`high`, `medium` or `low`; None where runs cannot be left out."""
        if self.press_r2 is None:
            return None
        if self.press_r2 >= HIGH_TRUST:
            return "high"
        return "medium" if self.press_r2 >= LOW_TRUST else "low"


def trust_in(design: Design, fit: Fit, y: Floats, inflation: float = 1.0) -> Trust:
    """Judge a fitted model by what it predicts of runs that it has not seen.

    A model that was chosen by this very measure looks better than it is; its errors are taken
    times the inflation that tests take.

    Args:
        design: of the analysed runs.
        fit: of the objective.
        y: the objective.
        inflation: of the error variance (`ErrorTerm.inflation`).
    """
    known = press_r2(fit.residuals, fit.leverage, y)
    size = fit.coefficients.size
    return Trust(
        press_r2=None if known is None else 1 - (1 - known) * inflation,
        runs_per_parameter=design.n_runs / size,
        residual_df=fit.df,
        leverage=float(fit.leverage.max(initial=0.0)),
    )


def press_r2(residuals: Floats, leverage: Floats, y: Floats) -> float | None:
    """Return the part of the variance that is predicted when runs are left out one at a time.

    Against the mean of the other runs (Allen 1974); None where a run cannot be left out.

    Example:
        >>> press_r2(np.array([0.5, -0.5]), np.array([0.5, 0.5]), np.array([1.0, 0.0]))
        0.0
    """
    if y.size < 2 or leverage.max() > 1 - 1e-8 or np.ptp(y) == 0:
        return None
    around_mean = (y - y.mean()) * y.size / (y.size - 1)
    press = float((press_residuals(residuals, leverage) ** 2).sum())
    return 1 - press / float(around_mean @ around_mean)

"""The factors of the analysis: hyperparameters that vary, merged where they vary together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from provrunner.sensitivity.basis import Floats, Ints, confounded, contrasts
from provrunner.sensitivity.levels import level_key, level_lookup, match_level, order_levels
from provrunner.sensitivity.numbers import format_level
from provrunner.sensitivity.study import Parameter
from provrunner.sensitivity.trials import Run

__all__ = ["Factor", "build_factors", "merge_aliased"]


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """What the analysis varies: one hyperparameter, or several that the runs cannot tell apart.

    Attributes:
        name: the hyperparameter's name; of several, their names joined by ` & `.
        parameters: the names of the hyperparameters in it.
        levels: the levels seen in the analysed runs, in the order declared.
        codes: the position in `levels` of each analysed run's level.
        default: the default's position in `levels`; None when it is unknown or was not run.
        default_value: the default itself; None when unknown.
    """

    name: str
    parameters: tuple[str, ...]
    scale: str
    levels: tuple[Any, ...]
    codes: Ints
    default: int | None
    default_value: Any

    @property
    def df(self) -> int:
        """Degrees of freedom of the main effect."""
        return len(self.levels) - 1

    @property
    def columns(self) -> Floats:
        """The main effect's columns, one row an analysed run."""
        return contrasts(len(self.levels))[self.codes]


def build_factors(runs: Sequence[Run], parameters: Sequence[Parameter]) -> tuple[Factor, ...]:
    """Return a factor for each parameter, constants included, over the levels that were run."""
    return tuple(_factor(runs, parameter) for parameter in parameters)


def merge_aliased(factors: Sequence[Factor]) -> tuple[Factor, ...]:
    """Merge factors whose main effects the runs cannot tell apart, until all can be told.

    A merged factor has a level for each combination seen, so that its share is never split by
    guess.

    Args:
        factors: factors with two levels or more each.
    """
    factors = tuple(factors)
    if len(factors) < 2:
        return factors
    groups = _groups(confounded([factor.columns for factor in factors]))
    if len(groups) == len(factors):
        return factors
    return merge_aliased([_merge([factors[i] for i in group]) for group in groups])


def _factor(runs: Sequence[Run], parameter: Parameter) -> Factor:
    values = [run.values[parameter.name] for run in runs]
    levels = order_levels(values, parameter.levels)
    position = {level_key(level): i for i, level in enumerate(levels)}
    default = match_level(parameter.default, level_lookup(parameter.levels))
    return Factor(
        name=parameter.name,
        parameters=(parameter.name,),
        scale=parameter.scale,
        levels=levels,
        codes=np.array([position[level_key(value)] for value in values], dtype=np.intp),
        default=position.get(level_key(default)),
        default_value=default,
    )


def _groups(linked: np.ndarray[Any, np.dtype[np.bool_]]) -> list[list[int]]:
    groups: list[list[int]] = []
    for i in range(linked.shape[0]):
        joined = [group for group in groups if linked[i, group].any()]
        merged = sorted([i, *(member for group in joined for member in group)])
        groups = [group for group in groups if group not in joined] + [merged]
    return sorted(groups)


def _merge(factors: Sequence[Factor]) -> Factor:
    if len(factors) == 1:
        return factors[0]
    table = np.stack([factor.codes for factor in factors], axis=1)
    seen, codes = np.unique(table, axis=0, return_inverse=True)
    defaults = [factor.default for factor in factors]
    rows = [tuple(row) for row in seen.tolist()]
    default = rows.index(tuple(defaults)) if tuple(defaults) in rows else None
    levels = tuple(_joint_level(factors, row) for row in rows)
    return Factor(
        name=" & ".join(factor.name for factor in factors),
        parameters=tuple(name for factor in factors for name in factor.parameters),
        scale="categorical",
        levels=levels,
        codes=codes.reshape(-1).astype(np.intp),
        default=default,
        default_value=None if default is None else levels[default],
    )


def _joint_level(factors: Sequence[Factor], row: Sequence[int]) -> str:
    pairs = zip(factors, row, strict=True)
    return " & ".join(format_level(factor.levels[code]) for factor, code in pairs)

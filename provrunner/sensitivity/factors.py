"""The factors of the analysis: hyperparameters that vary, merged where they vary together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from provrunner.sensitivity.axes import Axis, place_on_axis
from provrunner.sensitivity.basis import Floats, Ints, confounded, contrasts
from provrunner.sensitivity.levels import level_key, level_lookup, match_level, order_named
from provrunner.sensitivity.numbers import format_level
from provrunner.sensitivity.study import Parameter
from provrunner.sensitivity.trials import Run, levels_of

__all__ = ["Factor", "build_factors", "merge_aliased", "place_factors"]

MIN_RANGE_LEVELS = 7
"""Numbers with fewer levels are levels, unless a range was declared."""

MAX_TRIALS_A_LEVEL = 5
"""Numbers that come back this often are levels, unless a range was declared."""


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
        axis: where any number in a range is meant; the levels are then the points at which its
            curve is shown, and a run's code is the nearest one's.
    """

    name: str
    parameters: tuple[str, ...]
    scale: str
    levels: tuple[Any, ...]
    codes: Ints
    default: int | None
    default_value: Any
    axis: Axis | None = None

    @property
    def df(self) -> int:
        """Degrees of freedom of the main effect."""
        return len(self.levels) - 1 if self.axis is None else self.axis.size

    @property
    def columns(self) -> Floats:
        """The main effect's columns, one row an analysed run."""
        return self.table[:, : self.df]

    @property
    def table(self) -> Floats:
        """All columns that effects may use, one row an analysed run."""
        return contrasts(len(self.levels))[self.codes] if self.axis is None else self.axis.table

    @property
    def at_levels(self) -> Floats:
        """The same columns, one row a level."""
        return contrasts(len(self.levels)) if self.axis is None else self.axis.at_levels

    def with_size(self, size: int) -> Factor:
        """Return the factor with a main effect of so many columns; levels keep theirs."""
        return self if self.axis is None else replace(self, axis=self.axis.with_size(size))


def build_factors(runs: Sequence[Run], parameters: Sequence[Parameter]) -> tuple[Factor, ...]:
    """Return a factor for each parameter, constants included, over the levels that were run."""
    return tuple(_factor(runs, parameter) for parameter in parameters)


def place_factors(
    factors: Sequence[Factor], runs: Sequence[Run], parameters: Sequence[Parameter], n_trials: int
) -> tuple[Factor, ...]:
    """Place on an axis what was drawn from a range; leave the other factors as they are.

    That is a parameter with declared ends, or one with seven numbers or more that come back in
    fewer than five trials each.

    Args:
        factors: two levels at least each.
        runs: the analysed runs.
        parameters: as declared, those of the factors among them.
        n_trials: trials with an analysed run.
    """
    declared = {parameter.name: parameter for parameter in parameters}
    drawn = [_is_drawn(factor, declared[factor.name], n_trials) for factor in factors]
    parents = [
        (factor.codes, len(factor.levels))
        for factor, is_drawn in zip(factors, drawn, strict=True)
        if not is_drawn
    ]
    placed = []
    for factor, is_drawn in zip(factors, drawn, strict=True):
        values = [run.values[factor.name] for run in runs]
        found = place_on_axis(values, declared[factor.name], parents) if is_drawn else None
        placed.append(
            factor
            if found is None
            else replace(
                factor,
                scale="log" if found.axis.span.is_log else "linear",
                levels=found.levels,
                codes=found.codes,
                default=found.default,
                axis=found.axis,
            )
        )
    return tuple(placed)


def _is_drawn(factor: Factor, parameter: Parameter, n_trials: int) -> bool:
    if parameter.low is not None or parameter.high is not None:
        return True
    levels = len([level for level in factor.levels if level is not None])
    return levels >= MIN_RANGE_LEVELS and n_trials < MAX_TRIALS_A_LEVEL * levels


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
    names, known = levels_of(runs, parameter.name)
    named = order_named(known, parameter.levels)
    position = {name: i for i, name in enumerate(named)}
    default = match_level(parameter.default, level_lookup(parameter.levels))
    return Factor(
        name=parameter.name,
        parameters=(parameter.name,),
        scale=parameter.scale,
        levels=tuple(named.values()),
        codes=np.array([position[name] for name in names], dtype=np.intp),
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
    names = " & ".join(factor.name for factor in factors)
    members = tuple(name for factor in factors for name in factor.parameters)
    drawn = next((factor for factor in factors if factor.axis is not None), None)
    if drawn is not None:
        # one of them says where a run lies; what moves with it is not known apart
        return replace(drawn, name=names, parameters=members)
    defaults = [factor.default for factor in factors]
    rows = [tuple(row) for row in seen.tolist()]
    default = rows.index(tuple(defaults)) if tuple(defaults) in rows else None
    levels = tuple(_joint_level(factors, row) for row in rows)
    return Factor(
        name=names,
        parameters=members,
        scale="categorical",
        levels=levels,
        codes=codes.reshape(-1).astype(np.intp),
        default=default,
        default_value=None if default is None else levels[default],
    )


def _joint_level(factors: Sequence[Factor], row: Sequence[int]) -> str:
    pairs = zip(factors, row, strict=True)
    return " & ".join(format_level(factor.levels[code]) for factor, code in pairs)

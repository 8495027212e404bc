"""Axes as parameters of Optuna's: what is suggested for each, and the values that it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from provrunner.compose.axes import Axis
from provrunner.compose.space import Space
from provrunner.ids import canonical_json

if TYPE_CHECKING:
    from optuna.trial import Trial

__all__ = ["Coordinate", "coordinate_of", "suggest"]


@dataclass(frozen=True, slots=True)
class Coordinate:
    """One parameter of Optuna's: an axis, or several that move together.

    Attributes:
        name: as Optuna's dashboard shows it.
        block: the names of its axes.
        axis: the first of them.
        choices: by what Optuna chooses, the levels of the axes; None for numbers.
        step: between whole numbers; 0 where the axis is a range.
    """

    name: str
    block: tuple[str, ...]
    axis: Axis
    choices: Mapping[Any, tuple[Any, ...]] | None = None
    step: int = 0

    def decode(self, chosen: Any) -> dict[str, Any]:
        """Return the axes' values for what Optuna chose."""
        levels = (chosen,) if self.choices is None else self.choices[chosen]
        return dict(zip(self.block, levels, strict=True))

    def encode(self, point: Mapping[str, Any]) -> Any:
        """Return what Optuna would have to choose for a point of the space."""
        levels = tuple(point[name] for name in self.block)
        if self.choices is None:
            return levels[0]
        return next(choice for choice, held in self.choices.items() if held == levels)


def coordinate_of(space: Space, block: tuple[str, ...]) -> Coordinate:
    """Return the parameter of axes that vary as one: whole numbers in even steps, or choices."""
    axes = [space.axes[name] for name in block]
    axis, name = axes[0], " & ".join(block)
    if axis.span is not None:
        return Coordinate(name, block, axis)
    steps = (
        {after - before for before, after in pairwise(axis.levels)} if _is_whole(axis) else set()
    )
    if len(block) == 1 and len(steps) == 1 and min(steps) > 0 and len(axis.levels) > 2:
        return Coordinate(name, block, axis, step=min(steps))
    levels = list(zip(*(one.levels for one in axes), strict=True))
    kinds = {type(level) for level in axis.levels}
    is_plain = len(block) == 1 and (kinds <= {int, float} or kinds == {str})
    if is_plain:
        return Coordinate(name, block, axis, {held[0]: held for held in levels})
    return Coordinate(name, block, axis, {canonical_json(list(held)): held for held in levels})


def suggest(trial: Trial, one: Coordinate) -> Any:
    """Ask a trial of Optuna's for a parameter."""
    if one.choices is not None:
        return trial.suggest_categorical(one.name, list(one.choices))
    if one.step:
        low, high = one.axis.levels[0], one.axis.levels[-1]
        return trial.suggest_int(one.name, low, high, step=one.step)
    low, high = one.axis.span or (0, 1)
    is_log = one.axis.scale == "log"
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(one.name, low, high, log=is_log)
    return trial.suggest_float(one.name, low, high, log=is_log)


def _is_whole(axis: Axis) -> bool:
    return axis.scale == "linear" and {type(level) for level in axis.levels} == {int}

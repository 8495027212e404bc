"""What a sweep declared: its objective and the hyperparameters that it varied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["PROGRAM", "Parameter", "Study"]

PROGRAM = "program"
"""Design of a sweep whose runs a program of anyone's made, each a trial of its own."""

_DIRECTIONS = ("minimize", "maximize")
_SCALES = ("linear", "log", "categorical")
_SEEDS = ("common", "independent")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One swept hyperparameter.

    Attributes:
        name: its configuration path, such as `optimizer.lr`.
        levels: the values declared, in the order declared.
        scale: `log` or `linear` for numbers, `categorical` for the rest.
        default: what the composed configuration holds without the sweep. None is unknown, unless
            None is one of the levels.
        low: lower end of the range that it was drawn from; None when levels were declared.
        high: upper end of that range.
    """

    name: str
    levels: tuple[Any, ...]
    scale: str = "categorical"
    default: Any = None
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        """Refuse an unknown scale and a range that is none."""
        _check_choice("scale", self.scale, _SCALES)
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(
                f"{self.name} has the range {self.low} to {self.high}; expected low < high"
            )


@dataclass(frozen=True, slots=True)
class Study:
    """What a sweep is judged by, over which hyperparameters, with which seeds.

    Attributes:
        name: what the user calls the sweep.
        metric: the name of the objective.
        direction: `minimize` or `maximize`.
        seeds: `common` when all trials share their seeds (a block in the analysis), else
            `independent`.
        planned: runs that the sweep promised.
        design: how the sweep says that its points were chosen, such as `random`, `sobol` or `tpe`;
            `PROGRAM`; empty when nothing is known, and then their order is looked at.
        others: further objectives, as names of columns and directions.
    """

    name: str
    metric: str
    direction: str
    parameters: tuple[Parameter, ...]
    seeds: str = "common"
    planned: int = 0
    design: str = ""
    others: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Refuse an unknown direction or kind of seeds."""
        for direction in (self.direction, *(other for _, other in self.others)):
            _check_choice("direction", direction, _DIRECTIONS)
        _check_choice("seeds", self.seeds, _SEEDS)

    @property
    def sign(self) -> float:
        """1 where lower is better, -1 where higher is better."""
        return 1.0 if self.direction == "minimize" else -1.0


def _check_choice(field: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{field} is {value!r}; expected one of {', '.join(choices)}")

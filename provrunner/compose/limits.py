"""What a sweep may not be, found before its plan is made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from provrunner.compose.axes import Axis
from provrunner.compose.declaration import Declaration
from provrunner.errors import ConfigError
from provrunner.ids import canonical_json
from provrunner.redaction import redact_value

__all__ = ["check_axes", "check_distinct", "check_size"]

_MAX_RUNS = 1000


def check_axes(declared: Declaration, axes: Mapping[str, Axis]) -> None:
    """Refuse secrets, a range where levels are enumerated, and a draw from nothing.

    Raises:
        ConfigError: an axis is one of these, or there is none to draw from.
    """
    for axis in axes.values():
        if any(_holds_secret(axis.name, level) for level in axis.levels):
            raise ConfigError(
                f"{axis.where}: {axis.name!r} looks like a secret, and the values of an axis stand "
                "in the sweep's plan; sweep a key that says which secret to take, and read that "
                "from the environment: ${oc.env:NAME}"
            )
        if axis.span is not None and (not declared.is_drawn or axis.name == "seed"):
            raise ConfigError(
                f"{axis.where}: {axis.grammar!r}: interval() has no levels to enumerate; design "
                f"{declared.design} needs choice() or range(); random, sobol, lhs and the adaptive "
                "designs draw from it"
            )
    if declared.is_drawn and not axes.keys() - {"seed"}:
        raise ConfigError(f"{declared.where}: sweep.params: design {declared.design} has no axes")


def check_size(
    declared: Declaration, axes: Mapping[str, Axis], replicates: int, *, is_confirmed: bool
) -> None:
    """Refuse more than a thousand runs that nobody has confirmed.

    Args:
        declared: the sweep.
        axes: those of the grid.
        replicates: runs of each trial.
        is_confirmed: whether the command line has `yes=true`.

    Raises:
        ConfigError: they are more.
    """
    trials = math.prod(len(axis.levels) for axis in axes.values())
    if declared.design == "list":
        trials = len(declared.points)
    elif declared.design == "ofat":
        trials = 1 + sum(len(axis.levels) for axis in axes.values())
    elif declared.is_drawn:
        trials = len(declared.points) + (declared.trials or 0)
    runs = trials * replicates
    if runs > _MAX_RUNS and not is_confirmed:
        raise ConfigError(
            f"{declared.where}: {runs} runs = {trials} trials × {replicates} seeds; "
            f"more than {_MAX_RUNS} need yes=true on the command line"
        )


def check_distinct(trials: Sequence[Mapping[str, Any]], where: str) -> None:
    """Refuse a list with two points alike.

    Raises:
        ConfigError: it has such.
    """
    first: dict[str, int] = {}
    for number, values in enumerate(trials):
        same = first.setdefault(canonical_json(dict(values)), number)
        if same != number:
            raise ConfigError(
                f"{where}: sweep.points: points {same} and {number} are duplicates: "
                f"{dict(values)}; for more runs of a point use sweep.replicates"
            )


def _holds_secret(name: str, level: object) -> bool:
    return canonical_json(redact_value(name, level)) != canonical_json(level)

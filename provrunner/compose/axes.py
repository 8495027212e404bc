"""Read a sweep's axes from its file and the command line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from hydra.core.override_parser.types import (
    ChoiceSweep,
    Glob,
    IntervalSweep,
    Override,
    RangeSweep,
    Sweep,
)

from provrunner.compose.load import group_options, parse_overrides
from provrunner.compose.values import plain_value, to_text
from provrunner.errors import ConfigError
from provrunner.ids import canonical_json

__all__ = ["COMMAND_LINE", "Axis", "command_line_axes", "file_axes", "infer_scale", "list_axes"]

COMMAND_LINE = "command line"
_MAX_LEVELS = 100_000
_SCALES = ("log", "linear", "categorical")
_NOT_SWEPT = (
    *("folder", "hydra", "on_error", "output", "provenance", "reason", "run"),
    *("sweep", "test", "yes"),
)


@dataclass(frozen=True, slots=True)
class Axis:
    """A key with the values it is to take.

    Attributes:
        name: the key, such as `optimizer.lr`, or the group, such as `model`.
        levels: the values in the order declared; empty for a range.
        scale: `log`, `linear` or `categorical`.
        grammar: the axis as a Hydra override, with the `+` of a key that is added.
        where: the file or command line that declares it.
        span: both ends of a range, whole numbers where only such are drawn; None for levels.
    """

    name: str
    levels: tuple[Any, ...]
    scale: str
    grammar: str
    where: str
    span: tuple[float, float] | None = None


def command_line_axes(arguments: Sequence[str]) -> dict[str, Axis]:
    """Return the axes among overrides, by name.

    Raises:
        ConfigError: an axis that cannot be enumerated, is empty, or has one level.

    Example:
        >>> command_line_axes(["seed=1", "optimizer.lr=0.1,0.2"])["optimizer.lr"].levels
        (0.1, 0.2)
    """
    axes = [_axis(one, COMMAND_LINE) for one in parse_overrides(arguments) if _is_axis(one)]
    return {axis.name: axis for axis in axes}


def file_axes(params: Mapping[str, Any], where: str) -> dict[str, Axis]:
    """Return the axes that a sweep file declares in `sweep.params`, by name.

    Args:
        params: text in the grammar of Hydra's sweeps, or a list of levels, by key.
        where: the file, for errors.
    """
    axes = {}
    for key, value in params.items():
        if isinstance(value, Mapping):
            raise ConfigError(
                f"{where}: sweep.params: {key!r} holds a mapping; "
                f"write the whole key, such as '{key}.lr: choice(0.01, 0.1)'"
            )
        if isinstance(value, list):
            _check_levels(str(key), value, where)
        text = value if isinstance(value, str) else _grammar(value)
        axis = _axis(parse_overrides([f"{key}={text}"], f"{where}: sweep.params")[0], where)
        axes[axis.name] = axis
    return axes


def list_axes(points: Sequence[Mapping[str, Any]], where: str) -> dict[str, Axis]:
    """Return the axes that a list of points spans, by name."""
    axes: dict[str, Axis] = {}
    for name in points[0] if points else ():
        values = {_identity(point[name]): point[name] for point in points}
        levels = tuple(values.values())
        _check_levels(name, levels, where)
        grammar = f"{name}={_grammar(list(levels))}"
        axes[name] = Axis(name, levels, infer_scale(levels), grammar, where)
    return axes


def infer_scale(levels: Sequence[Any]) -> str:
    """Tell how numbers are spaced: `log` or `linear`; anything else is `categorical`.

    Log: positive and over three decades or more, or at least three levels with ratios that are
    equal within a tenth of their logarithm, unless their differences are equal.

    Example:
        >>> infer_scale([0.001, 0.003, 0.01]), infer_scale([1, 2, 3]), infer_scale(["a", "b"])
        ('log', 'linear', 'categorical')
    """
    if not all(isinstance(level, int | float) and not isinstance(level, bool) for level in levels):
        return "categorical"
    ordered = sorted(levels)
    if not all(math.isfinite(level) and level > 0 for level in ordered):
        return "linear"
    if ordered[-1] / ordered[0] >= 1000:
        return "log"
    is_log = _is_even([math.log(level) for level in ordered], 0.1) and not _is_even(ordered, 1e-6)
    return "log" if is_log else "linear"


def _grammar(value: Any) -> str:
    """Write levels as a sweep; Hydra's choice() takes no null, its short form does."""
    if not isinstance(value, list):
        return to_text(value)
    levels = ",".join(map(to_text, value))
    return levels if None in value else f"choice({levels})"


def _is_even(ordered: Sequence[float], tolerance: float) -> bool:
    steps = [later - earlier for earlier, later in pairwise(ordered)]
    mean = sum(steps) / len(steps) if steps else 0.0
    return len(steps) >= 2 and all(abs(step - mean) <= tolerance * mean for step in steps)


def _is_axis(override: Override) -> bool:
    return override.is_sweep_override() and not override.is_hydra_override()


def _axis(override: Override, where: str) -> Axis:
    name, text = _name(override), override.input_line or ""
    if name.split(".")[0].split("/")[0] in _NOT_SWEPT:
        raise ConfigError(f"{where}: {text!r}: {name!r} is no hyperparameter and cannot be swept")
    if not override.is_sweep_override():
        raise ConfigError(
            f"{where}: {text!r}: {name!r} has 1 level; an axis needs at least 2, "
            "such as choice(0.01, 0.1)"
        )
    value, tags = override.value(), _tags(override)
    if isinstance(value, IntervalSweep):
        return _range_axis(name, value, "log" in tags, text, where)
    levels = tuple(_levels(override, where))
    _check_levels(name, levels, where)
    scale = next((tag for tag in _SCALES if tag in tags), None) or infer_scale(levels)
    return Axis(name, levels, scale, text, where)


def _range_axis(name: str, value: IntervalSweep, is_log: bool, text: str, where: str) -> Axis:
    low, high = value.start or 0, value.end or 0
    if not (low < high and math.isfinite(low) and math.isfinite(high)):
        raise ConfigError(f"{where}: {text!r}: expected interval(low, high) with low < high")
    if is_log and low <= 0:
        raise ConfigError(f"{where}: {text!r}: a logarithm needs a range above 0")
    return Axis(name, (), "log" if is_log else "linear", text, where, (low, high))


def _name(override: Override) -> str:
    package = f"@{override.package}" if override.package else ""
    return f"{override.key_or_group}{package}"


def _tags(override: Override) -> set[str]:
    value = override.value()
    return value.tags if isinstance(value, Sweep) else set()


def _levels(override: Override, where: str) -> Iterator[Any]:
    value: object = override.value()
    if getattr(value, "shuffle", False):
        raise ConfigError(
            f"{where}: {override.input_line!r}: shuffle() has no meaning here; "
            "a plan's runs come in the order of its levels"
        )
    if isinstance(value, Glob):
        return iter(value.filter(list(group_options(override.key_or_group))))
    if isinstance(value, RangeSweep):
        return _range(value, f"{where}: {override.input_line!r}")
    return (
        (plain_value(item) for item in value.list) if isinstance(value, ChoiceSweep) else iter(())
    )


def _range(value: RangeSweep, where: str) -> Iterator[int | float]:
    """Enumerate in decimal arithmetic: range(0.1, 0.4, 0.1) gives 0.3, not 0.30000000000000004."""
    start, stop, step = (Decimal(str(end)) for end in (value.start, value.stop, value.step))
    count = math.ceil((stop - start) / step) if step else 0
    if not step:
        raise ConfigError(f"{where}: a range needs a step other than 0")
    if count > _MAX_LEVELS:
        raise ConfigError(f"{where}: {count} levels; an axis has at most {_MAX_LEVELS}")
    is_int = all(isinstance(end, int) for end in (value.start, value.stop, value.step))
    kind = int if is_int else float
    return (kind(start + index * step) for index in range(count))


def _check_levels(name: str, levels: Sequence[Any], where: str) -> None:
    if not levels:
        raise ConfigError(f"{where}: {name!r} has no levels; an axis needs at least 2")
    if len(levels) == 1:
        raise ConfigError(
            f"{where}: {name!r} has 1 level, {levels[0]!r}; an axis needs at least 2 "
            f"(to fix it, give {name}={to_text(levels[0])} outside the axes)"
        )
    seen: set[str] = set()
    for level in levels:
        if _identity(level) in seen:
            raise ConfigError(
                f"{where}: {name!r} has the level {level!r} twice: "
                "those points would be duplicates; for more runs of a point use sweep.replicates"
            )
        seen.add(_identity(level))


def _identity(value: Any) -> str:
    """Name a value such that 1 and 1.0 are the same and 1 and true are not."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return canonical_json(float(value) if is_number else value)

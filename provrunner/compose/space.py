"""The space that axes span: which of them move together, and which are active where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any

from provrunner.compose.axes import Axis
from provrunner.errors import ConfigError, nearest
from provrunner.ids import canonical_json

__all__ = ["Space", "check_within", "read_space"]

_Levels = Mapping[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Space:
    """Axes, those that move together, and those that only some levels of others make active.

    Attributes:
        axes: by name, in the order declared.
        zipped: names of axes that take their first levels together, then their second, and so on.
        when: by the name of an axis, the levels of others at which alone it has a value.
    """

    axes: Mapping[str, Axis]
    zipped: tuple[tuple[str, ...], ...] = ()
    when: Mapping[str, _Levels] = field(default_factory=dict)

    @cached_property
    def blocks(self) -> tuple[tuple[str, ...], ...]:
        """What varies by itself: lone axes, and zipped ones in the place of their first."""
        groups = {name: group for group in self.zipped for name in group}
        return tuple(dict.fromkeys(groups.get(name, (name,)) for name in self.axes))

    @cached_property
    def ordered(self) -> tuple[tuple[str, ...], ...]:
        """The blocks, each after those that decide whether it is active."""
        left, placed = list(self.blocks), list[tuple[str, ...]]()
        while left:
            known = {name for block in placed for name in block}
            block = next(b for b in left if known.issuperset(self.when.get(b[0], ())))
            left.remove(block)
            placed.append(block)
        return tuple(placed)

    def is_active(self, block: Sequence[str], values: Mapping[str, Any]) -> bool:
        """Tell whether a block has a value where the axes before it have these."""
        conditions = self.when.get(block[0], {})
        return all(name in values and values[name] in conditions[name] for name in conditions)

    def point(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return a point without the values of axes that are not active in it.

        Args:
            values: of every axis.

        Example:
            >>> axes = {name: Axis(name, ("a", "b"), "categorical", "", "") for name in "xy"}
            >>> space = Space(axes, when={"x": {"y": ("b",)}})
            >>> space.point({"x": "a", "y": "b"}), space.point({"x": "a", "y": "a"})
            ({'x': 'a', 'y': 'b'}, {'y': 'a'})
        """
        active: dict[str, Any] = {}
        for block in self.ordered:
            if self.is_active(block, active):
                active |= {name: values[name] for name in block}
        return {name: active[name] for name in self.axes if name in active}

    def grid(self) -> list[dict[str, Any]]:
        """Return all combinations of levels, once each, the last axis changing fastest."""
        return _distinct(self.point(values) for values in self._combinations())

    def _combinations(self) -> Iterator[dict[str, Any]]:
        sizes = [range(len(self.axes[block[0]].levels)) for block in self.blocks]
        for places in product(*sizes):
            yield {
                name: self.axes[name].levels[place]
                for block, place in zip(self.blocks, places, strict=True)
                for name in block
            }


def read_space(
    axes: Mapping[str, Axis],
    zipped: Sequence[Sequence[str]],
    when: Mapping[str, Mapping[str, Any]],
    *,
    fixed: Mapping[str, Any],
    where: str,
) -> Space:
    """Check what `sweep.zip` and `sweep.when` say of a sweep's axes.

    Args:
        axes: by name.
        zipped: groups of names.
        when: by name, a level or list of levels of other axes.
        fixed: values that the command line gives to keys; an axis that it fixes is none any more.
        where: the file, for errors.

    Raises:
        ConfigError: a name is no axis, levels do not fit, or axes wait for each other.
    """
    known = {*axes, *fixed}
    groups = [tuple(name for name in group if name not in fixed) for group in zipped]
    groups = [group for group in groups if len(group) > 1]
    _check_zipped(groups, axes, known, where)
    conditions: dict[str, dict[str, tuple[Any, ...]]] = {}
    dropped: set[str] = set()
    for name, parents in when.items():
        _check_known(name, known, f"{where}: sweep.when")
        levels = {one: _listed(value) for one, value in parents.items()}
        for parent, wanted in levels.items():
            path = f"{where}: sweep.when: {name}"
            _check_known(parent, known, path)
            if parent in axes:
                _check_levels(axes[parent], wanted, path)
        if any(parent in fixed and fixed[parent] not in levels[parent] for parent in levels):
            dropped.add(name)
        conditions[name] = {one: levels[one] for one in levels if one not in fixed}
    kept = {name: axis for name, axis in axes.items() if name not in dropped}
    when_kept = {name: levels for name, levels in conditions.items() if name in kept and levels}
    _check_order(when_kept, {name for group in groups for name in group}, where)
    return Space(kept, tuple(groups), when_kept)


def check_within(space: Space, points: Sequence[Mapping[str, Any]], where: str) -> None:
    """Check that points lie in a space: a sampler can be told of no others.

    Args:
        space: the axes.
        points: each with a value for every axis that is active in it.
        where: of the points, for errors.

    Raises:
        ConfigError: a value is no level of its axis, or out of its range, or zipped axes have
            levels that they do not take together.
    """
    for point in points:
        for name, value in point.items():
            axis = space.axes[name]
            if not (value in axis.levels if axis.span is None else _is_in(value, axis.span)):
                raise ConfigError(f"{where}: {name}: {value!r} lies outside of {axis.grammar!r}")
        for group in space.zipped:
            together = zip(*(space.axes[name].levels for name in group), strict=True)
            if tuple(point[name] for name in group) not in together:
                raise ConfigError(f"{where}: {dict(point)}: {', '.join(group)} move together")


def _is_in(value: Any, span: tuple[float, float]) -> bool:
    return isinstance(value, int | float) and span[0] <= value <= span[1]


def _check_zipped(
    groups: Sequence[Sequence[str]], axes: Mapping[str, Axis], known: set[str], where: str
) -> None:
    seen: set[str] = set()
    for group in groups:
        for name in group:
            _check_known(name, known, f"{where}: sweep.zip")
            if name in seen:
                raise ConfigError(f"{where}: sweep.zip: {name!r} stands in it twice")
            seen.add(name)
        sizes = {name: len(axes[name].levels) for name in group}
        if len(set(sizes.values())) > 1 or 0 in sizes.values():
            told = ", ".join(f"{name} has {sizes[name] or 'a range'}" for name in group)
            raise ConfigError(
                f"{where}: sweep.zip: axes that move together need as many levels each: {told}"
            )


def _check_levels(parent: Axis, wanted: Sequence[Any], path: str) -> None:
    if not parent.levels:
        raise ConfigError(
            f"{path}: {parent.name!r} is a range; only a level can make an axis active"
        )
    for level in wanted:
        if level not in parent.levels:
            near = nearest(str(level), map(str, parent.levels))
            raise ConfigError(f"{path}: {parent.name!r} has no level {level!r}{near}")


def _check_known(name: str, known: set[str], path: str) -> None:
    if name not in known:
        raise ConfigError(f"{path}: {name!r} is no axis of this sweep{nearest(name, known)}")


def _check_order(when: Mapping[str, _Levels], zipped: set[str], where: str) -> None:
    for name in when:
        if name in zipped:
            raise ConfigError(
                f"{where}: sweep.when: {name!r} is zipped with others, which are always active"
            )
    open_, waiting = dict(when), 0
    while len(open_) != waiting:
        waiting = len(open_)
        open_ = {name: on for name, on in open_.items() if any(one in open_ for one in on)}
    if open_:
        raise ConfigError(
            f"{where}: sweep.when: {', '.join(open_)} wait for each other; none can be active first"
        )


def _listed(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


def _distinct(points: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({canonical_json(point): point for point in points}.values())

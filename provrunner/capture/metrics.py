"""Finds the values that the user logged since the last look, without waiting for a device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from operator import attrgetter, is_
from typing import Any

import torch

from provrunner.capture.recorder import shorten
from provrunner.schema import Numbers

__all__ = ["MetricReader", "Number", "is_number"]

_MOST_ELEMENTS = 10_000

Number = float | torch.Tensor
"""A value on the CPU, or a tensor of one element on another device."""

_Returned = tuple[tuple[list[Any], int, int | None], tuple[str | None, ...]]
"""Keys, logged results and loader at which a step returned, and the names found for the keys."""

Logged = tuple[Mapping[str, Number], Mapping[str, list[Any]]]
"""Numbers by name, and by name the values that are no single number."""

_Sorted = tuple[dict[str, Number], dict[str, list[Any]]]

# found once: each look through a module's names costs time in every step
_TENSOR = torch.Tensor
_item = torch.Tensor.item
_is_cpu = attrgetter("is_cpu")
_value_of = attrgetter("_forward_cache")


@dataclass(slots=True)
class _Watched:
    """The results of a collection that are looked at after each step.

    Attributes:
        collection: whose results they are: kept, so that its id stays its own.
        count: how many results the collection had when they were found.
        results: in the order of `names`.
        names: under which they are written.
        seen: the value of each that was seen last.
        is_plain: whether all log tensors, each under a name of its own.
        logged: what a usual step is answered with: one object, filled anew each time.
    """

    collection: Mapping[str, Any]
    count: int
    results: list[Any]
    names: tuple[str, ...]
    seen: list[object]
    is_plain: bool
    logged: tuple[Numbers, Mapping[str, list[Any]]]


class MetricReader:
    """Reads Lightning's collections of logged results, and what a model's steps return.

    A result keeps the value of its last `log` call, and a step that logs nothing leaves the old one
    there; each call makes a new tensor, so a value is new when it is another object than last time.

    Args:
        keeps: says by name whether a metric is wanted; asked once a name.
    """

    def __init__(self, keeps: Callable[[str], bool]) -> None:
        self._keeps = keeps
        self._watched: dict[int, _Watched] = {}
        self._step_names: dict[str, str | None] = {}
        self._epoch_seen: dict[str, object] = {}
        self._epoch_names: dict[str, str | None] = {}
        self._returned: dict[str, _Returned] = {}

    def read_step(self, results: Mapping[str, Any]) -> Logged:
        """Return the values logged with `on_step=True` since the last call; good until the next."""
        watched = self._watched.get(id(results))
        if watched is None or watched.count != len(results):
            watched = self._watch(results)
        # nearly all steps log the same names, each once, as tensors on the CPU
        values = [*map(_value_of, watched.results)]
        try:
            usual = (
                watched.is_plain
                and True not in map(is_, values, watched.seen)
                and False not in map(_is_cpu, values)
            )
        except AttributeError:
            usual = False  # one is None
        if not usual:
            return _read_each(watched, values)
        watched.seen = values
        watched.logged[0].numbers = [*map(_item, values)]
        return watched.logged

    def read_epoch(self, results: Mapping[str, Any]) -> Logged:
        """Return the values reduced over the epoch since the last call.

        Only what Lightning has computed already is read: computing it here could make ranks wait
        for each other.
        """
        logged: _Sorted = ({}, {})
        seen, names = self._epoch_seen, self._epoch_names
        for key, result in results.items():
            value = result._computed
            is_new = value is not None and value is not seen.get(key) and not result.has_reset
            if not is_new or not result.meta.on_epoch:
                continue
            seen[key] = value
            if key not in names:
                names[key] = self._wanted_name(result.meta, on_step=False)
            if (name := names[key]) is not None:
                _add(logged, name, value, result)
        return logged

    def read_returned(self, hook: str, returned: object, results: Any) -> Mapping[str, Number]:
        """Return the numbers in what a step of the model returned; none where that is no mapping.

        A name that the same step gave to Lightning's `log` is left to that.

        Args:
            hook: `training_step`, `validation_step` or `test_step`.
            returned: what it returned.
            results: Lightning's collection of logged results.
        """
        if not isinstance(returned, Mapping):
            return {}
        place = ([*returned], len(results), results.dataloader_idx)
        known = self._returned.get(hook)
        if known is None or known[0] != place:
            known = self._returned[hook] = (place, self._names_of(hook, returned, results))
        names = known[1]
        plain: list[float] = []
        for value in returned.values():
            if value.__class__ is not _TENSOR or value.ndim or not value.is_cpu:
                break
            plain.append(_item(value))
        else:
            if None not in names and complex not in map(type, plain):
                return Numbers(names, plain)  # type: ignore[arg-type]
        numbers: dict[str, Number] = {}
        for name, value in zip(names, returned.values(), strict=True):
            if name is not None and is_number(value):
                numbers[name] = _number(value)
        return numbers

    def _watch(self, results: Mapping[str, Any]) -> _Watched:
        """Find the results to look at each step; what was seen of them stays seen.

        Lightning adds to a collection and takes nothing away.
        """
        before = self._watched.get(id(results))
        known = zip(map(id, before.results), before.seen, strict=True) if before else ()
        seen = dict(known)
        found: list[tuple[Any, str]] = []
        for key, result in results.items():
            if not result.meta.on_step:
                continue
            if key not in self._step_names:
                self._step_names[key] = self._wanted_name(result.meta, on_step=True)
            if (name := self._step_names[key]) is not None:
                found.append((result, name))
        names = tuple(name for _, name in found)
        watched = self._watched[id(results)] = _Watched(
            collection=results,
            count=len(results),
            results=[result for result, _ in found],
            names=names,
            seen=[seen.get(id(result)) for result, _ in found],
            is_plain=len(set(names)) == len(names) and all(r.is_tensor for r, _ in found),
            logged=(Numbers(names, ()), {}),
        )
        return watched

    def _names_of(
        self, hook: str, returned: Mapping[Any, Any], results: Any
    ) -> tuple[str | None, ...]:
        """Name what a step returns under each key; None where it is not wanted."""
        loader = results.dataloader_idx
        logged = "" if loader is None else f".{loader}"
        place = "" if loader is None else f"/dataloader_idx_{loader}"
        names = [
            None
            if f"{hook}.{key}{logged}" in results or not self._keeps(f"{key}{place}")
            else shorten(f"{key}{place}")
            for key in returned
        ]
        # keys that are written alike: the last one counts
        return tuple(None if name in names[at + 1 :] else name for at, name in enumerate(names))

    def _wanted_name(self, meta: Any, *, on_step: bool) -> str | None:
        name: str = meta.forked_name(on_step)
        if meta.add_dataloader_idx and meta.dataloader_idx is not None:
            name += f"/dataloader_idx_{meta.dataloader_idx}"
        return shorten(name) if self._keeps(name) else None


def _read_each(watched: _Watched, values: list[Any]) -> Logged:
    logged: _Sorted = ({}, {})
    for result, name, value, seen in zip(
        watched.results, watched.names, values, watched.seen, strict=True
    ):
        # a reset leaves a torchmetrics object's last value: of a sanity check, or of a tuner
        if value is not None and value is not seen and not result.has_reset:
            _add(logged, name, value, result)
    watched.seen = values
    return logged


def _add(logged: _Sorted, name: str, value: object, result: Any) -> None:
    if not isinstance(value, torch.Tensor):
        return
    numbers, others = logged
    if value.numel() != 1:
        others[name] = value.flatten()[:_MOST_ELEMENTS].tolist()
    elif value.is_cpu:
        numbers[name] = float(value.item())
    else:
        # A torchmetrics object may return its own state, which it changes in place later.
        numbers[name] = value.detach() if result.is_tensor else value.detach().clone()


def is_number(value: object) -> bool:
    """Say whether a value is one real number, or a tensor of one.

    Example:
        >>> is_number(torch.tensor([1.0])), is_number(torch.zeros(2)), is_number("1")
        (True, False, False)
    """
    if isinstance(value, torch.Tensor):
        return value.numel() == 1 and not value.is_complex()
    return isinstance(value, Real)


def _number(value: Any) -> Number:
    if not isinstance(value, torch.Tensor):
        return float(value)
    # whoever returned it may change it in place before it has left its device
    return float(value.item()) if value.is_cpu else value.detach().clone()

"""Reads the settings that optimizers and schedulers hold, and finds who changed them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import is_
from typing import Any

import torch

from provrunner.capture.recorder import type_path

__all__ = ["Change", "OptimizerWatch", "plain_optimizer", "scheduler_settings"]

_PLAIN = (bool, int, float, str, tuple, type(None))
_LONGEST_LIST = 64


@dataclass(frozen=True, slots=True)
class Change:
    """A setting that is no longer what it was."""

    name: str
    old: Any
    new: Any
    cause: str
    agent: str
    numbers: Any = None


@dataclass(slots=True)
class _Group:
    """One parameter group as it was at the last look."""

    prefix: str
    index: int
    group: dict[str, Any]
    optimizer: torch.optim.Optimizer
    keys: tuple[str, ...]
    values: tuple[Any, ...]
    glance: list[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.look()

    def look(self) -> None:
        """Remember the objects that the group holds; none where a tensor may change in place."""
        tensors = any(isinstance(self.group[key], torch.Tensor) for key in self.keys)
        self.glance = [] if tensors else [*self.group.values()]


class OptimizerWatch:
    """Remembers every optimizer setting and says what changed since.

    Settings are named `optimizer.lr`; `optimizer.1.lr` where there are several optimizers and
    `optimizer.groups.1.lr` where there are several parameter groups. Groups that are added later
    get such a name, and the first one keeps its own. A setting that is a tensor on a device is not
    watched, because reading it would wait for the device.

    Args:
        optimizers: the trainer's optimizers.
        schedulers: the trainer's list of scheduler configurations; what the trainer or a callback
            puts there later is seen.
    """

    def __init__(self, optimizers: Sequence[Any], schedulers: Sequence[Any]) -> None:
        self._configs = schedulers
        self._optimizers = list(optimizers)
        self._group_counts = [len(optimizer.param_groups) for optimizer in optimizers]
        self._groups = self._read_groups()

    def settings(self) -> Iterator[tuple[str, Any]]:
        """Yield the name and value of every setting, and each optimizer's class."""
        for number, optimizer in enumerate(self._optimizers):
            name = "optimizer" if len(self._optimizers) == 1 else f"optimizer.{number}"
            yield f"{name}.type", type_path(optimizer)
        for group in self._groups:
            for key, value in zip(group.keys, group.values, strict=True):
                yield f"{group.prefix}.{key}", value

    def is_as_it_was(self, optimizers: Sequence[Any]) -> bool:
        """Say in a microsecond that `changes` would find none; False when it has to look."""
        known = iter(self._groups)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                before = next(known, None)
                if before is None or group is not before.group or len(group) != len(before.glance):
                    return False
                if not all(map(is_, group.values(), before.glance)):
                    return False
        return next(known, None) is None

    def changes(self, optimizers: Sequence[Any] | None = None) -> list[Change]:
        """Return what changed since the last call, and remember how it is now.

        Args:
            optimizers: the trainer's optimizers now: a tuner puts others in their place. None
                stands for the same as before.
        """
        found: list[Change] = []
        optimizers = self._optimizers if optimizers is None else optimizers
        if self._is_stale(optimizers):
            found += self._read_again(optimizers)
        for group in self._groups:
            values = _values(group.group, group.keys)
            if values != group.values:
                found += self._explain(group, values)
                group.values = values
            group.look()
        return found

    def _is_stale(self, optimizers: Sequence[Any]) -> bool:
        # `load_state_dict` puts other groups in the place of those there were
        groups = [id(group) for optimizer in optimizers for group in optimizer.param_groups]
        return [*optimizers] != self._optimizers or groups != [id(g.group) for g in self._groups]

    def _read_again(self, optimizers: Sequence[Any]) -> Iterator[Change]:
        """Take optimizers and groups as they are now; yield what is new or no longer the same."""
        before = dict(self.settings())
        self._optimizers = list(optimizers)
        self._group_counts += [1] * (len(optimizers) - len(self._group_counts))
        self._groups = self._read_groups()
        for name, value in self.settings():
            old = before.get(name)
            if name not in before or _differ(old, value):
                yield Change(name, old, value, "manual", "unknown")

    def _read_groups(self) -> list[_Group]:
        several = len(self._optimizers) > 1
        return [
            _Group(prefix, index, group, optimizer, keys, _values(group, keys))
            for number, optimizer in enumerate(self._optimizers)
            for index, group in enumerate(optimizer.param_groups)
            for name in [f"optimizer.{number}" if several else "optimizer"]
            for is_only in [self._group_counts[number] == 1 and index == 0]
            for prefix in [name if is_only else f"{name}.groups.{index}"]
            for keys in [tuple(key for key, value in group.items() if _is_watched(key, value))]
        ]

    def _explain(self, group: _Group, values: tuple[Any, ...]) -> Iterator[Change]:
        for key, old, new in zip(group.keys, group.values, values, strict=True):
            if not _differ(old, new):
                continue
            cause, agent = self._cause(group, key, new)
            yield Change(f"{group.prefix}.{key}", old, new, cause, agent)

    def _cause(self, group: _Group, key: str, new: Any) -> tuple[str, str]:
        for scheduler in [config.scheduler for config in self._configs]:
            # one of the two may be held in Fabric's wrapper
            steered = plain_optimizer(getattr(scheduler, "optimizer", None))
            if steered is not plain_optimizer(group.optimizer):
                continue
            if key == "lr" and _may_have_set(scheduler, group.index, new):
                plateau = isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
                return ("reduce_on_plateau" if plateau else "scheduler"), type_path(scheduler)
            if key in {"momentum", "betas"} and getattr(scheduler, "cycle_momentum", False):
                return "scheduler", type_path(scheduler)
        return "manual", "unknown"


def scheduler_settings(configs: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Yield the name and value of the settings of each scheduler of a trainer.

    Settings are named `scheduler.gamma`; `scheduler.1.gamma` where there are several schedulers.
    """
    for number, config in enumerate(configs):
        prefix = "scheduler" if len(configs) == 1 else f"scheduler.{number}"
        yield f"{prefix}.type", type_path(config.scheduler)
        for key in ("interval", "frequency", "monitor"):
            if (value := getattr(config, key, None)) is not None:
                yield f"{prefix}.{key}", value
        for key, value in vars(config.scheduler).items():
            if _is_setting(key, value):
                yield f"{prefix}.{key}", value


def plain_optimizer(optimizer: Any) -> Any:
    """Return the optimizer that Fabric's wrapper holds, or the optimizer itself."""
    inner = getattr(optimizer, "optimizer", None)
    return optimizer if inner is None else inner


def _differ(old: Any, new: Any) -> bool:
    # NaN before and after is no change.
    return bool(old != new and (old == old or new == new))  # noqa: PLR0124


def _is_watched(key: str, value: object) -> bool:
    if isinstance(value, torch.Tensor):
        return value.is_cpu and value.numel() == 1
    return key != "params" and isinstance(value, _PLAIN)


def _values(group: dict[str, Any], keys: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(
        value.item() if isinstance(value, torch.Tensor) else value for value in map(group.get, keys)
    )


def _may_have_set(scheduler: object, index: int, rate: Any) -> bool:
    rates = getattr(scheduler, "_last_lr", None)
    if not isinstance(rates, list | tuple) or index >= len(rates):
        # A scheduler that is none of torch's does not say what it set: nobody else is known.
        return not isinstance(scheduler, torch.optim.lr_scheduler.LRScheduler)
    return bool(rates[index] == rate)


def _is_setting(key: str, value: object) -> bool:
    # Counters and bests are state, not settings.
    if key.startswith("_") or key in {"last_epoch", "best", "num_bad_epochs", "cooldown_counter"}:
        return False
    if isinstance(value, list):
        return len(value) <= _LONGEST_LIST and all(isinstance(item, _PLAIN) for item in value)
    return isinstance(value, _PLAIN)

"""Whether a sweep's configuration is still what its runs were configured with."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from provrunner.compose import job_overrides, own_config
from provrunner.compose.load import group_options
from provrunner.compose.resolvers import hydra_resolvable
from provrunner.compose.sweep import NOT_OF_THE_RESULT
from provrunner.errors import LogError
from provrunner.ids import canonical_json
from provrunner.plan import Plan
from provrunner.run.hidden import MASK, shown_values
from provrunner.run.record import RunRecord, read_record

__all__ = ["config_differences", "is_group"]

_SHOWN = 4


def config_differences(
    folder: Path,
    old: Plan,
    draft: Plan,
    arguments: Sequence[str],
    compose: Callable[[list[str]], DictConfig],
) -> tuple[str, ...]:
    """Return a phrase for each value that may change a result and is not what it was.

    Compared are the configuration that a run would have now and the one it was recorded with, for
    each combination of swept options of groups; where no run has begun, the digests of the plans.

    Args:
        folder: the sweep's folder.
        old: the plan that it holds.
        draft: the plan as it would be made now.
        arguments: the overrides that made it.
        compose: gives the configuration of one run, with Hydra's node, from its overrides.
    """
    is_same = old.config_sha256 == draft.config_sha256
    groups = [axis.name for axis in old.hyperparameters if is_group(axis.name)]
    # the digests are of what is composed without the axes, and so without the options swept
    if is_same and not groups:
        return ()
    records = _records(folder, old, groups)
    if not records:
        return () if is_same else ("its configuration has other values",)
    words = job_overrides(old, arguments, folder)
    found = [_changes(record, compose(words[record.point.run])) for record in records]
    changes = list(dict.fromkeys(phrase for phrases in found for phrase in phrases))
    more = [f"{len(changes) - _SHOWN} more values"] if len(changes) > _SHOWN else []
    return (*changes[:_SHOWN], *more)


def is_group(axis: str) -> bool:
    """Say whether an axis chooses among the options of a group of conf/, such as `model`."""
    return bool(group_options(axis.partition("@")[0]))


def _records(folder: Path, plan: Plan, groups: Sequence[str]) -> list[RunRecord]:
    """Read one record for each combination of the options swept, of those that were begun."""
    found: dict[str, RunRecord] = {}
    for point in plan.points:
        options = canonical_json([point.values.get(group) for group in groups])
        if options not in found:
            with contextlib.suppress(LogError):
                found[options] = read_record(folder, point.run)
    return list(found.values())


def _changes(record: RunRecord, config: DictConfig) -> list[str]:
    """Return a phrase for each value of a record that is another in a run's configuration."""
    with hydra_resolvable(config):
        now = dict(_leaves(shown_values(own_config(config))))
    then = dict(_leaves(record.config))
    changed = [name for name in sorted(now.keys() | then.keys()) if _is_other(name, then, now)]
    return [f"{name} was {_text(then, name)}, and is {_text(now, name)}" for name in changed]


def _is_other(name: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    if name.partition(".")[0] in NOT_OF_THE_RESULT:
        return False
    before, after = then.get(name, _leaves), now.get(name, _leaves)
    is_masked = any(isinstance(value, str) and MASK in value for value in (before, after))
    return before != after and not is_masked


def _text(leaves: Mapping[str, Any], name: str) -> str:
    return repr(leaves[name]) if name in leaves else "not there"


def _leaves(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(node, Mapping) or (not node and prefix):
        yield prefix, node
        return
    for key, value in node.items():
        yield from _leaves(value, f"{prefix}.{key}" if prefix else str(key))

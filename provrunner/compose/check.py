"""Check everything that a sweep will need, before its first run."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, get_args

from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from provrunner.compose.axes import COMMAND_LINE, command_line_axes
from provrunner.compose.declaration import sweep_source
from provrunner.compose.expected import admits, describe, is_like
from provrunner.compose.launchers import check_launcher
from provrunner.compose.load import compose_config, config_keys, group_options, parse_overrides
from provrunner.compose.mistakes import explain_interpolation
from provrunner.compose.origins import source_of
from provrunner.compose.resolvers import hydra_resolvable
from provrunner.compose.settings import check_settings
from provrunner.compose.targets import annotation_of, check_target, find_target, target_nodes
from provrunner.compose.values import to_override
from provrunner.errors import ConfigError, nearest
from provrunner.ids import canonical_json
from provrunner.plan import Hyperparameter, Plan, Point

__all__ = ["check_sweep"]

_BUILT = ("data", "model", "optimizer", "task", "trainer")


def check_sweep(cfg: DictConfig, arguments: Sequence[str], plan: Plan) -> None:
    """Check a planned sweep: its settings, every level's key and type, and all that is built.

    Every level of every axis is put into a configuration once. The `_target_`s of these are
    imported, their arguments compared with what they take, and a class's own
    `check(**arguments)` is called, by which a data module can look for its file.

    Args:
        cfg: the configuration composed without the axes, with Hydra's node.
        arguments: the overrides of the command line.
        plan: what `build_plan` made of the two.

    Raises:
        ConfigError: the first mistake: what, where, what was expected, and the nearest name.
    """
    with hydra_resolvable(cfg):
        check_settings(cfg)
        if "hydra" in cfg:
            check_launcher(cfg.hydra)
        _check_left_out(cfg, plan)
        _check_overrides(cfg, arguments)
        seen: set[str] = set()
        for point in _covering(plan):
            base = _base(cfg, arguments, plan, point)
            config = _with_values(base, arguments, plan, point)
            _check_built(config, base.get("hydra"), seen)


def _check_left_out(cfg: DictConfig, plan: Plan) -> None:
    """Check that what the sweep cannot do without is not left out of its files."""
    needed = {axis.name: ("param", "swept") for axis in plan.hyperparameters}
    needed |= {one.metric: ("metric", "an objective") for one in (plan.objective, *plan.further)}
    for pattern in map(str, cfg.capture.exclude):
        for name, (kind, role) in needed.items():
            if fnmatchcase(name, pattern) or (kind == pattern and plan.runs_promised > 1):
                where = source_of("capture.exclude", cfg.get("hydra"))
                raise ConfigError(
                    f"{where}: capture.exclude: {pattern!r} leaves out {name}, which is {role}; "
                    "a sweep cannot be read without it"
                )


def _check_overrides(cfg: DictConfig, arguments: Sequence[str]) -> None:
    """Compare the command line's plain values with the defaults that they replace."""
    given = [
        one
        for one in parse_overrides(arguments)
        if not (one.is_sweep_override() or one.is_delete() or one.is_hydra_override())
    ]
    groups = [one for one in given if group_options(one.key_or_group)]
    plain = [one for one in given if one not in groups and not one.is_add()]
    if not plain:
        return
    defaults = compose_config([one.input_line or "" for one in groups])
    for one in plain:
        key = one.key_or_group
        if key == "on_error" or key.startswith("sweep."):  # these have checks of their own
            continue
        value, default = _select(cfg, key), _select(defaults, key)
        _check_value(key, value, default, cfg, f"{COMMAND_LINE}: {one.input_line!r}")


def _check_value(key: str, value: Any, default: Any, cfg: DictConfig, where: str) -> None:
    """Judge a value by the annotation of the argument it becomes, or else by the default."""
    if isinstance(default, dict) and (value is None or isinstance(value, dict)):
        return
    annotation = _annotation(key, cfg)
    if isinstance(value, dict) and "_target_" in value and not _is_plain(annotation):
        return  # what it makes is judged where the node itself is checked
    is_known = annotation is not inspect.Parameter.empty
    answer = admits(annotation, value) if is_known else None
    if answer or (answer is None and is_like(value, default)):
        return
    expected = inspect.formatannotation(annotation) if is_known else type(default).__name__
    raise ConfigError(
        f"{where}: {key}: expected {expected}, got {describe(value)} "
        f"(the default is {describe(default)})"
    )


def _is_plain(annotation: Any) -> bool:
    """Say whether an argument takes numbers, texts and the like alone, and no object."""
    return set(get_args(annotation) or (annotation,)) <= {bool, int, float, str, type(None)}


def _annotation(key: str, cfg: DictConfig) -> Any:
    owner, _, name = key.rpartition(".")
    node = OmegaConf.select(cfg, owner) if owner else None
    target = node.get("_target_") if isinstance(node, DictConfig) else None
    if not isinstance(target, str) or name.startswith("_"):
        return inspect.Parameter.empty
    try:
        return annotation_of(find_target(target), name)
    except ConfigError:
        return inspect.Parameter.empty  # said with its place when the node itself is checked


def _covering(plan: Plan) -> Iterator[Point]:
    """Yield points until every level of every axis was in one; the only point of a single run."""
    seen: set[tuple[str, str]] = set()
    ranges = {axis.name for axis in plan.hyperparameters if axis.low is not None}
    for point in plan.points if plan.sampler is None else _samples(plan):
        levels = {
            (name, type(value).__name__ if name in ranges else canonical_json(value))
            for name, value in point.values.items()
        }
        if not levels <= seen or (not levels and not point.run):
            seen |= levels
            yield point


def _samples(plan: Plan) -> Iterator[Point]:
    """Yield points that an adaptive sweep may ask for, such that each level is in one of them."""
    axes = {axis.name: axis for axis in plan.hyperparameters}
    levels = {name: axis.levels or (axis.low, axis.high) for name, axis in axes.items()}
    for name in axes:
        group = next((group for group in plan.zipped if name in group), (name,))
        for place in range(len(levels[name])):
            values = {other: held[0] for other, held in levels.items()}
            _activate(name, axes, values)
            values |= {other: levels[other][place] for other in group}
            yield Point(0, "", "", 0, None, _active(axes, values))


def _activate(name: str, axes: Mapping[str, Hyperparameter], values: dict[str, Any]) -> None:
    for parent, wanted in (axes[name].when or {}).items():
        values[parent] = wanted[0]
        _activate(parent, axes, values)


def _active(axes: Mapping[str, Hyperparameter], values: Mapping[str, Any]) -> dict[str, Any]:
    def is_active(name: str) -> bool:
        conditions = (axes[name].when or {}).items()
        return all(values[other] in wanted and is_active(other) for other, wanted in conditions)

    return {name: value for name, value in values.items() if is_active(name)}


def _base(cfg: DictConfig, arguments: Sequence[str], plan: Plan, point: Point) -> DictConfig:
    """Compose a point's groups; values of keys are put in afterwards, which is far quicker."""
    groups = {name: value for name, value in point.values.items() if _is_group(name)}
    if not groups:
        return cfg
    axes = {axis.name for axis in plan.hyperparameters}
    kept = [
        one.input_line or "" for one in parse_overrides(arguments) if one.key_or_group not in axes
    ]
    chosen = {to_override(name, value): value for name, value in groups.items()}
    sources = {
        to_override(name, value): _declared(name, arguments) for name, value in groups.items()
    }
    return compose_config([*kept, *chosen], return_hydra_config=True, sources=sources)


def _is_group(name: str) -> bool:
    return bool(group_options(name.partition("@")[0]))


def _declared(name: str, arguments: Sequence[str]) -> str:
    is_given = name in command_line_axes(arguments)
    return COMMAND_LINE if is_given else f"{sweep_source(arguments)}: sweep"


def _with_values(
    base: DictConfig, arguments: Sequence[str], plan: Plan, point: Point
) -> DictConfig:
    """Return a copy of a configuration with a point's values in it."""
    config = _without_hydra(base)
    added = {axis.name for axis in plan.hyperparameters if axis.grammar.startswith("+")}
    for name, value in point.values.items():
        if _is_group(name):
            continue
        where = f"{_declared(name, arguments)}: {to_override(name, value)!r}"
        default = _select(config, name)
        try:
            OmegaConf.update(config, name, value, merge=True, force_add=name in added)
        except (ConfigAttributeError, ConfigKeyError) as error:
            near = nearest(name, config_keys(config))
            raise ConfigError(f"{where}: the configuration has no key {name!r}{near}") from error
        _check_value(name, value, default, config, where)
    return config


def _without_hydra(cfg: DictConfig) -> DictConfig:
    config = copy.copy(cfg)
    with open_dict(config):
        config.pop("hydra", None)
    return copy.deepcopy(config)


def _check_built(config: DictConfig, hydra_cfg: DictConfig | None, seen: set[str]) -> None:
    for key in sorted(OmegaConf.missing_keys(config)):
        where = source_of(key, hydra_cfg)
        raise ConfigError(f"{where}: {key} has no value; give one with {key}=...")
    resolved = _plain(config)
    for key in _BUILT:
        node = resolved.get(key)
        if not isinstance(node, dict) or "_target_" not in node:
            raise ConfigError(f"{source_of(key, hydra_cfg)}: {key} has no _target_ to build")
    for path, node in target_nodes(resolved):
        identity = f"{path}={canonical_json(node)}"
        if identity not in seen:
            seen.add(identity)
            check_target(path, node, lambda key: source_of(key, hydra_cfg))


def _select(cfg: DictConfig, key: str) -> Any:
    try:
        value = OmegaConf.select(cfg, key)
        return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
    except OmegaConfBaseException as error:
        raise explain_interpolation(error, config_keys(cfg)) from error


def _plain(config: DictConfig) -> Mapping[str, Any]:
    try:
        container = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise explain_interpolation(error, config_keys(config)) from error
    return (
        {str(key): value for key, value in container.items()} if isinstance(container, dict) else {}
    )

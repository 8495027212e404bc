"""What a configuration's node `sweep` declares, checked word by word."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from provrunner.compose.load import parse_overrides, search_folders
from provrunner.compose.mistakes import explain_interpolation
from provrunner.compose.origins import source_of
from provrunner.compose.pruning import check_divergence, read_pruning
from provrunner.compose.sizes import to_bytes
from provrunner.errors import ConfigError, nearest
from provrunner.plan import Objective

__all__ = ["Declaration", "read_declaration", "resolved_node", "sweep_source"]

_DRAWN = ("random", "sobol", "lhs")
_ADAPTIVE = ("tpe", "gp", "cmaes", "nsga2")
_DESIGNS = ("grid", "list", "ofat", *_DRAWN, *_ADAPTIVE)
_SEEDS = ("common", "independent")
_KEYS = (
    *("name", "objective", "further", "design", "params", "zip", "when", "points", "trials"),
    *("batch", "sampler", "hours", "disk_budget", "replicates", "prune", "divergence"),
)
_DIRECTIONS = ("minimize", "maximize")
_EPOCHS = ("best", "last")
_Where = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Declaration:
    """A sweep as its file declares it; axes are still in the user's own grammar.

    Attributes:
        where: the path of the file, for errors.
        name: what the user calls it; None if unnamed.
        objective: what it is judged by.
        design: `grid`, `list`, `ofat`, `random`, `sobol`, `lhs`, or, where points are asked for,
            `tpe`, `gp`, `cmaes` or `nsga2`.
        params: axes by key.
        points: points of a list, or those before the drawn ones, all with the same keys.
        trials: points to draw or to ask for; None for a design that enumerates them.
        replicates: runs of one trial, at least 1.
        seeds: `common` or `independent`.
        further: objectives beside the first.
        zipped: groups of axes that move together.
        when: by axis, levels of other axes at which alone it has a value.
        batch: points asked for at once; None: as many as there are runs at once.
        sampler: arguments of what is asked for points.
        pruning: the rule by which runs are stopped early, with its settings; None: no such rule.
    """

    where: str
    name: str | None
    objective: Objective
    design: str
    params: Mapping[str, Any]
    points: Sequence[Mapping[str, Any]]
    replicates: int
    seeds: str
    trials: int | None = None
    further: tuple[Objective, ...] = ()
    zipped: Sequence[Sequence[str]] = ()
    when: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    batch: int | None = None
    sampler: Mapping[str, Any] = field(default_factory=dict)
    pruning: Mapping[str, Any] | None = None

    @property
    def is_drawn(self) -> bool:
        """Whether points are drawn or asked for, and not enumerated."""
        return self.design in _DRAWN or self.is_adaptive

    @property
    def is_adaptive(self) -> bool:
        """Whether each point is asked for in view of the results before it."""
        return self.design in _ADAPTIVE


def read_declaration(cfg: DictConfig, arguments: Sequence[str]) -> Declaration:
    """Read the node `sweep` of a composed configuration.

    Raises:
        ConfigError: an unknown key or word, or a value of the wrong kind.
    """
    where = partial(source_of, hydra_cfg=cfg.get("hydra"))
    sweep = resolved_node(cfg, "sweep")
    _check_keys(sweep, _KEYS, "sweep", where)
    _check_word(sweep.get("design"), _DESIGNS, "sweep.design", where)
    _check_reader(sweep, where)
    design, params = str(sweep["design"]), sweep.get("params") or {}
    if not isinstance(params, dict):
        raise _mistake(where, "sweep.params", f"expected a mapping of keys, got {params!r}")
    replicates, seeds = _replicates(sweep.get("replicates"), where)
    check_divergence(sweep.get("divergence"), where)
    _check_hours(sweep.get("hours"), where)
    _check_disk_budget(sweep.get("disk_budget"), where)
    when = _when(sweep.get("when") or {}, where)
    return Declaration(
        where=sweep_source(arguments),
        name=sweep.get("name"),
        objective=_objective(sweep.get("objective"), where),
        design=design,
        params=params,
        points=_points(sweep.get("points") or [], design, where, same_keys=not when),
        replicates=replicates,
        seeds=seeds,
        trials=_trials(sweep.get("trials"), design, where),
        further=_further(sweep, design, where),
        zipped=_zipped(sweep.get("zip") or [], where),
        when=when,
        batch=_batch(sweep.get("batch"), where),
        sampler=_sampler(sweep.get("sampler") or {}, where),
        pruning=read_pruning(sweep.get("prune"), where),
    )


def sweep_source(arguments: Sequence[str]) -> str:
    """Return the path of the sweep file that the arguments choose, or of the primary file."""
    folders = search_folders()
    for override in parse_overrides(arguments):
        if override.key_or_group == "sweep" and isinstance(override.value(), str):
            files = [folder / "sweep" / f"{override.value()}.yaml" for folder in folders]
            return str(next((file for file in files if file.is_file()), files[-1]))
    files = [folder / "config.yaml" for folder in folders]
    return str(next((file for file in files if file.is_file()), files[-1]))


def resolved_node(cfg: DictConfig, key: str) -> dict[str, Any]:
    """Return a mapping of the configuration as plain values.

    Raises:
        ConfigError: it is missing or no mapping, or an interpolation in it leads nowhere.
    """
    if key not in cfg:
        raise ConfigError(
            f"the configuration has no key {key!r}; a config.yaml of your own needs all keys of "
            "provrunner's"
        )
    try:
        node = OmegaConf.to_container(cfg[key], resolve=True)
    except OmegaConfBaseException as error:
        raise explain_interpolation(error, map(str, cfg)) from error
    except ValueError as error:
        raise ConfigError(f"{key}: expected a mapping, got {cfg[key]!r}") from error
    if not isinstance(node, dict):
        raise ConfigError(f"{key}: expected a mapping, got {node!r}")
    return {str(name): value for name, value in node.items()}


def _objective(node: Any, where: _Where, path: str = "sweep.objective") -> Objective:
    if not isinstance(node, dict) or not isinstance(node.get("metric"), str):
        raise _mistake(where, path, f"expected a mapping with a metric's name, got {node!r}")
    _check_keys(node, ("metric", "direction", "at"), path, where)
    objective = Objective(**node)
    _check_word(objective.direction, _DIRECTIONS, f"{path}.direction", where)
    _check_word(objective.at, _EPOCHS, f"{path}.at", where)
    return objective


def _further(sweep: Mapping[str, Any], design: str, where: _Where) -> tuple[Objective, ...]:
    path, nodes = "sweep.further", sweep.get("further") or []
    if not isinstance(nodes, list):
        raise _mistake(where, path, f"expected a list of objectives, got {nodes!r}")
    further = tuple(_further_objective(node, where, path) for node in nodes)
    names = [_objective(sweep.get("objective"), where).metric, *(one.metric for one in further)]
    if len(set(names)) < len(names):
        raise _mistake(where, path, f"an objective stands there twice: {', '.join(names)}")
    if design == "cmaes" and further:
        raise _mistake(where, path, "cmaes takes one objective; tpe, gp and nsga2 take several")
    if design == "nsga2" and not further:
        raise _mistake(where, path, "nsga2 is for several objectives; give it a second one")
    return further


def _further_objective(node: Any, where: _Where, path: str) -> Objective:
    if isinstance(node, dict) and "at" in node:
        text = "a further objective is taken at the epoch that the first one takes; leave it out"
        raise _mistake(where, f"{path}.at", text)
    return _objective(node, where, path)


def _zipped(groups: Any, where: _Where) -> list[list[str]]:
    is_list = isinstance(groups, list) and all(
        isinstance(group, list) and len(group) > 1 and all(isinstance(name, str) for name in group)
        for group in groups
    )
    if not is_list:
        text = f"expected lists of axes that move together, as [[a, b]]; got {groups!r}"
        raise _mistake(where, "sweep.zip", text)
    return list(groups)


def _when(node: Any, where: _Where) -> dict[str, dict[str, Any]]:
    if not isinstance(node, dict) or not all(isinstance(v, dict) and v for v in node.values()):
        text = f"expected levels by axis, as {{momentum: {{optimizer: sgd}}}}; got {node!r}"
        raise _mistake(where, "sweep.when", text)
    return node


def _batch(count: Any, where: _Where) -> int | None:
    if count is not None and not _is_count(count):
        text = f"expected a whole number from 1 up or null, got {count!r}"
        raise _mistake(where, "sweep.batch", text)
    return None if count is None else int(count)


def _sampler(node: Any, where: _Where) -> dict[str, Any]:
    if not isinstance(node, dict):
        raise _mistake(where, "sweep.sampler", f"expected arguments by name, got {node!r}")
    return node


def _check_hours(hours: Any, where: _Where) -> None:
    is_number = isinstance(hours, int | float) and not isinstance(hours, bool)
    if hours is not None and not (is_number and hours > 0):
        text = f"expected a number of hours above 0 or null, got {hours!r}"
        raise _mistake(where, "sweep.hours", text)


def _check_disk_budget(size: Any, where: _Where) -> None:
    try:
        None if size is None else to_bytes(size)
    except ValueError as error:
        raise _mistake(where, "sweep.disk_budget", f"{error}, or null") from error


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _points(points: Any, design: str, where: _Where, *, same_keys: bool) -> list[dict[str, Any]]:
    path = "sweep.points"
    if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
        raise _mistake(where, path, f"expected a list of mappings, got {points!r}")
    if design == "list" and not points:
        raise _mistake(where, path, "empty; design list needs at least 2 points")
    for number, point in enumerate(points):
        if same_keys and point.keys() != points[0].keys():
            differing = ", ".join(sorted(point.keys() ^ points[0].keys()))
            raise _mistake(where, path, f"point {number} differs from point 0 in keys: {differing}")
    return points


def _trials(count: Any, design: str, where: _Where) -> int | None:
    if design not in (*_DRAWN, *_ADAPTIVE):
        return None
    if not _is_count(count):
        verb = "draw" if design in _DRAWN else "ask for"
        text = f"design {design} needs the number of points to {verb}, such as 30; got {count!r}"
        raise _mistake(where, "sweep.trials", text)
    return int(count)


def _replicates(node: Any, where: _Where) -> tuple[int, str]:
    path = "sweep.replicates"
    mapping = node if isinstance(node, dict) else {"n": node}
    _check_keys(mapping, ("n", "seeds"), path, where)
    count, seeds = mapping.get("n", 1), mapping.get("seeds", "common")
    if not _is_count(count):
        raise _mistake(where, path, f"expected a whole number from 1 up, got {count!r}")
    _check_word(seeds, _SEEDS, f"{path}.seeds", where)
    return int(count), str(seeds)


def _check_reader(sweep: Mapping[str, Any], where: _Where) -> None:
    """Refuse axes that the design does not read."""
    drawn = (*_DRAWN, *_ADAPTIVE)
    readers = {
        "points": ("list", *drawn),
        "params": ("grid", "ofat", *drawn),
        "zip": ("grid", *drawn),
        "when": ("grid", *drawn),
        "trials": drawn,
        "batch": _ADAPTIVE,
        "sampler": _ADAPTIVE,
    }
    for key, designs in readers.items():
        if sweep.get(key) and sweep["design"] not in designs:
            text = f"read by design {', '.join(designs)} only; the design is {sweep['design']}"
            raise _mistake(where, f"sweep.{key}", text)


def _check_keys(node: Mapping[str, Any], known: Sequence[str], path: str, where: _Where) -> None:
    for key in node:
        if key not in known:
            near = nearest(str(key), known)
            text = f"{path} has no such key; it has {', '.join(known)}{near}"
            raise _mistake(where, f"{path}.{key}", text)


def _check_word(value: Any, words: Sequence[str], path: str, where: _Where) -> None:
    if value not in words:
        near = nearest(str(value), words)
        raise _mistake(where, path, f"{value!r} is none of {', '.join(words)}{near}")


def _mistake(where: _Where, path: str, text: str) -> ConfigError:
    return ConfigError(f"{where(path)}: {path}: {text}")

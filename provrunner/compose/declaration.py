"""What a configuration's node `sweep` declares, checked word by word."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from provrunner.compose.load import parse_overrides, search_folders
from provrunner.compose.mistakes import explain_interpolation
from provrunner.compose.origins import source_of
from provrunner.errors import ConfigError, nearest
from provrunner.plan import Objective

__all__ = ["Declaration", "read_declaration", "resolved_node", "sweep_source"]

_DRAWN = ("random", "sobol", "lhs")
_DESIGNS = ("grid", "list", "ofat", *_DRAWN)
_SEEDS = ("common", "independent")
_KEYS = ("name", "objective", "design", "params", "points", "trials", "replicates")
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
        design: `grid`, `list`, `ofat`, `random`, `sobol` or `lhs`.
        params: axes by key.
        points: points of a list, or those before the drawn ones, all with the same keys.
        trials: points to draw; None for a design that draws none.
        replicates: runs of one trial, at least 1.
        seeds: `common` or `independent`.
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

    @property
    def is_drawn(self) -> bool:
        """Whether points are drawn, and not enumerated."""
        return self.design in _DRAWN


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
    return Declaration(
        where=sweep_source(arguments),
        name=sweep.get("name"),
        objective=_objective(sweep.get("objective"), where),
        design=design,
        params=params,
        points=_points(sweep.get("points") or [], design, where),
        replicates=replicates,
        seeds=seeds,
        trials=_trials(sweep.get("trials"), design, where),
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


def _objective(node: Any, where: _Where) -> Objective:
    path = "sweep.objective"
    if not isinstance(node, dict) or not isinstance(node.get("metric"), str):
        raise _mistake(where, path, f"expected a mapping with a metric's name, got {node!r}")
    _check_keys(node, ("metric", "direction", "at"), path, where)
    objective = Objective(**node)
    _check_word(objective.direction, _DIRECTIONS, f"{path}.direction", where)
    _check_word(objective.at, _EPOCHS, f"{path}.at", where)
    return objective


def _points(points: Any, design: str, where: _Where) -> list[dict[str, Any]]:
    path = "sweep.points"
    if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
        raise _mistake(where, path, f"expected a list of mappings, got {points!r}")
    if design == "list" and not points:
        raise _mistake(where, path, "empty; design list needs at least 2 points")
    for number, point in enumerate(points):
        if point.keys() != points[0].keys():
            differing = ", ".join(sorted(point.keys() ^ points[0].keys()))
            raise _mistake(where, path, f"point {number} differs from point 0 in keys: {differing}")
    return points


def _trials(count: Any, design: str, where: _Where) -> int | None:
    if design not in _DRAWN:
        return None
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        text = f"design {design} needs the number of points to draw, such as 30; got {count!r}"
        raise _mistake(where, "sweep.trials", text)
    return count


def _replicates(node: Any, where: _Where) -> tuple[int, str]:
    path = "sweep.replicates"
    mapping = node if isinstance(node, dict) else {"n": node}
    _check_keys(mapping, ("n", "seeds"), path, where)
    count, seeds = mapping.get("n", 1), mapping.get("seeds", "common")
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise _mistake(where, path, f"expected a whole number from 1 up, got {count!r}")
    _check_word(seeds, _SEEDS, f"{path}.seeds", where)
    return count, str(seeds)


def _check_reader(sweep: Mapping[str, Any], where: _Where) -> None:
    """Refuse axes that the design does not read."""
    readers = {"points": ("list", *_DRAWN), "params": ("grid", "ofat", *_DRAWN), "trials": _DRAWN}
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

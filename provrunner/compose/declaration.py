"""What a configuration's node `sweep` declares, checked word by word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from provrunner.compose.load import parse_overrides, search_folders
from provrunner.compose.mistakes import explain_interpolation
from provrunner.errors import ConfigError, nearest
from provrunner.plan import Objective

__all__ = ["Declaration", "read_declaration", "resolved_node", "sweep_source"]

_DESIGNS = ("grid", "list")
_SEEDS = ("common", "independent")
_KEYS = ("name", "objective", "design", "params", "points", "replicates")
_DIRECTIONS = ("minimize", "maximize")
_EPOCHS = ("best", "last")


@dataclass(frozen=True, slots=True)
class Declaration:
    """A sweep as its file declares it; axes are still in the user's own grammar.

    Attributes:
        where: the path of the file, for errors.
        name: what the user calls it; None if unnamed.
        objective: what it is judged by.
        design: `grid` or `list`.
        params: axes of a grid by key.
        points: points of a list, all with the same keys.
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


def read_declaration(cfg: DictConfig, arguments: Sequence[str]) -> Declaration:
    """Read the node `sweep` of a composed configuration.

    Raises:
        ConfigError: an unknown key or word, or a value of the wrong kind.
    """
    where = sweep_source(arguments)
    sweep = resolved_node(cfg, "sweep")
    _check_keys(sweep, _KEYS, "sweep", where)
    _check_word(sweep.get("design"), _DESIGNS, "sweep.design", where)
    design = str(sweep["design"])
    params, points = sweep.get("params") or {}, sweep.get("points") or []
    if not isinstance(params, dict):
        raise ConfigError(f"{where}: sweep.params: expected a mapping of keys, got {params!r}")
    for key, value, reader in (("points", points, "list"), ("params", params, "grid")):
        if value and design != reader:
            raise ConfigError(
                f"{where}: sweep.{key} is read by design {reader} only; the design is {design}"
            )
    replicates, seeds = _replicates(sweep.get("replicates"), where)
    return Declaration(
        where=where,
        name=sweep.get("name"),
        objective=_objective(sweep.get("objective"), where),
        design=design,
        params=params,
        points=_points(points, design, where),
        replicates=replicates,
        seeds=seeds,
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


def _objective(node: Any, where: str) -> Objective:
    path = "sweep.objective"
    if not isinstance(node, dict) or not isinstance(node.get("metric"), str):
        raise ConfigError(f"{where}: {path}.metric: expected the name of a metric, got {node!r}")
    _check_keys(node, ("metric", "direction", "at"), path, where)
    objective = Objective(**node)
    _check_word(objective.direction, _DIRECTIONS, f"{path}.direction", where)
    _check_word(objective.at, _EPOCHS, f"{path}.at", where)
    return objective


def _points(points: Any, design: str, where: str) -> list[dict[str, Any]]:
    if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
        raise ConfigError(f"{where}: sweep.points: expected a list of mappings, got {points!r}")
    if design == "list" and not points:
        raise ConfigError(f"{where}: sweep.points is empty; design list needs at least 2 points")
    for number, point in enumerate(points):
        if point.keys() != points[0].keys():
            differing = ", ".join(sorted(point.keys() ^ points[0].keys()))
            raise ConfigError(
                f"{where}: sweep.points: point {number} has other keys than point 0: {differing}"
            )
    return points


def _replicates(node: Any, where: str) -> tuple[int, str]:
    path = "sweep.replicates"
    mapping = node if isinstance(node, dict) else {"n": node}
    _check_keys(mapping, ("n", "seeds"), path, where)
    count, seeds = mapping.get("n", 1), mapping.get("seeds", "common")
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ConfigError(f"{where}: {path}: expected a whole number from 1 up, got {count!r}")
    _check_word(seeds, _SEEDS, f"{path}.seeds", where)
    return count, str(seeds)


def _check_keys(node: Mapping[str, Any], known: Sequence[str], path: str, where: str) -> None:
    for key in node:
        if key not in known:
            near = nearest(str(key), known)
            raise ConfigError(
                f"{where}: {path} has no key {key!r}; it has {', '.join(known)}{near}"
            )


def _check_word(value: Any, words: Sequence[str], path: str, where: str) -> None:
    if value not in words:
        near = nearest(str(value), words)
        raise ConfigError(f"{where}: {path}: {value!r} is none of {', '.join(words)}{near}")

"""Where each value of a run's configuration came from."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from provrunner.compose.load import CONFIG_NAME, package_conf, parse_overrides

__all__ = [
    "ConfigLeaf",
    "config_leaves",
    "config_references",
    "source_of",
    "task_overrides",
    "walk_leaves",
]

_INTERNAL = ("hydra", "run")
_GLOBAL = "@package _global_"


@dataclass(frozen=True, slots=True)
class ConfigLeaf:
    """One value of a resolved configuration.

    Attributes:
        name: its path, such as `optimizer.lr`.
        value: None, bool, int, float, str, a list, or an empty mapping.
        origin: `axis` of the sweep; `command line`; `group choice`, the file of a group's chosen
            option; `file`, another file of the user's or a sweep's; `default`, provrunner's own
            config.yaml. None when unknown.
        source: the file's path, or `command line`.
    """

    name: str
    value: Any
    origin: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    origin: str
    keys: frozenset[str]


def config_leaves(
    cfg: DictConfig, hydra_cfg: DictConfig, axes: Collection[str]
) -> tuple[ConfigLeaf, ...]:
    """Return every leaf of a composed configuration with its origin, sorted by name.

    Args:
        cfg: the configuration; interpolations are resolved, `hydra` and `run` left out.
        hydra_cfg: Hydra's own node, as composed with it.
        axes: the names of swept keys and groups.
    """
    files = list(_files(hydra_cfg))
    given = _overridden(hydra_cfg)
    leaves = []
    for name, value in sorted(walk_leaves(OmegaConf.to_container(cfg, resolve=True))):
        if name.split(".")[0] in _INTERNAL:
            continue
        origin, source = _origin(name, files)
        if _is_within(name, axes):
            is_of_option = _is_within(name, hydra_cfg.runtime.choices) and name not in axes
            origin, source = "axis", source if is_of_option else _axis_source(name, files)
        elif _is_within(name, given):
            origin, source = "command line", "command line"
        leaves.append(ConfigLeaf(name, value, origin, source))
    return tuple(leaves)


def config_references(cfg: DictConfig) -> dict[str, frozenset[str]]:
    """Return, for each leaf of a configuration, the leaves that `${...}` in its place refers to.

    A reference to a node refers to all leaves below it, and stands for the leaves that it becomes.

    Args:
        cfg: as composed; `hydra` and `run` are left out.

    Example:
        >>> cfg = OmegaConf.create({"lr": 0.1, "optimizer": {"lr": "${lr}", "decay": 0}})
        >>> config_references(cfg)
        {'optimizer.lr': frozenset({'lr'})}
    """
    kept = [str(key) for key in cfg if key not in _INTERNAL]
    part = OmegaConf.masked_copy(cfg, kept)
    known = [name for name, _ in walk_leaves(OmegaConf.to_container(part, resolve=True))]
    found: dict[str, frozenset[str]] = {}
    for place, value in walk_leaves(OmegaConf.to_container(part, resolve=False)):
        words = [_absolute(word, place) for word in _words(value)]
        named = frozenset(name for name in known if _is_within(name, words))
        if named:
            found |= {name: named for name in known if _is_within(name, (place,))}
    return found


def task_overrides(hydra_cfg: DictConfig) -> list[str]:
    """Return the overrides as given; read in the plain way, `${...}` in them would be resolved."""
    given = OmegaConf.to_container(hydra_cfg.overrides.task, resolve=False)
    return [str(text) for text in given] if isinstance(given, list) else []


def source_of(name: str, hydra_cfg: DictConfig | None) -> str:
    """Say where a key's value came from: the command line, or a file's path, or "configuration".

    Args:
        name: the path of a value or of a node.
        hydra_cfg: Hydra's own node; without it, nothing is known.
    """
    if hydra_cfg is None:
        return "configuration"
    choices = hydra_cfg.runtime.choices
    for override in parse_overrides(task_overrides(hydra_cfg)):
        if override.key_or_group not in choices and _is_within(name, {override.key_or_group}):
            return f"command line: {override.input_line!r}"
    files = list(_files(hydra_cfg))
    below = (file for file in files if any(key.startswith(f"{name}.") for key in file.keys))
    found = _origin(name, files)[1] or next((file.path for file in below), None)
    return found or "configuration"


def walk_leaves(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted name and value of each leaf of a configuration; an empty mapping is one."""
    if not isinstance(node, dict) or (not node and prefix):
        yield prefix, node
        return
    for key, value in node.items():
        yield from walk_leaves(value, f"{prefix}.{key}" if prefix else str(key))


def _words(value: Any) -> list[str]:
    """Return all that may be a key in the interpolations of a value or of a list's items."""
    if isinstance(value, list | dict):
        items = value.values() if isinstance(value, dict) else value
        return [word for item in items for word in _words(item)]
    if not isinstance(value, str) or "${" not in value:
        return []
    return re.findall(r"[\w.-]+", value.partition("${")[2])


def _absolute(word: str, place: str) -> str:
    """Return the path that a word means at a place: `.lr` is a sibling, `..lr` one level up."""
    dots = len(word) - len(word.lstrip("."))
    parents = place.split(".")[:-dots] if dots else []
    return ".".join([*parents, word.lstrip(".")])


def _is_within(name: str, keys: Collection[str]) -> bool:
    """Tell whether a leaf is one of the keys or lies below one."""
    parts = name.split(".")
    return any(".".join(parts[:end]) in keys for end in range(1, len(parts) + 1))


def _overridden(hydra_cfg: DictConfig) -> frozenset[str]:
    """Return the keys that the command line gives values to; group choices are no such keys."""
    choices = hydra_cfg.runtime.choices
    return frozenset(
        override.key_or_group
        for override in parse_overrides(task_overrides(hydra_cfg))
        if override.get_key_element().lstrip("+~") not in choices
    )


def _origin(name: str, files: Sequence[_File]) -> tuple[str | None, str | None]:
    for file in files:
        if _is_within(name, file.keys):
            return file.origin, file.path
    return None, None


def _axis_source(name: str, files: Sequence[_File]) -> str:
    """Return the file whose sweep declares an axis, or else the command line."""
    declared = {"sweep.replicates"} if name == "seed" else {f"sweep.params.{name}", "sweep.points"}
    return next(
        (file.path for file in files if declared & file.keys and file.origin == "file"),
        "command line",
    )


def _files(hydra_cfg: DictConfig) -> Iterator[_File]:
    """Yield the files that the configuration was composed of, those that win first."""
    folders = [
        Path(source.path) for source in hydra_cfg.runtime.config_sources if source.schema == "file"
    ]
    groups: list[_File] = []
    elsewhere: list[_File] = []
    for group, option in hydra_cfg.runtime.choices.items():
        if option is None or group.startswith("hydra/"):
            continue
        for file in _chain(folders, group, str(option)):
            (elsewhere if file.origin == "file" else groups).append(file)
    yield from elsewhere
    yield from groups
    primary = _first(folders, f"{CONFIG_NAME}.yaml")
    if primary is not None:
        origin = "default" if primary.parent == package_conf() else "file"
        yield _File(str(primary), origin, _keys(_read(primary), ""))


def _chain(folders: Sequence[Path], group: str, option: str) -> Iterator[_File]:
    """Yield an option's file, then those of its own defaults in the same group."""
    group_path, _, package = group.partition("@")
    path = _first(folders, f"{group_path}/{option}.yaml")
    if path is None:
        return
    content = _read(path)
    is_global = _GLOBAL in path.read_text("utf-8", "replace")[:512]
    prefix = "" if is_global else (package or group_path).replace("/", ".")
    keys = _keys(content, prefix)
    is_elsewhere = is_global and any(not _is_within(key, {group_path}) for key in keys)
    is_elsewhere = is_elsewhere or group_path == "sweep"
    yield _File(str(path), "file" if is_elsewhere else "group choice", keys)
    for default in content.get("defaults") or ():
        if isinstance(default, str) and default not in ("_self_", option):
            yield from _chain(folders, group, default)


def _first(folders: Sequence[Path], name: str) -> Path | None:
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def _read(path: Path) -> Mapping[str, Any]:
    content = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    return {str(key): item for key, item in content.items()} if isinstance(content, dict) else {}


def _keys(content: Mapping[str, Any], prefix: str) -> frozenset[str]:
    kept = {key: value for key, value in content.items() if key not in ("defaults", "hydra")}
    return frozenset(name for name, _ in walk_leaves(kept, prefix) if name)

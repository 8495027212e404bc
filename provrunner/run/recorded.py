"""A recorded configuration as a primary one, for Hydra to compose runs from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from provrunner.compose.load import CONFIG_NAME, package_conf

__all__ = ["RECORDED_NAME", "write_recorded"]

RECORDED_NAME = "recorded"
"""The name under which the configuration is composed."""

_OURS = ("capture", "provenance", "sweep")
"""Nodes that provrunner alone reads, and in which a later version may look for more."""

_HYDRA: Mapping[str, Any] = {
    "output_subdir": None,
    "job": {"chdir": False},
    "run": {"dir": "."},
    "sweep": {"dir": "${output}", "subdir": "."},
}
_DEFAULTS = [
    {"override hydra/sweeper": "provrunner"},
    {"override hydra/launcher": "provrunner"},
    {"override hydra/job_logging": "none"},
    {"override hydra/hydra_logging": "none"},
    "_self_",
]


def write_recorded(folder: Path, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Write a resolved configuration so that Hydra composes it as it is.

    Args:
        folder: where to write `recorded.yaml`.
        config: as recorded; secrets in it are masked.

    Returns:
        The keys that the record lacks because an earlier version had no use for them; they have
        today's defaults.
    """
    primary = _literal(dict(config))
    added = tuple(_complete(primary))
    primary |= {
        "folder": None,
        "run": {"folder": None, "number": None},
        "hydra": _HYDRA,
        "defaults": _DEFAULTS,
    }
    OmegaConf.save(OmegaConf.create(primary), folder / f"{RECORDED_NAME}.yaml")
    return added


def _complete(config: dict[str, Any]) -> Iterator[str]:
    for key, default in _package_defaults().items():
        if key not in config:
            config[key] = default
            yield key
        elif key in _OURS and isinstance(config[key], dict):
            for name in sorted(default.keys() - config[key].keys()):
                config[key][name] = default[name]
                yield f"{key}.{name}"


def _package_defaults() -> dict[str, Any]:
    conf = package_conf()
    own = _load(conf / f"{CONFIG_NAME}.yaml")
    own["capture"] = _load(conf / "capture" / "default.yaml")
    return {key: own[key] for key in own if key not in ("defaults", "hydra", "run")}


def _load(path: Path) -> dict[str, Any]:
    node = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    return {str(key): value for key, value in node.items()} if isinstance(node, dict) else {}


def _literal(node: Any) -> Any:
    """Keep a resolved text that looks like an interpolation as the text that it is."""
    if isinstance(node, dict):
        return {key: _literal(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_literal(value) for value in node]
    return node.replace("${", r"\${") if isinstance(node, str) else node

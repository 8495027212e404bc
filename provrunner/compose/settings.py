"""Check the settings that provrunner itself reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from provrunner.compose.load import CONFIG_NAME, package_conf
from provrunner.compose.mistakes import explain_interpolation
from provrunner.compose.origins import source_of
from provrunner.errors import ConfigError, nearest
from provrunner.plan import GRANULARITIES

__all__ = ["check_settings"]

_TEXT = "text or null"
_KINDS: dict[str, tuple[str, tuple[type, ...]]] = {
    "output": ("text", (str,)),
    "folder": (_TEXT, (str, type(None))),
    "reason": (_TEXT, (str, type(None))),
    "provenance.base_iri": (_TEXT, (str, type(None))),
    "test": ("true or false", (bool,)),
    "yes": ("true or false", (bool,)),
    "capture.include": ("a list of names", (list,)),
    "capture.exclude": ("a list of names", (list,)),
    "capture.strict": ("true or false", (bool,)),
}
_WORDS = {
    "capture.level": ("light", "default", "full"),
    "provenance.granularity": GRANULARITIES,
}
_NODES = {
    "capture": ("level", "include", "exclude", "strict"),
    "provenance": ("base_iri", "granularity"),
    "run": ("folder", "number"),
}
_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20<>\"{}|^`\\]+[/#]")


def check_settings(cfg: DictConfig) -> None:
    """Check keys and values at the root and in the nodes that only provrunner reads.

    Raises:
        ConfigError: a key that nothing reads, or a value of the wrong kind.
    """
    hydra_cfg = cfg.get("hydra")
    _check_root(cfg, hydra_cfg)
    for node, known in _NODES.items():
        for key in cfg.get(node) or {}:
            if key not in known:
                where, near = source_of(f"{node}.{key}", hydra_cfg), nearest(str(key), known)
                raise ConfigError(
                    f"{where}: {node} has no key {key!r}; it has {', '.join(known)}{near}"
                )
    for path, (expected, types) in _KINDS.items():
        value = _value(cfg, path)
        if not isinstance(value, types):
            raise ConfigError(
                f"{source_of(path, hydra_cfg)}: {path}: expected {expected}, got {value!r}"
            )
    for path, words in _WORDS.items():
        value = _value(cfg, path)
        if value not in words:
            near = nearest(str(value), words)
            raise ConfigError(
                f"{source_of(path, hydra_cfg)}: {path}: {value!r} is none of "
                f"{', '.join(words)}{near}"
            )
    _check_on_error(_value(cfg, "on_error"), hydra_cfg)
    _check_iri(_value(cfg, "provenance.base_iri"), hydra_cfg)


def _check_on_error(value: Any, hydra_cfg: DictConfig | None) -> None:
    is_retry = isinstance(value, dict) and value.keys() == {"retry"}
    if is_retry and type(value["retry"]) is int and value["retry"] > 0:
        return
    if value not in ("continue", "stop"):
        raise ConfigError(
            f"{source_of('on_error', hydra_cfg)}: on_error: expected continue, stop or "
            f"{{retry: n}} with a whole number n of at least 1, got {value!r}"
        )


def _check_iri(iri: str | None, hydra_cfg: DictConfig | None) -> None:
    if iri is not None and not _IRI.fullmatch(iri):
        raise ConfigError(
            f"{source_of('provenance.base_iri', hydra_cfg)}: provenance.base_iri: expected an IRI "
            f"that ends in / or #, such as https://example.org/sweeps/, got {iri!r}"
        )


def _check_root(cfg: DictConfig, hydra_cfg: DictConfig | None) -> None:
    known = sorted({*_package_keys(), "hydra"})
    for key in map(str, cfg):
        if key in known or _is_referenced(key, cfg):
            continue
        raise ConfigError(
            f"{source_of(key, hydra_cfg)}: nothing reads the key {key!r}{nearest(key, known)}"
        )
    for key in known:
        if key not in cfg and key != "hydra":
            raise ConfigError(
                f"{CONFIG_NAME}.yaml: the key {key!r} is missing; "
                "a config.yaml of your own needs all keys of provrunner's"
            )


def _package_keys() -> Iterator[str]:
    content = OmegaConf.load(package_conf() / f"{CONFIG_NAME}.yaml")
    yield from (str(key) for key in content if key != "defaults")
    yield from (folder.name for folder in package_conf().iterdir() if folder.is_dir())


def _is_referenced(key: str, cfg: DictConfig) -> bool:
    """Tell whether an interpolation elsewhere in the configuration reads a key at the root."""
    others = {str(name): cfg._get_node(name) for name in cfg if name not in (key, "hydra")}
    pattern = re.compile(rf"\$\{{[^}}]*\b{re.escape(key)}\b")
    return any(pattern.search(text) for text in _texts(list(others.values())))


def _texts(node: Any) -> Iterator[str]:
    if OmegaConf.is_config(node):
        node = OmegaConf.to_container(node, resolve=False)
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _texts(item)
        return
    value = node._value() if hasattr(node, "_value") else node
    if isinstance(value, str):
        yield value


def _value(cfg: DictConfig, path: str) -> Any:
    try:
        value = OmegaConf.select(cfg, path)
        return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
    except OmegaConfBaseException as error:
        raise explain_interpolation(error, map(str, cfg)) from error

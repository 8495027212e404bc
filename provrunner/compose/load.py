"""Compose the configuration of a sweep or run from conf/, the user's own files and overrides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from provrunner.compose.hydra_versions import version_base
from provrunner.compose.launchers import register_launchers
from provrunner.compose.mistakes import COMPOSITION_ERRORS, explain, explain_override
from provrunner.compose.resolvers import register_resolvers
from provrunner.errors import ConfigError, nearest

__all__ = [
    "CONFIG_NAME",
    "chosen_config_folder",
    "compose_config",
    "config_folder",
    "config_keys",
    "extend_search_path",
    "group_options",
    "package_conf",
    "parse_overrides",
    "search_folders",
    "user_conf",
]

CONFIG_NAME = "config"
"""The primary configuration's name: conf/config.yaml."""

_CONFIG_DIR: ContextVar[Path | None] = ContextVar("config_dir", default=None)


def package_conf() -> Path:
    """Return the folder of provrunner's own configuration, in a checkout or installed."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "conf"
    return installed if installed.is_dir() else package.parent / "conf"


def user_conf(cwd: Path, config_dir: Path | None = None) -> Path | None:
    """Return the user's own folder of configuration: `config_dir`, or `conf` below `cwd`.

    Returns:
        An absolute path; None if there is none, or if it is the package's own.

    Raises:
        ConfigError: `config_dir` is no folder.
    """
    folder = (cwd / (config_dir or "conf")).resolve()
    if config_dir is not None and not folder.is_dir():
        near = nearest(folder.name, _folder_names(folder.parent))
        raise ConfigError(f"--config-dir: {folder} is no folder{near}")
    return folder if folder.is_dir() and folder != package_conf() else None


def search_folders(config_dir: Path | None = None) -> tuple[Path, ...]:
    """Return the folders of configuration, the one that is searched first in front."""
    own = user_conf(Path.cwd(), config_dir or _CONFIG_DIR.get())
    return (package_conf(),) if own is None else (own, package_conf())


def group_options(group: str, folders: Sequence[Path] | None = None) -> tuple[str, ...]:
    """Return a group's options in alphabetical order; empty if there is no such group.

    Example:
        >>> group_options("capture", [package_conf()])
        ('default', 'full', 'light')
    """
    roots = search_folders() if folders is None else folders
    if not group or Path(group).is_absolute() or ".." in Path(group).parts:
        return ()
    return tuple(sorted({file.stem for root in roots for file in (root / group).glob("*.y*ml")}))


@contextmanager
def config_folder(config_dir: Path | None) -> Iterator[None]:
    """Search `config_dir` in place of `./conf` in all that is composed inside the block."""
    if config_dir is None:
        yield
        return
    token = _CONFIG_DIR.set(user_conf(Path.cwd(), config_dir))
    try:
        yield
    finally:
        _CONFIG_DIR.reset(token)


def chosen_config_folder() -> Path | None:
    """Return the folder that `config_folder` put in the place of `./conf`, or None."""
    return _CONFIG_DIR.get()


def extend_search_path(search_path: ConfigSearchPath) -> None:
    """Put the user's folder before the package's on Hydra's search path.

    A Hydra application that has its own primary folder, and so is not provrunner, is left as it is.
    """
    register_resolvers()
    package, elements = str(package_conf()), search_path.get_path()
    known = [element for element in elements if _plain(element.path) == package]
    if not known:
        if any(element.provider == "main" for element in elements):
            return
        search_path.append(provider="provrunner", path=package)
    register_launchers()
    own = search_folders()[0]
    if str(own) == package or any(_plain(element.path) == str(own) for element in elements):
        return
    anchor = SearchPathQuery(path=known[0].path if known else package)
    search_path.prepend(provider="user", path=str(own), anchor=anchor)


def compose_config(
    overrides: Sequence[str],
    *,
    config_dir: Path | None = None,
    return_hydra_config: bool = False,
    sources: Mapping[str, str] | None = None,
) -> DictConfig:
    """Compose the configuration as Hydra would for one run.

    Args:
        overrides: in Hydra's grammar. Sweeps among them (`optimizer.lr=0.01,0.1`) are checked for
            their grammar, then left out: they are the plan's axes.
        config_dir: searched in place of `./conf`.
        return_hydra_config: keep the node `hydra`, with the choice made in each group.
        sources: what an override came from where that is not the command line, for errors.

    Raises:
        ConfigError: with the file or override that is wrong, and the nearest name.
    """
    parsed = [one for one in parse_overrides(overrides) if not one.is_sweep_override()]
    plain = [one.input_line or "" for one in parsed]
    with config_folder(config_dir):
        for one in parsed:
            _check_choice(one, (sources or {}).get(one.input_line or "", "command line"))
        try:
            return _compose(plain, return_hydra_config=return_hydra_config)
        except COMPOSITION_ERRORS as error:
            origins = {text: (sources or {}).get(text, "command line") for text in plain}
            keys = _composed_keys(plain)
            raise explain(error, origins, search_folders(), keys) from error


def parse_overrides(overrides: Sequence[str], where: str = "command line") -> list[Override]:
    """Parse overrides one by one.

    Args:
        overrides: in Hydra's grammar.
        where: what they came from, for errors.

    Raises:
        ConfigError: an override that Hydra's grammar does not allow.

    Example:
        >>> parse_overrides(["optimizer.lr=0.01,0.1"])[0].is_sweep_override()
        True
    """
    parser = OverridesParser.create()
    parsed = []
    for override in overrides:
        try:
            parsed.extend(parser.parse_overrides([override]))
        except COMPOSITION_ERRORS as error:
            raise explain_override(error, override, where) from error
    return parsed


def _check_choice(override: Override, where: str) -> None:
    """Refuse what is no choice of a group's option; Hydra's own words for it name no place."""
    key, text = override.key_or_group, f"{where}: {override.input_line!r}"
    if not key:
        raise ConfigError(f"{text}: there is no key before the '='")
    options = group_options(key) if (package_conf() / key).is_dir() else ()
    if not options:
        return
    if override.is_delete():
        raise ConfigError(f"{text}: every run needs one {key!r} of {', '.join(options)}")
    if not isinstance(override.value(), str | dict):
        raise ConfigError(f"{text}: {key!r} takes one of {', '.join(options)}")


def config_keys(cfg: DictConfig) -> tuple[str, ...]:
    """Return the path of every node and value of a configuration.

    Example:
        >>> from omegaconf import OmegaConf
        >>> config_keys(OmegaConf.create({"optimizer": {"lr": 0.1}}))
        ('optimizer', 'optimizer.lr')
    """
    return tuple(_all_keys(cfg, ""))


def _compose(overrides: list[str], *, return_hydra_config: bool) -> DictConfig:
    with initialize_config_dir(str(package_conf()), job_name="provrunner", **version_base()):
        return compose(CONFIG_NAME, overrides, return_hydra_config=return_hydra_config)


def _composed_keys(overrides: Sequence[str]) -> tuple[str, ...]:
    """List the configuration's keys as they are without the overrides of values."""
    groups = [
        text
        for text, parsed in zip(overrides, parse_overrides(overrides), strict=True)
        if group_options(parsed.key_or_group)
    ]
    for attempt in (groups, []):
        try:
            return config_keys(_compose(attempt, return_hydra_config=False))
        except COMPOSITION_ERRORS:
            continue
    return ()


def _all_keys(node: DictConfig, prefix: str) -> Iterator[str]:
    for key, value in node.items_ex(resolve=False):
        path = f"{prefix}{key!s}"
        yield path
        if isinstance(value, DictConfig) and not (value._is_none() or value._is_missing()):
            yield from _all_keys(value, f"{path}.")


def _plain(path: str) -> str:
    return path.removeprefix("file://")


def _folder_names(parent: Path) -> list[str]:
    return [item.name for item in parent.iterdir() if item.is_dir()] if parent.is_dir() else []

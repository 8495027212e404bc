"""Turn the errors of Hydra, OmegaConf and YAML into messages that say where and what instead."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import (
    OmegaConfBaseException,
)
from yaml import MarkedYAMLError, YAMLError  # type: ignore[import-untyped]

from provrunner.errors import ConfigError, nearest

__all__ = ["COMPOSITION_ERRORS", "explain", "explain_interpolation", "explain_override"]

COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, YAMLError, ValueError, OSError)
"""All that composing a configuration may raise for what a user wrote."""

_COMMAND_LINE = "command line"


def explain(
    error: BaseException, overrides: Mapping[str, str], folders: Sequence[Path], keys: Sequence[str]
) -> ConfigError:
    """Return the error to raise in place of one of `COMPOSITION_ERRORS`.

    Args:
        error: what was raised while composing.
        overrides: those composed, each with what it came from.
        folders: the folders of configuration in the order searched.
        keys: the keys that the configuration has without the overrides.
    """
    for cause in _chain(error):
        if isinstance(cause, MarkedYAMLError):
            return _yaml(cause)
        if isinstance(cause, UnicodeDecodeError):
            return ConfigError(f"{folders[0]}: a file of configuration is not UTF-8: {cause}")
    if isinstance(error, MissingConfigException):
        return _missing_config(error, overrides, folders)
    if isinstance(error, OverrideParseException):
        return explain_override(error, error.override)
    if match := re.search(r"Could not override '([^']+)'", str(error)):
        return _unknown_key(match.group(1), overrides, folders, keys)
    return _other(error, overrides)


def explain_override(
    error: BaseException, override: str, where: str = _COMMAND_LINE
) -> ConfigError:
    """Return the error to raise for an override that cannot be parsed."""
    lines = [line for line in str(error).splitlines() if line and not line.startswith("See http")]
    detail = " ".join(line.strip() for line in lines if line.strip("^ "))
    detail = detail.replace("LexerNoViableAltException: ", "unexpected character in ")
    return ConfigError(
        f"{where}: {override!r} is not of the form key=value or key=choice(a, b): {detail}"
    )


def explain_interpolation(error: OmegaConfBaseException, keys: Iterable[str]) -> ConfigError:
    """Return the error to raise for a value that cannot be resolved."""
    first = str(error).splitlines()[0]
    match = re.search(r"Interpolation key '([^']+)'", first)
    near = nearest(match.group(1), keys) if match else ""
    return ConfigError(f"{error.full_key or 'configuration'}: {first}{near}")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _yaml(error: MarkedYAMLError) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    where = f"{mark.name}:{mark.line + 1}:{mark.column + 1}" if mark else "a file of configuration"
    context = f" ({error.context})" if error.context else ""
    return ConfigError(f"{where}: no valid YAML: {error.problem}{context}")


def _missing_config(
    error: MissingConfigException, overrides: Mapping[str, str], folders: Sequence[Path]
) -> ConfigError:
    wanted = error.missing_cfg_file or ""
    group, _, option = wanted.rpartition("/")
    options = sorted(error.options or ()) or _options(group, folders)
    if not options:
        place = _where(group, overrides, folders, option) if group else "configuration"
        return ConfigError(
            f"{place}: no configuration {wanted!r} in {', '.join(map(str, folders))}"
        )
    return ConfigError(
        f"{_where(group, overrides, folders, option)}: {group!r} has no option {option!r}; "
        f"it has {', '.join(options)}{nearest(option, options)}"
    )


def _options(group: str, folders: Sequence[Path]) -> list[str]:
    return sorted({file.stem for root in folders for file in (root / group).glob("*.y*ml")})


def _where(
    key: str, overrides: Mapping[str, str], folders: Sequence[Path], option: str | None = None
) -> str:
    """Return the override, or else the line of a file, that names a key and its option."""
    for text, source in overrides.items():
        name, _, value = text.lstrip("+~").partition("=")
        if name == key and (option is None or option in value):
            return f"{source}: {text!r}"
    pattern = re.compile(rf"\b{re.escape(key)}\b.*\b{re.escape(option or '')}\b")
    for file in _chosen_files(overrides, folders):
        for number, line in enumerate(file.read_text("utf-8", "replace").splitlines(), 1):
            if pattern.search(line):
                return f"{file}:{number}"
    return "configuration"


def _chosen_files(overrides: Mapping[str, str], folders: Sequence[Path]) -> Iterator[Path]:
    names = [text.lstrip("+").partition("=")[::2] for text in overrides]
    paths = [*(f"{group}/{option}.yaml" for group, option in names), "config.yaml"]
    for folder in folders:
        yield from (folder / path for path in paths if (folder / path).is_file())


def _unknown_key(
    key: str, overrides: Mapping[str, str], folders: Sequence[Path], keys: Sequence[str]
) -> ConfigError:
    where = _where(key, overrides, folders)
    if _options(key, folders):
        return ConfigError(
            f"{where}: {key!r} is not among the defaults of config.yaml; add it with +{key}=..."
        )
    if key in keys:
        return ConfigError(f"{where}: new keys in {key!r} are added with +{key}={{...}}")
    groups = [item.name for root in folders for item in root.iterdir() if item.is_dir()]
    near = nearest(key, [*keys, *groups])
    return ConfigError(
        f"{where}: the configuration has no key {key!r}{near or _to_add(key, where)}"
    )


def _to_add(key: str, where: str) -> str:
    return f"; +{key}=... adds a new one" if where.startswith(_COMMAND_LINE) else ""


def _other(error: BaseException, overrides: Mapping[str, str]) -> ConfigError:
    texts = [str(cause) for cause in _chain(error) if str(cause)]
    message = " ".join(dict.fromkeys(line.strip() for text in texts for line in text.splitlines()))
    named = [text for text in overrides if text in message or text.lstrip("~") in message]
    where = f"{overrides[named[0]]}: {named[0]!r}" if named else "configuration"
    return ConfigError(f"{where}: {message or type(error).__name__}")

"""Check what a configuration's `_target_`s name and accept, before anything is built."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_type_hints

from provrunner.compose.expected import admits, describe
from provrunner.errors import ConfigError, nearest

__all__ = ["annotation_of", "check_target", "find_target", "target_nodes"]

_OF_HYDRA = ("_target_", "_partial_", "_args_", "_convert_", "_recursive_")
_FROM_DATA = {"in_shape", "out_features", "problem"}
_FROM_THE_RUN = {"model": _FROM_DATA, "task": _FROM_DATA | {"model", "optimizer", "scheduler"}}
"""Arguments that the runner gives, by the node it gives them to."""


def target_nodes(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every mapping with a `_target_`, with its path, outer ones first."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from target_nodes(item, f"{path}[{index}]")
    if not isinstance(node, dict):
        return
    if "_target_" in node:
        yield path, node
    for key, value in node.items():
        yield from target_nodes(value, f"{path}.{key}" if path else str(key))


def find_target(name: str) -> Any:
    """Import what a `_target_` names.

    Raises:
        ConfigError: it cannot be imported, with the nearest name.

    Example:
        >>> find_target("math.sqrt")(9.0)
        3.0
    """
    module, rest = _import_longest(name)
    target: Any = module
    for index, part in enumerate(rest):
        if not hasattr(target, part):
            owner = ".".join(name.split(".")[: len(name.split(".")) - len(rest) + index])
            raise ConfigError(f"{owner!r} has no {part!r}{nearest(part, dir(target))}")
        target = getattr(target, part)
    if not callable(target):
        raise ConfigError(f"{name!r} is a {type(target).__name__}; expected a class or function")
    return target


def check_target(path: str, node: Mapping[str, Any], where: Callable[[str], str]) -> None:
    """Check one `_target_` with its arguments, and call its own `check` where it has one.

    Args:
        path: the node's path in the configuration.
        node: its resolved values.
        where: gives the file or command line that a key came from, for errors.

    Raises:
        ConfigError: it cannot be imported, or does not accept the arguments.
    """
    name = node["_target_"]
    if not isinstance(name, str):
        raise ConfigError(
            f"{where(path)}: {path}._target_: expected a name such as package.Class, got {name!r}"
        )
    try:
        target = find_target(name)
    except ConfigError as error:
        raise ConfigError(
            f"{where(path + '._target_')}: {path}._target_: cannot import {name!r}: {error}"
        ) from error
    given = {key: value for key, value in node.items() if key not in _OF_HYDRA}
    parameters = _parameters(target)
    if parameters is not None:
        _check_names(path, given, parameters, where)
        _check_types(path, given, target, where)
        if not node.get("_partial_") and "_args_" not in node:
            _check_required(path, given, parameters, name, where)
    _call_check(path, given, target, where)


def annotation_of(target: Any, name: str) -> Any:
    """Return a parameter's annotation, or `inspect.Parameter.empty` if it cannot be known."""
    function = target.__init__ if inspect.isclass(target) else target
    try:
        return get_type_hints(function).get(name, inspect.Parameter.empty)
    except (NameError, TypeError, AttributeError):
        return inspect.Parameter.empty


def _import_longest(name: str) -> tuple[Any, list[str]]:
    """Import as many leading parts of a dotted name as are modules; return the rest."""
    parts = name.split(".")
    module: Any = None
    for end in range(1, len(parts) + 1):
        wanted = ".".join(parts[:end])
        try:
            module = importlib.import_module(wanted)
        except ModuleNotFoundError as error:
            if error.name != wanted and not wanted.startswith(f"{error.name}."):
                raise ConfigError(f"{wanted!r} needs the module {error.name!r}") from error
            if module is None:
                raise ConfigError(f"no module {wanted!r}{nearest(wanted, _modules())}") from error
            return module, parts[end - 1 :]
        except Exception as error:  # a user's module may raise anything
            raise ConfigError(f"{wanted!r} raised {type(error).__name__}: {error}") from error
    return module, []


def _modules() -> list[str]:
    """List what can be imported: files of the working folder first."""
    own = [file.stem for file in Path.cwd().glob("*.py")]
    return [*own, *(item.name for item in pkgutil.iter_modules()), *sys.builtin_module_names]


def _parameters(target: Any) -> Mapping[str, inspect.Parameter] | None:
    try:
        return inspect.signature(target).parameters
    except (TypeError, ValueError):
        return None


def _check_names(
    path: str,
    given: Mapping[str, Any],
    parameters: Mapping[str, inspect.Parameter],
    where: Callable[[str], str],
) -> None:
    kinds = {parameter.kind for parameter in parameters.values()}
    if inspect.Parameter.VAR_KEYWORD in kinds:
        return
    for key in given:
        if key not in parameters:
            near = nearest(str(key), parameters) or f"; it takes {', '.join(parameters)}"
            raise ConfigError(
                f"{where(f'{path}.{key}')}: {path}.{key}: {path} takes no {key!r}{near}"
            )


def _check_types(
    path: str, given: Mapping[str, Any], target: Any, where: Callable[[str], str]
) -> None:
    for key, value in given.items():
        if isinstance(value, dict) or (value is None and key in _FROM_THE_RUN.get(path, ())):
            continue
        annotation = annotation_of(target, key)
        if annotation is inspect.Parameter.empty or admits(annotation, value) is not False:
            continue
        raise ConfigError(
            f"{where(f'{path}.{key}')}: {path}.{key}: "
            f"expected {inspect.formatannotation(annotation)}, got {describe(value)}"
        )


def _check_required(
    path: str,
    given: Mapping[str, Any],
    parameters: Mapping[str, inspect.Parameter],
    name: str,
    where: Callable[[str], str],
) -> None:
    for key, parameter in parameters.items():
        is_optional = parameter.default is not parameter.empty or parameter.kind in (
            parameter.VAR_KEYWORD,
            parameter.VAR_POSITIONAL,
        )
        if is_optional or key in given or key in _FROM_THE_RUN.get(path, ()):
            continue
        hint = " (or _partial_: true)" if key in ("params", "optimizer") else ""
        raise ConfigError(f"{where(path)}: {path}: {name} needs {key!r}; set {path}.{key}{hint}")


def _call_check(
    path: str, given: Mapping[str, Any], target: Any, where: Callable[[str], str]
) -> None:
    found = inspect.getattr_static(target, "check", None)
    if not isinstance(found, classmethod | staticmethod):
        return
    try:
        target.check(**given)
    except ConfigError as error:
        raise ConfigError(f"{where(path)}: {error}") from error
    except (OSError, TypeError, ValueError) as error:
        unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        near = nearest(unknown.group(1), _inherited_names(target)) if unknown else ""
        raise ConfigError(f"{where(path)}: {path}: {error}{near}") from error


def _inherited_names(target: Any) -> list[str]:
    """List the arguments of a class and of the classes that it may hand further ones to."""
    kinds = inspect.getmro(target) if inspect.isclass(target) else ()
    return [name for kind in kinds for name in _parameters(kind) or ()]

"""Whether what a record's configuration would call may be called: a record may be another's."""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from provrunner.errors import ConfigError
from provrunner.run.record import RunRecord

__all__ = ["check_targets", "check_trust"]

_TRUSTED = (
    "lightning.",
    "provrunner.zoo.",
    "pytorch_lightning.",
    "torch.nn.",
    "torch.optim.",
    "torch.utils.data.",
    "torchmetrics.",
)
"""Whose classes may be made whoever wrote the configuration: models, data and trainers."""


def check_trust(record: RunRecord, root: Path, trusted: Collection[str] = ()) -> None:
    """Refuse a run of another machine whose configuration calls what it should not need.

    A `_target_` calls anything that Python can import. Of a run that this machine recorded, it is
    taken as its user wrote it. Of others it must be a class of torch's or Lightning's models, data
    and trainers, or lie in the code that is run.

    Args:
        record: the run.
        root: the folder that it would be run in.
        trusted: further packages, by the user's own word.

    Raises:
        ConfigError: a `_target_` is none of these.
    """
    what = f"the record of run {record.point.run_id}"
    check_targets(record.config, record.host, what, root, trusted)


def check_targets(
    config: Mapping[str, Any],
    host: str | None,
    what: str,
    root: Path,
    trusted: Collection[str] = (),
) -> None:
    """Refuse a configuration of another machine that calls what it should not need.

    Args:
        config: any nodes, some with a `_target_`.
        host: the machine it was recorded on; None when unknown.
        what: it is the configuration of, for the message.
        root: the folder that it would be run in.
        trusted: further packages, by the user's own word.

    Raises:
        ConfigError: a `_target_` may not be called; see `check_trust`.
    """
    if host is not None and host == socket.gethostname():
        return
    for path, target in _targets(config):
        package = target.partition(".")[0]
        if not (_is_known_class(target) or package in trusted or _lies_in(package, root)):
            raise ConfigError(
                f"{path}._target_: {what} comes from "
                f"{'another machine' if host else 'an unknown machine'} and calls "
                f"{target!r}, which lies neither in its code nor in torch's or Lightning's; "
                f"--trust {package} if you know what it does"
            )


def _targets(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _targets(item, f"{path}[{index}]")
    elif isinstance(node, Mapping):
        if "_target_" in node:
            yield path, str(node["_target_"])
        for key, value in node.items():
            yield from _targets(value, f"{path}.{key}" if path else str(key))


def _is_known_class(target: str) -> bool:
    """Say whether a name leads to a class of the known packages.

    A path of attributes may lead out of a package, to what one of its modules has imported; and a
    function may do anything, such as load a pickle.
    """
    if not target.startswith(_TRUSTED):
        return False
    from hydra.utils import get_object

    try:
        found = get_object(target)
    except Exception:  # noqa: BLE001 - it is not there, or cannot be imported
        return False
    return isinstance(found, type) and f"{found.__module__}.".startswith(_TRUSTED)


def _lies_in(package: str, root: Path) -> bool:
    """Say whether Python finds a package among the files of a folder, not among those installed."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return False
    told = [] if spec is None else [spec.origin, *(spec.submodule_search_locations or ())]
    # What is built in has a word such as `frozen` in place of a path.
    places = [Path(place) for place in told if place and Path(place).is_absolute()]
    return any(
        place.resolve().is_relative_to(root.resolve()) and "site-packages" not in place.parts
        for place in places
    )

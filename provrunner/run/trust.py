"""Whether what a record's configuration would call may be called: a record may be another's."""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provrunner.errors import ConfigError
from provrunner.run.own_code import OwnCode
from provrunner.run.record import RunRecord

__all__ = [
    "Source",
    "check_config_dir",
    "check_engine",
    "check_script",
    "check_search_path",
    "check_targets",
    "check_trust",
]

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

_ENGINE = frozenset(
    {
        "hydra._internal.core_plugins.basic_launcher.BasicLauncher",
        "hydra._internal.core_plugins.basic_sweeper.BasicSweeper",
        "hydra.experimental.callbacks.LogJobReturnCallback",
        "hydra_plugins.provrunner_plugins.JoblibLauncher",
        "hydra_plugins.provrunner_plugins.ProvrunnerLauncher",
        "hydra_plugins.provrunner_plugins.ProvrunnerSweeper",
    }
)
"""What Hydra's own settings may make; other launchers run shell commands that they are given."""

_SEARCH_PATH = "hydra.searchpath"
_LOGGING = ("hydra_logging", "job_logging")
_PLAIN_LOGGING = frozenset({"logging.FileHandler", "logging.Formatter", "logging.StreamHandler"})
_STREAMS = frozenset({"ext://sys.stderr", "ext://sys.stdout"})
_OUTPUT = "${hydra.runtime.output_dir}/"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a configuration comes from.

    Attributes:
        what: it is the configuration of, for messages.
        host: the machine it was recorded on; None when unknown.
        folder: the sweep's, all of which came with it.
        trusted: packages, settings and folders, by the user's own word.
    """

    what: str
    host: str | None
    folder: Path
    trusted: frozenset[str] = frozenset()

    @property
    def is_here(self) -> bool:
        """Whether it was recorded on this machine."""
        return self.host is not None and self.host == socket.gethostname()

    def refuse(self, place: str, deed: str, word: str) -> None:
        """Refuse what it would do, unless the user's word allows it.

        Raises:
            ConfigError: the word is not among those trusted.
        """
        if word not in self.trusted:
            raise ConfigError(
                f"{place}: {self.what} comes from "
                f"{'another machine' if self.host else 'an unknown machine'} and {deed}; "
                f"--trust {word} if you know what it does"
            )


def check_trust(record: RunRecord, root: Path, trusted: Collection[str] = ()) -> None:
    """Refuse a run of another machine whose configuration calls what it should not need.

    A `_target_` calls anything that Python can import. Of a run that this machine recorded, it is
    taken as its user wrote it. Of others it must be a class of torch's or Lightning's models, data
    and trainers, or be defined in the code that is run, of which nothing that lies in a sweep's
    folder is a part.

    Args:
        record: the run.
        root: the folder that it would be run in.
        trusted: further packages, by the user's own word.

    Raises:
        ConfigError: a `_target_` is none of these.
    """
    what = f"the record of run {record.point.run_id}"
    source = Source(what, record.host, record.folder, frozenset(trusted))
    check_targets(record.config, root, source)


def check_script(record: RunRecord, target: str, trusted: Collection[str] = ()) -> None:
    """Refuse to run a script of another machine's record without the user's word.

    Raises:
        ConfigError: `target`, the script's path or module, is not among `trusted`.
    """
    what = f"the record of run {record.point.run_id}"
    source = Source(what, record.host, record.folder, frozenset(trusted))
    if not source.is_here:
        source.refuse("the command", f"runs the script {target!r}", target)


def check_targets(config: Mapping[str, Any], root: Path, source: Source) -> None:
    """Refuse a configuration of another machine that calls what it should not need.

    Args:
        config: any nodes, some with a `_target_`.
        root: the folder that it would be run in.
        source: where it comes from.

    Raises:
        ConfigError: a `_target_` may not be called; see `check_trust`.
    """
    if source.is_here:
        return
    code = OwnCode(root, source.folder)
    for path, target in _targets(config):
        package = target.partition(".")[0]
        if not (_is_known_class(target) or package in source.trusted or code.defines(target)):
            deed = (
                f"calls {target!r}, which is defined neither in its code nor in torch's or "
                "Lightning's"
            )
            source.refuse(f"{path}._target_", deed, package)


def check_config_dir(config_dir: Path | None, root: Path, source: Source) -> None:
    """Refuse a folder of configuration that is not the user's.

    Args:
        config_dir: the folder; None where there is none.
        root: the folder that the sweep is run in.
        source: where the sweep comes from.

    Raises:
        ConfigError: it lies outside `root`, or inside the sweep.
    """
    if config_dir is None or source.is_here:
        return
    place = (root / config_dir).resolve()
    if not place.is_relative_to(root.resolve()) or place.is_relative_to(source.folder.resolve()):
        deed = f"reads its configuration from {place}"
        source.refuse("--config-dir", deed, str(config_dir))


def check_search_path(keys: Collection[str], source: Source) -> None:
    """Refuse overrides by which composing alone would import a package.

    Args:
        keys: of the overrides.
        source: where they come from.

    Raises:
        ConfigError: Hydra's search path is among them.
    """
    if _SEARCH_PATH in keys and not source.is_here:
        source.refuse(_SEARCH_PATH, "has Hydra look elsewhere for configuration", _SEARCH_PATH)


def check_engine(raw: Mapping[str, Any], resolved: Mapping[str, Any], source: Source) -> None:
    """Refuse settings of Hydra that call something, or change what a process loads.

    Args:
        raw: Hydra's node as composed; a run alone can resolve all of it.
        resolved: those of its nodes that are instantiated.
        source: where it comes from.

    Raises:
        ConfigError: the first such setting.
    """
    if source.is_here:
        return
    for node in (raw, resolved):
        for path, target in _targets(node, "hydra"):
            if target not in _ENGINE:
                package = target.partition(".")[0]
                source.refuse(f"{path}._target_", f"has Hydra call {target!r}", package)
    job = raw.get("job") or {}
    for name in ("env_set", "chdir"):
        if job.get(name):
            place = f"hydra.job.{name}"
            source.refuse(place, "changes the environment of its processes", place)
    for name in _LOGGING:
        for path, value in _odd_logging(raw.get(name), f"hydra.{name}"):
            source.refuse(path, f"has Python's logging take {value!r}", f"hydra.{name}")


def _odd_logging(node: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield what `logging.config` would import or call, or where it would write."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _odd_logging(item, f"{path}[{index}]")
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from _odd_logging(value, f"{path}.{key}")
    elif isinstance(node, str) and not _is_plain_logging(path.rpartition(".")[2], node):
        yield path, node


def _is_plain_logging(key: str, value: str) -> bool:
    if key in ("class", "()"):
        return value in _PLAIN_LOGGING
    if key == "filename":
        return value.startswith(_OUTPUT) and ".." not in value
    # An interpolation could stand for a whole handler; so could a reference to an object.
    return value in _STREAMS or not ("${" in value or "://" in value)


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

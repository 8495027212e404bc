"""Which tool stored the runs at a path."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from provrunner.errors import ConfigError, nearest
from provrunner.report.stores import mlflow_sqlite, optuna_sqlite
from provrunner.report.stores.choice import DAMAGE
from provrunner.report.stores.lightning_csv import find_csv_logs, read_csv_logs
from provrunner.report.stores.mlflow_folder import find_mlflow, read_mlflow_folder
from provrunner.report.stores.mlflow_sqlite import read_mlflow_database
from provrunner.report.stores.optuna_journal import is_journal, read_journal
from provrunner.report.stores.optuna_sqlite import read_optuna_database
from provrunner.report.stores.store import Store
from provrunner.report.stores.tensorboard import find_tensorboard, read_tensorboard
from provrunner.report.stores.wandb import find_wandb, read_wandb

__all__ = ["TOOLS", "read_store"]

_SQLITE = b"SQLite format 3\x00"


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of folder that a tool leaves.

    Attributes:
        sign: what it is known by.
        find: gives what of a run or store lies at or below a path.
        read: reads what was found.
    """

    sign: str
    find: Callable[[Path], list[Path]]
    read: Callable[[Path, list[Path], str | None], Store]


_FOLDERS: Mapping[str, _Kind] = {
    "mlflow": _Kind("*/*/meta.yaml", find_mlflow, read_mlflow_folder),
    "wandb": _Kind("**/*.wandb", find_wandb, read_wandb),
    "tensorboard": _Kind("**/*tfevents*", find_tensorboard, read_tensorboard),
    "lightning": _Kind("**/metrics.csv", find_csv_logs, read_csv_logs),
}

_CLOSED = ("mlflow", "wandb")
"""Tools whose folders may hold files of the others, such as artifacts, which belong to them."""

_FILES = ("wandb", "tensorboard")
"""Those whose runs may be named as files."""

_WITH_EXPERIMENTS = ("mlflow", "optuna")

TOOLS = (*_FOLDERS, "optuna")
"""Every tool whose stores can be read."""


def read_store(
    path: Path | str, *, experiment: str | None = None, tool: str | None = None
) -> Store | None:
    """Read the runs that another tool stored.

    Args:
        path: MLflow's or Optuna's SQLite database, Optuna's journal, MLflow's folder `mlruns`, or a
            file of or folder above those of W&B's offline runs, TensorBoard or CSVLogger.
        experiment: the MLflow experiment or Optuna study; None where there is but one.
        tool: one of `TOOLS`, where a folder holds runs of several.

    Returns:
        None where the path is another file.

    Raises:
        ConfigError: it is a folder or database without runs, or cannot be read, or it is not of
            that tool or of one that has experiments.
    """
    path = Path(path)
    if tool is not None and tool not in TOOLS:
        known = nearest(tool, TOOLS) or f"; there are {', '.join(TOOLS)}"
        raise ConfigError(f"no stores of a tool {tool!r} can be read{known}")
    if not path.exists():
        siblings = path.parent.iterdir() if path.parent.is_dir() else ()
        near = nearest(path.name, (sibling.name for sibling in siblings))
        raise ConfigError(f"{path}: there is no such file or folder{near}")
    try:
        read = _read_folder if path.is_dir() else _read_file
        return read(path, experiment, tool)
    except DAMAGE as error:
        raise ConfigError(f"{path} cannot be read: {error!r}") from error


def _read_folder(path: Path, experiment: str | None, tool: str | None) -> Store:
    if (path / "plan.json").is_file():
        raise ConfigError(f"{path} is a sweep folder of provrunner's own; see provrunner summary")
    if tool == "optuna":
        raise ConfigError(f"{path} is a folder; name Optuna's database or journal itself")
    kinds = {name: kind for name, kind in _FOLDERS.items() if tool in (None, name)}
    found: dict[str, list[Path]] = {}
    for name, kind in kinds.items():
        inside = [place for store in _CLOSED for place in found.get(store, ())]
        own = [place for place in kind.find(path) if not _lies_in(place, inside)]
        if own:
            found[name] = own
    if not found:
        looked = ", ".join(f"{kind.sign} ({name})" for name, kind in kinds.items())
        raise ConfigError(
            f"{path} holds no runs of a tool that is known; looked for {looked}; a database, "
            "Optuna's journal or a table of runs is named itself"
        )
    if len(found) > 1:
        told = ", ".join(
            f"{name} ({len(places)}, as {places[0].relative_to(path)})"
            for name, places in found.items()
        )
        raise ConfigError(
            f"{path} holds runs of several tools: {told}; name a folder that holds but one's, "
            "or the tool (--tool)"
        )
    ((name, places),) = found.items()
    _check_options(path, name, experiment, tool)
    return kinds[name].read(path, places, experiment)


def _lies_in(place: Path, others: list[Path]) -> bool:
    """Tell whether a path lies in a store: in its folder, or beside the file that is its log."""
    folders = {other if other.is_dir() else other.parent for other in others}
    return any(folder in place.resolve().parents or folder in place.parents for folder in folders)


def _read_file(path: Path, experiment: str | None, tool: str | None) -> Store | None:
    if not path.is_file():
        raise ConfigError(f"{path} is neither a file nor a folder")
    with path.open("rb") as file:
        head = file.read(len(_SQLITE))
    if head == _SQLITE:
        return _read_database(path, experiment, tool)
    for name in _FILES:
        if places := _FOLDERS[name].find(path):
            _check_options(path, name, experiment, tool)
            return _FOLDERS[name].read(path, places, experiment)
    if is_journal(path):
        _check_options(path, "optuna", experiment, tool)
        return read_journal(path, experiment)
    _check_options(path, None, experiment, tool)
    return None


def _check_options(path: Path, found: str | None, experiment: str | None, tool: str | None) -> None:
    """Refuse options that what was found, None for no store, has no use for."""
    what = f"a store of {found}" if found else "no store of a tool, but maybe a table"
    if tool not in (None, found):
        raise ConfigError(f"{path} is {what}; leave out the tool (--tool)")
    if experiment is not None and found not in _WITH_EXPERIMENTS:
        raise ConfigError(
            f"{path} is {what}, which has no experiments; leave it out (--experiment)"
        )


def _read_database(path: Path, experiment: str | None, tool: str | None) -> Store:
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        rows = database.execute("select name from sqlite_master where type = 'table'")
        tables = {name for (name,) in rows}
        if tables >= mlflow_sqlite.TABLES:
            _check_options(path, "mlflow", experiment, tool)
            return read_mlflow_database(database, path, experiment)
        if tables >= optuna_sqlite.TABLES:
            _check_options(path, "optuna", experiment, tool)
            return read_optuna_database(database, path, experiment)
    raise ConfigError(f"{path} is a database, but neither MLflow's nor Optuna's")

"""Which tool stored the runs at a path."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from provrunner.errors import ConfigError
from provrunner.report.stores.folders import read_folder
from provrunner.report.stores.sqlite import is_sqlite, read_sqlite
from provrunner.report.stores.store import Store

__all__ = ["read_store"]


def read_store(path: Path | str, *, experiment: str | None = None) -> Store | None:
    """Read the runs that MLflow, Optuna or Lightning's CSVLogger stored.

    Args:
        path: MLflow's or Optuna's SQLite database, MLflow's folder `mlruns`, or a folder above
            those of CSVLogger.
        experiment: the MLflow experiment or Optuna study; None where there is but one.

    Returns:
        None where the path is another file.

    Raises:
        ConfigError: it is a folder or database without runs, or cannot be read.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return read_folder(path, experiment)
        return read_sqlite(path, experiment) if path.is_file() and is_sqlite(path) else None
    except (OSError, sqlite3.Error, KeyError, ValueError, IndexError) as error:
        raise ConfigError(f"{path} cannot be read: {error!r}") from error

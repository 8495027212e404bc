"""The sensitivity of runs where they lie: in a table's file, or in another tool's store."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from provrunner.errors import ConfigError, ProvrunnerWarning, nearest
from provrunner.report.analyze import analyze
from provrunner.report.columns import check_directions

if TYPE_CHECKING:
    from provrunner.report.stores import Store
    from provrunner.sensitivity import Summary

__all__ = ["analyze_store", "judged_by", "judged_table", "read_runs_table"]


def analyze_store(
    path: Path | str,
    objective: str | Sequence[str] | None = None,
    *,
    direction: str | Sequence[str] | None = None,
    parameters: Sequence[str] | None = None,
    seed: str | None = None,
    experiment: str | None = None,
    tool: str | None = None,
) -> Summary:
    """Analyse runs where they lie: in a table's file, or as another tool stored them.

    A run that cannot be read is left out with a warning.

    Args:
        path: a file that `read_runs_table` reads, or a store that `stores.read_store` knows. Of
            metrics logged step by step the last value counts.
        objective: as for `analyze`; None is what an Optuna study was judged by.
        direction: as for `analyze`; None is what a study declares, else `minimize`.
        parameters: as for `analyze`.
        seed: as for `analyze`.
        experiment: the MLflow experiment or Optuna study; None where there is but one.
        tool: that stored the runs, where a folder holds runs of several.

    Raises:
        ConfigError: it cannot be read, or a column is missing.
    """
    from provrunner.report.stores import read_store

    store = read_store(path, experiment=experiment, tool=tool)
    if store is None:
        if objective is None:
            raise ConfigError("no objective was named")
        table = read_runs_table(path)
        chosen = direction or "minimize"
        return analyze(
            table, objective, direction=chosen, parameters=parameters, seed=seed,
            name=Path(path).stem,
        )  # fmt: skip
    for message in store.skipped:
        warnings.warn(message, ProvrunnerWarning, stacklevel=2)
    judged, ways = judged_by(store, objective, direction)
    table, columns = judged_table(store, judged)
    return analyze(
        table, columns, direction=ways, parameters=parameters,
        seed=seed, name=store.name, epochs=store.history(judged[0]), ranges=store.ranges,
    )  # fmt: skip


def judged_by(
    store: Store, objective: str | Sequence[str] | None, direction: str | Sequence[str] | None
) -> tuple[list[str], list[str]]:
    """Return the objectives of stored runs and their directions, as told or else declared.

    Raises:
        ConfigError: none is told or declared, one is no metric, or the directions do not fit.
    """
    declared = list(store.directions) if objective is None else objective
    judged = [declared] if isinstance(declared, str) else list(declared)
    logged = ", ".join(store.metrics) or "none"
    if not judged:
        raise ConfigError(f"no objective was named; the metrics of {store.place} are {logged}")
    for name in judged:
        if name not in store.metrics:
            known = nearest(name, store.metrics) or f"; there are {logged}"
            raise ConfigError(f"objective {name!r} is no metric of {store.place}{known}")
    ways = direction or [store.directions.get(name, "minimize") for name in judged]
    return judged, check_directions(ways, len(judged))


def judged_table(store: Store, judged: Sequence[str]) -> tuple[pa.Table, list[str]]:
    """Return the table of stored runs without other metrics, and the objectives' columns in it."""
    others = [column for name, column in store.metrics.items() if name not in judged]
    return store.table.drop_columns(others), [store.metrics[name] for name in judged]


def read_runs_table(path: Path | str) -> pa.Table:
    """Read a table of runs from a CSV, Parquet, Feather or Arrow file, by its ending.

    Raises:
        ConfigError: there is no such file, or it cannot be read as what its name says.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such file")
    try:
        table = _read(path)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise ConfigError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    repeated = [name for name, count in Counter(table.column_names).items() if count > 1]
    if repeated:
        raise ConfigError(f"{path}: several columns are called {', '.join(repeated)}; rename them")
    return table


def _read(path: Path) -> pa.Table:
    ending = path.suffix.lower()
    if ending in (".csv", ".tsv"):
        from pyarrow import csv

        options = csv.ParseOptions(delimiter="\t" if ending == ".tsv" else ",")
        return csv.read_csv(path, parse_options=options)
    if ending in (".parquet", ".pq"):
        from pyarrow import parquet

        return parquet.read_table(path)
    if ending in (".feather", ".arrow"):
        from pyarrow import feather

        return feather.read_table(path)
    raise ConfigError(
        f"{path}: a table of runs is .csv, .tsv, .parquet, .pq, .feather or .arrow, "
        f"not {ending or 'a file without an ending'!r}"
    )

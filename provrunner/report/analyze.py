"""The sensitivity of any table of runs, wherever it comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from provrunner.errors import ConfigError, nearest

if TYPE_CHECKING:
    import pandas as pd

    from provrunner.sensitivity import Parameter, Study, Summary

__all__ = ["analyze", "analyze_store", "read_runs_table"]

_STATUS = ("status", "state")
_DURATION = ("duration_s", "duration", "_runtime", "runtime", "seconds")
_IDENTITY = re.compile(
    r"(^|[._/ -])(id|uuid|run_id|trial_id|trial_number|seed|random_state|host|hostname|device|"
    r"devices|accelerator|gpu|cuda|path|dir|folder|root|file|url|timestamp|.*_(path|dir|id|at))$|"
    r"^(run|trial|number|index|replicate|name|display_name|group|tags?|user|commit|branch|created|"
    r"started|ended|finished|datetime_.*|date|time|start|end|reason|error|notes|unnamed: ?\d*|"
    r"objective_epoch|epoch|_?step)$",
    re.IGNORECASE,
)
"""Names of no parameter; those after the last bar only where they stand alone: `optimizer.name`."""

_OUTCOME = re.compile(
    r"^(train|val|valid|validation|test|eval|metrics?|summary)[/._]|"
    r"(^|[._/ -])(loss|acc|accuracy|auc|auroc|f1|rmse|mse|mae|r2|error_rate|perplexity|bleu|"
    r"score|precision|recall|values?(_\d+)?|objective)$",
    re.IGNORECASE,
)
_FINISHED = frozenset({"finished", "complete", "completed", "done", "success", "succeeded", "ok"})
_STATUSES = {
    "prune": "pruned",
    "pruned": "pruned",
    "running": "running",
    "planned": "planned",
    "waiting": "planned",
    "pending": "planned",
    "queued": "planned",
    "diverged": "diverged",
    "interrupted": "interrupted",
    "killed": "interrupted",
    "lost": "lost",
}


def analyze(
    runs: pd.DataFrame | pa.Table,
    objective: str | Sequence[str],
    *,
    direction: str | Sequence[str] = "minimize",
    parameters: Sequence[str] | None = None,
    seed: str | None = None,
    name: str = "runs",
    epochs: pd.DataFrame | pa.Table | None = None,
    ranges: Mapping[str, tuple[float, float, str]] | None = None,
) -> Summary:
    """Analyse a table of runs from anywhere: what matters, by how much, what cannot be said.

    Args:
        runs: one row a run, in the order of running; a pandas or Polars DataFrame or an Arrow
            table. A column status (or state) says which runs finished; without it all with a value
            did. A column duration_s gives what runs cost.
        objective: column to judge by; of several the first one leads.
        direction: `minimize` or `maximize`, one for all objectives or one each.
        parameters: columns that were varied; None takes all but those that look like ids, paths,
            seeds, devices, times or results, which are listed among `dropped`.
        seed: column of the seeds; None is a column `seed` or one that ends in `.seed`.
        name: what to call it.
        epochs: the objective through training, for the shares over time; columns run (position of
            the row in `runs`, from 0), epoch and value.
        ranges: lower and upper end and scale (`linear` or `log`) of parameters that were drawn from
            a range; others' are inferred from their values.

    Raises:
        ConfigError: a column is missing, or is no number.

    Example:
        >>> rates = [0.1, 0.1, 0.01, 0.01] * 3
        >>> losses = [0.5, 0.6, 0.1, 0.2, 0.55, 0.65, 0.15, 0.1, 0.5, 0.6, 0.2, 0.1]
        >>> table = pa.table({"lr": rates, "seed": [0, 1] * 6, "loss": losses})
        >>> analyze(table, "loss").document["components"][0]["component"]
        'lr'
    """
    from provrunner.sensitivity import build_summary

    table = _as_table(runs)
    objectives = _columns(table, [objective] if isinstance(objective, str) else objective)
    directions = _directions(direction, len(objectives))
    seed = _seed_column(table, seed, objectives)
    names, passed_over = _parameters(table, parameters, [*objectives, *([seed] if seed else [])])
    rows = _rows(table, objectives, names, seed)
    study = _study(table, name, objectives, directions, names, ranges=ranges or {})
    course = None if epochs is None else _as_table(epochs)
    summary = build_summary(rows, study, epochs=course)
    return _with_passed_over(summary, passed_over)


def analyze_store(
    path: Path | str,
    objective: str | Sequence[str] | None = None,
    *,
    direction: str | Sequence[str] | None = None,
    parameters: Sequence[str] | None = None,
    seed: str | None = None,
    experiment: str | None = None,
) -> Summary:
    """Analyse runs where they lie: in a table's file, or as another tool stored them.

    Args:
        path: a file that `read_runs_table` reads, or MLflow's or Optuna's SQLite database, MLflow's
            folder `mlruns`, or a folder above those of Lightning's CSVLogger. Of metrics logged
            step by step the last value counts.
        objective: as for `analyze`; None is what an Optuna study was judged by.
        direction: as for `analyze`; None is what a study declares, else `minimize`.
        parameters: as for `analyze`.
        seed: as for `analyze`.
        experiment: the MLflow experiment or Optuna study; None where there is but one.

    Raises:
        ConfigError: it cannot be read, or a column is missing.
    """
    from provrunner.report.stores import read_store

    store = read_store(path, experiment=experiment)
    if store is None:
        if objective is None:
            raise ConfigError("no objective was named")
        table = read_runs_table(path)
        chosen = direction or "minimize"
        return analyze(
            table, objective, direction=chosen, parameters=parameters, seed=seed,
            name=Path(path).stem,
        )  # fmt: skip
    declared = list(store.directions)
    judged = declared if objective is None else objective
    judged = [judged] if isinstance(judged, str) else list(judged)
    ways = direction or [store.directions.get(name, "minimize") for name in judged]
    others = [name for name in store.histories if name not in judged]
    history = store.histories.get(judged[0]) if judged else None
    return analyze(
        store.table.drop_columns(others), judged, direction=ways, parameters=parameters,
        seed=seed, name=store.name, epochs=history, ranges=store.ranges,
    )  # fmt: skip


def read_runs_table(path: Path | str) -> pa.Table:
    """Read a table of runs from a CSV, Parquet, Feather or Arrow file, by its ending.

    Raises:
        ConfigError: there is no such file, or it cannot be read as what its name says.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such file")
    try:
        return _read(path)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise ConfigError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error


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


def _as_table(runs: Any) -> pa.Table:
    if isinstance(runs, pa.Table):
        return runs
    try:
        if type(runs).__module__.partition(".")[0] == "pandas":
            return pa.Table.from_pandas(runs, preserve_index=False)
        return pa.table(runs)
    except (TypeError, ValueError, pa.ArrowInvalid) as error:
        raise ConfigError(
            f"a {type(runs).__name__} is no table of runs ({error}); expected a pandas or Polars "
            "DataFrame or a pyarrow Table"
        ) from error


def _columns(table: pa.Table, names: Sequence[str]) -> list[str]:
    if not names:
        raise ConfigError("no objective was named")
    for name in names:
        _check_column(table, name, "objective")
        kind = table[name].type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)):
            raise ConfigError(f"objective {name!r} is of type {kind}; expected numbers")
    return list(names)


def _check_column(table: pa.Table, name: str, what: str) -> None:
    if name not in table.column_names:
        known = nearest(name, table.column_names) or f"; there are {', '.join(table.column_names)}"
        raise ConfigError(f"{what} {name!r} is no column of the runs{known}")


def _directions(direction: str | Sequence[str], count: int) -> list[str]:
    found = [direction] * count if isinstance(direction, str) else list(direction)
    if len(found) != count:
        raise ConfigError(f"{len(found)} directions for {count} objectives; expected one each")
    for word in found:
        if word not in ("minimize", "maximize"):
            raise ConfigError(f"direction is {word!r}; expected minimize or maximize")
    return found


def _seed_column(table: pa.Table, seed: str | None, taken: Sequence[str]) -> str | None:
    if seed is not None:
        _check_column(table, seed, "seed")
        return seed
    found = [name for name in table.column_names if name not in taken]
    return next((n for n in found if re.search(r"(^|[._/])seed$", n, re.IGNORECASE)), None)


def _parameters(
    table: pa.Table, parameters: Sequence[str] | None, taken: Sequence[str]
) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the columns to analyse, and those passed over with the reason."""
    if parameters is not None:
        for name in parameters:
            _check_column(table, name, "parameter")
            if name in taken:
                raise ConfigError(f"parameter {name!r} is the objective or the seed")
        return list(parameters), []
    names, passed_over = [], []
    for name in table.column_names:
        if name in taken:
            continue
        reason = _no_parameter(table, name)
        if reason is None:
            names.append(name)
        elif name not in (*_STATUS, *_DURATION):
            passed_over.append((name, f"{reason}; name it among the parameters to analyse it"))
    if not names:
        raise ConfigError("no column looks like a parameter; name them")
    return names, passed_over


def _no_parameter(table: pa.Table, name: str) -> str | None:
    """Say why a column is taken for no parameter; None when it is taken for one."""
    if name in (*_STATUS, *_DURATION) or _IDENTITY.search(name):
        return "looks like an id, path, seed, device or time"
    if _OUTCOME.search(name):
        return "looks like a result"
    kind = table[name].type
    if pa.types.is_temporal(kind) or pa.types.is_binary(kind) or pa.types.is_null(kind):
        return f"is of type {kind}"
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if is_text and table.num_rows > 1 and pc.count_distinct(table[name]).as_py() == table.num_rows:
        return "has another text in every run"
    return None


def _rows(
    table: pa.Table, objectives: Sequence[str], names: Sequence[str], seed: str | None
) -> pa.Table:
    """Return the runs under the names that the analysis knows."""
    first = pc.cast(table[objectives[0]], pa.float64())
    columns: dict[str, Any] = {"run": pa.array(range(table.num_rows), pa.int64())}
    columns["status"] = _statuses(table)
    columns["objective"] = first
    durations = [n for n in _DURATION if n in table.column_names and n not in names]
    if durations and pa.types.is_primitive(table[durations[0]].type):
        columns["duration_s"] = pc.cast(table[durations[0]], pa.float64())
    if seed is not None:
        columns["seed"] = _codes(table[seed])
    reserved = {name: f"parameter {name}" if name in columns else name for name in names}
    columns |= {reserved[name]: table[name] for name in names}
    columns |= {name: pc.cast(table[name], pa.float64()) for name in objectives[1:]}
    return pa.table(columns)


def _statuses(table: pa.Table) -> pa.Array:
    column = next((name for name in _STATUS if name in table.column_names), None)
    if column is None:
        return pa.array(["finished"] * table.num_rows)
    words = [str(word).lower().rpartition(".")[2] for word in table[column].to_pylist()]
    return pa.array(
        ["finished" if word in _FINISHED else _STATUSES.get(word, "failed") for word in words]
    )


def _codes(seeds: pa.ChunkedArray) -> pa.Array:
    """Number the seeds, which may be texts, in the order in which they first occur; null stays."""
    values = seeds.to_pylist()
    order = {value: i for i, value in enumerate(dict.fromkeys(v for v in values if v is not None))}
    return pa.array([order.get(value) for value in values], pa.int64())


def _study(
    table: pa.Table,
    name: str,
    objectives: Sequence[str],
    directions: Sequence[str],
    names: Sequence[str],
    *,
    ranges: Mapping[str, tuple[float, float, str]],
) -> Study:
    from provrunner.sensitivity import Study

    reserved = {"run", "status", "objective", "duration_s", "seed"}
    return Study(
        name=name,
        metric=objectives[0],
        direction=directions[0],
        parameters=tuple(
            _parameter(table, n, f"parameter {n}" if n in reserved else n, ranges.get(n))
            for n in names
        ),
        seeds="common",
        planned=table.num_rows,
        others=tuple(zip(objectives[1:], directions[1:], strict=True)),
    )


def _parameter(
    table: pa.Table, column: str, name: str, ends: tuple[float, float, str] | None
) -> Parameter:
    """Return a parameter without declared levels, its scale declared or else inferred."""
    from provrunner.sensitivity import Parameter, infer_scale

    kind = table[column].type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return Parameter(name, ())
    if ends is not None:
        return Parameter(name, (), ends[2], low=ends[0], high=ends[1])
    values = [value for value in table[column].to_pylist() if value is not None]
    return Parameter(name, (), infer_scale(values) if values else "linear")


def _with_passed_over(summary: Summary, passed_over: Sequence[tuple[str, str]]) -> Summary:
    from provrunner.sensitivity import Summary

    rows = [{"name": name, "reason": reason} for name, reason in passed_over]
    document = {**summary.document, "dropped": [*summary.document["dropped"], *rows]}
    return Summary(document)

"""The sensitivity of any table of runs, wherever it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from provrunner.errors import ConfigError
from provrunner.report.columns import DURATION, STATUS, check_directions, choose_columns
from provrunner.report.standings import status_of
from provrunner.schema import RunStatus

if TYPE_CHECKING:
    import pandas as pd

    from provrunner.sensitivity import Parameter, Study, Summary

__all__ = ["analyze", "with_passed_over"]


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
            did; one that finished with NaN or an infinity diverged. A column duration_s gives what
            runs cost.
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
    objectives = [objective] if isinstance(objective, str) else list(objective)
    directions = check_directions(direction, len(objectives))
    chosen = choose_columns(table, objectives, parameters=parameters, seed=seed)
    names = chosen.parameters
    rows = _rows(table, objectives, names, chosen.seed)
    study = _study(table, name, objectives, directions, names, ranges=ranges or {})
    course = None if epochs is None else _as_table(epochs)
    summary = build_summary(rows, study, epochs=course)
    return with_passed_over(summary, chosen.passed_over)


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


def _rows(
    table: pa.Table, objectives: Sequence[str], names: Sequence[str], seed: str | None
) -> pa.Table:
    """Return the runs under the names that the analysis knows."""
    first = pc.cast(table[objectives[0]], pa.float64())
    columns: dict[str, Any] = {"run": pa.array(range(table.num_rows), pa.int64())}
    columns["status"] = _statuses(table, first)
    columns["objective"] = first
    durations = [n for n in DURATION if n in table.column_names and n not in names]
    if durations and pa.types.is_primitive(table[durations[0]].type):
        columns["duration_s"] = pc.cast(table[durations[0]], pa.float64())
    if seed is not None:
        columns["seed"] = _codes(table[seed])
    reserved = {name: f"parameter {name}" if name in columns else name for name in names}
    columns |= {reserved[name]: table[name] for name in names}
    columns |= {name: pc.cast(table[name], pa.float64()) for name in objectives[1:]}
    return pa.table(columns)


def _statuses(table: pa.Table, objective: pa.ChunkedArray) -> pa.Array:
    """Return how each run ended: one that finished with NaN or an infinity has diverged."""
    column = next((name for name in STATUS if name in table.column_names), None)
    words = ["finished"] * table.num_rows if column is None else table[column].to_pylist()
    found = [status_of(word) for word in words]
    lost = pc.invert(pc.fill_null(pc.is_finite(objective), True)).to_pylist()
    return pa.array(
        [
            RunStatus.DIVERGED.value if bad and status == RunStatus.FINISHED else status.value
            for status, bad in zip(found, lost, strict=True)
        ],
        pa.utf8(),
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


def with_passed_over(summary: Summary, passed_over: Sequence[tuple[str, str]]) -> Summary:
    """Add to what was dropped the columns that were taken for no parameters, with the reason."""
    from provrunner.sensitivity import Summary

    rows = [{"name": name, "reason": reason} for name, reason in passed_over]
    document = {**summary.document, "dropped": [*summary.document["dropped"], *rows]}
    return Summary(document)

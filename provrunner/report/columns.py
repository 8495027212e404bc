"""Which columns of a table of runs were varied, and which only tell of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from provrunner.errors import ConfigError, nearest

__all__ = ["DURATION", "STATUS", "Chosen", "check_directions", "choose_columns", "is_outcome"]

STATUS = ("status", "state")
DURATION = ("duration_s", "duration", "_runtime", "runtime", "seconds")
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


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the columns of a table of runs stand for.

    Attributes:
        parameters: those that were varied.
        seed: that of the seeds; None where there is none.
        passed_over: those that are taken for no parameters, with the reason.
    """

    parameters: list[str]
    seed: str | None
    passed_over: list[tuple[str, str]]


def choose_columns(
    table: pa.Table,
    objectives: Sequence[str],
    *,
    parameters: Sequence[str] | None = None,
    seed: str | None = None,
) -> Chosen:
    """Say which columns of a table of runs were varied.

    Args:
        table: one row a run.
        objectives: columns to judge by.
        parameters: as told; None takes all but those that look like something else.
        seed: as told; None is a column `seed` or one that ends so.

    Raises:
        ConfigError: a column is missing, or is no number where one is needed.
    """
    _check_objectives(table, objectives)
    seed = _seed_column(table, seed, objectives)
    names, passed_over = _parameters(table, parameters, [*objectives, *([seed] if seed else [])])
    return Chosen(names, seed, passed_over)


def check_directions(direction: str | Sequence[str], count: int) -> list[str]:
    """Return one direction an objective.

    Raises:
        ConfigError: there are more or fewer, or one is neither `minimize` nor `maximize`.
    """
    found = [direction] * count if isinstance(direction, str) else list(direction)
    if len(found) != count:
        raise ConfigError(f"{len(found)} directions for {count} objectives; expected one each")
    for word in found:
        if word not in ("minimize", "maximize"):
            raise ConfigError(f"direction is {word!r}; expected minimize or maximize")
    return found


def is_outcome(name: str) -> bool:
    """Tell whether a name looks like that of a result.

    Example:
        >>> [is_outcome(name) for name in ("val/loss", "test_accuracy", "optimizer.lr")]
        [True, True, False]
    """
    return _OUTCOME.search(name) is not None


def _check_objectives(table: pa.Table, names: Sequence[str]) -> None:
    if not names:
        raise ConfigError("no objective was named")
    for name in names:
        _check_column(table, name, "objective")
        kind = table[name].type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)):
            raise ConfigError(f"objective {name!r} is of type {kind}; expected numbers")


def _check_column(table: pa.Table, name: str, what: str) -> None:
    if name not in table.column_names:
        known = nearest(name, table.column_names) or f"; there are {', '.join(table.column_names)}"
        raise ConfigError(f"{what} {name!r} is no column of the runs{known}")


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
        elif name not in (*STATUS, *DURATION):
            passed_over.append((name, f"{reason}; name it among the parameters to analyse it"))
    if not names:
        raise ConfigError("no column looks like a parameter; name them")
    return names, passed_over


def _no_parameter(table: pa.Table, name: str) -> str | None:
    """Say why a column is taken for no parameter; None when it is taken for one."""
    if name in (*STATUS, *DURATION) or _IDENTITY.search(name):
        return "looks like an id, path, seed, device or time"
    if is_outcome(name):
        return "looks like a result"
    kind = table[name].type
    if pa.types.is_temporal(kind) or pa.types.is_binary(kind) or pa.types.is_null(kind):
        return f"is of type {kind}"
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if is_text and table.num_rows > 1 and pc.count_distinct(table[name]).as_py() == table.num_rows:
        return "has another text in every run"
    return None

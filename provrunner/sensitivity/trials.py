"""The runs of a sweep, sorted out by what each may be used for."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from provrunner.ids import trial_id
from provrunner.schema import RunStatus
from provrunner.sensitivity.levels import level_key, level_lookup, match_level
from provrunner.sensitivity.study import Study

__all__ = [
    "Run",
    "Trial",
    "collapse_reruns",
    "group_trials",
    "is_failure",
    "is_usable",
    "levels_of",
    "read_runs",
]

_NOT_FAILED = {RunStatus.PLANNED, RunStatus.RUNNING, RunStatus.PRUNED}


@dataclass(frozen=True, slots=True)
class Run:
    """One row of the table of runs, with its levels as the sweep declared them.

    Attributes:
        others: further objectives by name.
        key: what makes two runs the same trial: the name of every level; its id without any.
    """

    number: int
    run_id: str
    trial_id: str
    seed: int | None
    status: str
    reason: str | None
    objective: float | None
    epoch: int | None
    duration_s: float | None
    values: Mapping[str, Any]
    others: Mapping[str, float | None] = field(default_factory=dict)
    key: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Name the trial once: tables of 10,000 runs ask for it 100,000 times."""
        levels = tuple(map(level_key, self.values.values()))
        object.__setattr__(self, "key", levels or (self.trial_id,))


@dataclass(frozen=True, slots=True)
class Trial:
    """One assignment of values and its usable runs."""

    trial_id: str
    values: Mapping[str, Any]
    runs: tuple[Run, ...]

    @property
    def mean(self) -> float | None:
        """Mean objective of the usable runs; None when there is none."""
        values = [run.objective for run in self.runs if run.objective is not None]
        return math.fsum(values) / len(values) if values else None

    @property
    def sd(self) -> float | None:
        """Standard deviation of the usable runs' objective; None for fewer than two."""
        values = [run.objective for run in self.runs if run.objective is not None]
        if len(values) < 2:
            return None
        mean = math.fsum(values) / len(values)
        return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def read_runs(table: pa.Table, study: Study) -> tuple[Run, ...]:
    """Read the table of runs, sorted by run number whatever the order of its rows.

    Args:
        table: one row a run; columns run, status, objective and one a parameter of the study;
            run_id, trial_id, seed, replicate, reason, objective_epoch and duration_s where there
            are any.
        study: what the sweep declared.

    Raises:
        ValueError: a column is missing.
    """
    names = [parameter.name for parameter in study.parameters]
    others = [metric for metric, _ in study.others]
    wanted = ("run", "status", "objective", *names, *others)
    missing = [column for column in wanted if column not in table.column_names]
    if missing:
        raise ValueError(f"the table of runs has no column {', '.join(map(repr, missing))}")
    lookups = {parameter.name: level_lookup(parameter.levels) for parameter in study.parameters}
    runs = [_read_run(row, lookups, others) for row in table.to_pylist()]
    return tuple(sorted(runs, key=lambda run: (run.number, run.run_id, run.seed or 0, run.status)))


def is_usable(run: Run) -> bool:
    """Tell whether a run finished with a finite objective, so that its variance can be analysed."""
    finite = run.objective is not None and math.isfinite(run.objective)
    return run.status == RunStatus.FINISHED and finite


def is_failure(run: Run) -> bool:
    """Tell whether a run ended with no objective to judge it by, other than by a pruning rule."""
    return run.status not in _NOT_FAILED and not is_usable(run)


def collapse_reruns(runs: Sequence[Run]) -> tuple[tuple[Run, ...], int]:
    """Keep the first of runs with the same trial, seed and objective, bit for bit.

    Such a rerun proves that the program repeats itself; it tells nothing about noise.

    Returns:
        The runs kept, in order, and how many were left out.
    """
    kept: dict[tuple[object, ...], Run] = {}
    for run in runs:
        kept.setdefault((run.key, run.seed, run.objective), run)
    return tuple(kept.values()), len(runs) - len(kept)


def group_trials(runs: Sequence[Run], usable: Sequence[Run]) -> tuple[Trial, ...]:
    """Group runs by their levels, in the order of each trial's first run.

    Args:
        runs: all runs, so that a trial without a usable run is still named.
        usable: the runs that a trial's mean is taken over.
    """
    groups: dict[tuple[str, ...], list[Run]] = defaultdict(list)
    for run in runs:
        groups[run.key].append(run)
    members: dict[tuple[str, ...], list[Run]] = defaultdict(list)
    for run in usable:
        members[run.key].append(run)
    return tuple(
        Trial(min(run.trial_id for run in group), group[0].values, tuple(members[key]))
        for key, group in groups.items()
    )


def levels_of(runs: Sequence[Run], name: str) -> tuple[list[str], dict[str, Any]]:
    """Return the name of each run's level of a hyperparameter, and the levels by name.

    The names are those in `Run.key`: naming each anew takes most of the time of a large table.
    """
    if not runs:
        return [], {}
    position = tuple(runs[0].values).index(name)
    names = [run.key[position] for run in runs]
    return names, dict(zip(names, (run.values[name] for run in runs), strict=True))


def seeds_per_trial(runs: Sequence[Run]) -> int:
    """Return the largest number of distinct seeds that one trial has."""
    pairs = {(run.key, run.seed) for run in runs}
    return max(Counter(key for key, _ in pairs).values(), default=0)


def _read_run(
    row: Mapping[str, Any], lookups: Mapping[str, Mapping[str, Any]], others: Sequence[str]
) -> Run:
    values = {name: match_level(row[name], lookup) for name, lookup in lookups.items()}
    seed = row.get("seed")
    return Run(
        number=row["run"],
        run_id=row.get("run_id") or f"{row['run']:04d}",
        trial_id=row.get("trial_id") or trial_id(values),
        seed=row.get("replicate") if seed is None else seed,
        status=row["status"],
        reason=row.get("reason"),
        objective=row["objective"],
        epoch=row.get("objective_epoch"),
        duration_s=row.get("duration_s"),
        values=values,
        others={metric: row[metric] for metric in others},
    )

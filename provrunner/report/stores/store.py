"""Runs as another tool stored them, as one table."""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

__all__ = ["UNKNOWN", "Course", "Range", "Store", "StoredRun", "place_epochs", "typed"]

UNKNOWN = -(2**63)
"""Stands in a course for a step, epoch or time that the tool did not store."""

_OWN = ("run_id", "status", "duration_s")
"""Columns of every table of stored runs."""

_FIRST_US, _LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999
_LONGEST_US = 2**63 // 1000 - 1
"""What a log can hold: times of the years 1 to 9999, and spans whose nanoseconds fit in 64 bits."""

Range = tuple[float, float, str]


class Course:
    """One metric of a run: its values in the order logged.

    Attributes:
        values: the numbers, NaN and infinities as they are.
        steps, epochs: of each value.
        times: when each was logged, in microseconds since 1970 UTC.

    Example:
        >>> course = Course()
        >>> course.add(0.5, step=10)
        >>> course.values[-1], course.steps[-1], course.epochs[-1] == UNKNOWN
        (0.5, 10, True)
    """

    __slots__ = ("epochs", "steps", "times", "values")

    def __init__(self) -> None:
        self.values = array("d")
        self.steps, self.epochs, self.times = array("q"), array("q"), array("q")

    def add(
        self,
        value: float,
        *,
        step: int | None = None,
        epoch: int | None = None,
        time_us: int | None = None,
    ) -> None:
        """Add a value; None stands for what is unknown, as does a time that no calendar has."""
        self.values.append(value)
        time_us = _known_time(time_us)
        for column, number in ((self.steps, step), (self.epochs, epoch), (self.times, time_us)):
            column.append(UNKNOWN if number is None else number)


@dataclass(frozen=True, slots=True, eq=False)
class StoredRun:
    """One run of another tool; None is what the tool does not tell.

    Attributes:
        run_id: what the tool calls it.
        status: the tool's own word.
        metrics: course of each metric.
        others: values logged that are no numbers, by name.
        start_us, end_us: microseconds since 1970 UTC; None outside the years 1 to 9999.
        took_us: microseconds from start to end, where the tool tells these alone.
        facts: what the tool tells beside: name, reason, user, host, command (a list of words),
            commit, remote, python, os, and version (the tool's).
        files: those that hold this run alone.
    """

    run_id: str
    status: str | None
    parameters: Mapping[str, Any]
    metrics: Mapping[str, Course]
    start_us: int | None = None
    end_us: int | None = None
    took_us: int | None = None
    others: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        for name in ("start_us", "end_us"):
            object.__setattr__(self, name, _known_time(getattr(self, name)))
        for name in ("run_id", "parameters", "others", "facts"):
            object.__setattr__(self, name, _storable(getattr(self, name)))
        metrics = {_storable(name): course for name, course in self.metrics.items()}
        object.__setattr__(self, "metrics", metrics)

    @property
    def elapsed_us(self) -> int | None:
        """Microseconds from start to end; None for a span that a log cannot hold."""
        took = self.took_us
        if took is None and self.start_us is not None and self.end_us is not None:
            took = self.end_us - self.start_us
        return None if took is None or abs(took) > _LONGEST_US else took

    @property
    def duration_s(self) -> float | None:
        """Seconds from start to end."""
        return None if self.elapsed_us is None else self.elapsed_us / 1e6


@dataclass(frozen=True, eq=False)
class Store:
    """All runs of an experiment, in the order of running.

    Attributes:
        tool: that stored them.
        name: of the experiment.
        place: the file or folder.
        directions: of each objective that the tool declares.
        ranges: lower and upper end and scale of the parameters for which the tool declares them.
        skipped: of each run that could not be read, which and why.
        passed_over: columns of a table that are no parameters, with the reason.
    """

    tool: str
    name: str
    place: Path
    runs: tuple[StoredRun, ...]
    directions: Mapping[str, str] = field(default_factory=dict)
    ranges: Mapping[str, Range] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    passed_over: tuple[tuple[str, str], ...] = ()

    @cached_property
    def metrics(self) -> Mapping[str, str]:
        """The column of each metric.

        One that is called like a column of ours gets `metric ` before its name.
        """
        given = dict.fromkeys(key for run in self.runs for key in run.metrics)
        return {key: f"metric {key}" if key in _OWN else key for key in given}

    @cached_property
    def columns(self) -> Mapping[str, str]:
        """The column of each parameter.

        One that is called like a metric or a column of ours gets `parameter ` before its name.
        """
        taken = {*_OWN, *self.metrics.values()}
        given = dict.fromkeys(key for run in self.runs for key in run.parameters)
        return {key: f"parameter {key}" if key in taken else key for key in given}

    @cached_property
    def table(self) -> pa.Table:
        """One row a run: run_id, status, duration_s, parameters, and each metric's last value."""
        runs = self.runs
        columns: dict[str, Any] = {"run_id": [run.run_id for run in runs]}
        if any(run.status is not None for run in runs):
            columns["status"] = [run.status for run in runs]
        if any(run.duration_s is not None for run in runs):
            columns["duration_s"] = [run.duration_s for run in runs]
        for key, column in self.columns.items():
            columns[column] = _column(run.parameters.get(key) for run in runs)
        for key, column in self.metrics.items():
            last = [_last(run.metrics.get(key)) for run in runs]
            columns[column] = pa.array(last, pa.float64())
        return pa.table(columns)

    def history(self, metric: str) -> pa.Table | None:
        """Return a metric through training: columns run (row of `table`), epoch and value.

        The step stands for the epoch where none was stored. None where neither ever was.
        """
        rows = [
            (position, *row)
            for position, run in enumerate(self.runs)
            for row in _by_epoch(run.metrics.get(metric))
        ]
        if not rows:
            return None
        names = (("run", pa.int64()), ("epoch", pa.int64()), ("value", pa.float64()))
        return pa.table(
            {
                name: pa.array(of, kind)
                for (name, kind), of in zip(names, zip(*rows, strict=True), strict=True)
            }
        )


def place_epochs(metrics: dict[str, Course]) -> dict[str, Course]:
    """Take the metric `epoch`, which loggers write beside others at a step, as their epoch."""
    told = metrics.pop("epoch", None)
    if told is None:
        return metrics
    known = {
        step: int(value)
        for step, value in zip(told.steps, told.values, strict=True)
        if step != UNKNOWN and math.isfinite(value)
    }
    for course in metrics.values():
        for at, step in enumerate(course.steps):
            if course.epochs[at] == UNKNOWN:
                course.epochs[at] = known.get(step, UNKNOWN)
    return metrics


def typed(text: str) -> Any:
    """Return what a stored text stands for: a number, a truth value, nothing, or itself.

    Example:
        >>> [typed(text) for text in ("0.01", "64", "True", "None", "adam")]
        [0.01, 64, True, None, 'adam']
    """
    if text in ("True", "False"):
        return text == "True"
    if text in ("None", "null", ""):
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


def flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Name nested values by their path, with dots.

    Example:
        >>> flat({"optimizer": {"lr": 0.1}, "width": 16})
        {'optimizer.lr': 0.1, 'width': 16}
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{above}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return found


def _known_time(time_us: int | None) -> int | None:
    return time_us if time_us is not None and _FIRST_US <= time_us <= _LAST_US else None


def _storable(value: Any) -> Any:
    """Return a value with its texts in UTF-8 and its whole numbers in 64 bits, else as floats."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, Mapping):
        return {_storable(key): _storable(held) for key, held in value.items()}
    if isinstance(value, list):
        return [_storable(held) for held in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return float(str(value))  # one beyond the floats is infinite
    return value


def _column(values: Iterable[Any]) -> pa.Array:
    """Return a column of one type: numbers, truth values, or else texts."""
    found = list(values)
    kinds = {type(value) for value in found if value is not None}
    if kinds <= {int, float} or kinds in ({bool}, {str}):
        return pa.array([float(v) if kinds == {int, float} and v is not None else v for v in found])
    texts = [v if isinstance(v, str) or v is None else json.dumps(v, default=str) for v in found]
    return pa.array(texts, pa.utf8())


def _last(course: Course | None) -> float | None:
    return course.values[-1] if course else None


def _by_epoch(course: Course | None) -> Sequence[tuple[int, float | None]]:
    if course is None:
        return ()
    last: dict[int, float] = {}
    for epoch, step, value in zip(course.epochs, course.steps, course.values, strict=True):
        last[step if epoch == UNKNOWN else epoch] = value
    return [
        (epoch, value if math.isfinite(value) else None)
        for epoch, value in last.items()
        if epoch != UNKNOWN
    ]

"""Trials in the file of Optuna's journal storage, read without Optuna."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from provrunner.errors import ConfigError
from provrunner.report.stores.choice import DAMAGE, choose
from provrunner.report.stores.optuna import (
    INTERMEDIATE,
    TOOL,
    external_value,
    final_values,
    objective_names,
)
from provrunner.report.stores.store import Course, Range, Store, StoredRun

__all__ = ["is_journal", "read_journal"]

# The operations that Optuna numbers, in `JournalOperation`; attributes are not read.
_CREATE_STUDY, _DELETE_STUDY, _CREATE_TRIAL, _PARAM, _STATE, _REPORT = 0, 1, 4, 5, 6, 7

_DIRECTIONS = {1: "minimize", 2: "maximize"}
_STATES = ("RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING")
_OPEN = (0, 4)
_FIRST_LINE = 1 << 16


@dataclass(slots=True)
class _Trial:
    """What the journal has told of a trial so far."""

    state: int = 0
    values: list[float] = field(default_factory=list)
    params: dict[str, tuple[float, str]] = field(default_factory=dict)
    reported: dict[int, float] = field(default_factory=dict)
    start_us: int | None = None
    end_us: int | None = None


@dataclass(slots=True)
class _Study:
    """A study and its trials, in the order of their numbers."""

    name: str
    directions: list[int]
    trials: list[_Trial] = field(default_factory=list)


def is_journal(path: Path) -> bool:
    """Tell whether a file begins with a line of such a journal."""
    with path.open("rb") as file:
        line = file.readline(_FIRST_LINE)
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and {"op_code", "worker_id"} <= found.keys()


def read_journal(path: Path, experiment: str | None) -> Store:
    """Read the trials of a study; half a line at the end, of a writer that died, counts for none.

    Raises:
        ConfigError: the study is not told, or a line is damaged: trials are told by the count of
            lines, so that all after it would be taken for others.
    """
    studies: list[_Study | None] = []
    trials: list[_Trial] = []
    for number, entry in _entries(path):
        try:
            _replay(entry, studies, trials)
        except DAMAGE as error:
            raise ConfigError(
                f"{path}: line {number} is no operation of Optuna's journal ({error!r}); "
                "what follows it cannot be told apart"
            ) from error
    named = [(study.name, study) for study in studies if study is not None]
    name, study = choose(named, experiment, "study", path)
    names = objective_names(len(study.directions))
    ranges: dict[str, Range] = {}
    runs = [_to_run(number, trial, names, ranges) for number, trial in enumerate(study.trials)]
    ways = {
        objective: _DIRECTIONS.get(way, "minimize")
        for objective, way in zip(names, study.directions, strict=True)
    }
    return Store(TOOL, name, path, tuple(runs), ways, ranges)


def _entries(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    lines = path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        try:
            yield number, json.loads(line)
        except ValueError as error:
            if number == len(lines) and not line.endswith(b"\n"):
                return
            raise ConfigError(
                f"{path}: line {number} is no JSON ({error}); what follows it cannot be told apart"
            ) from error


def _replay(entry: Mapping[str, Any], studies: list[_Study | None], trials: list[_Trial]) -> None:
    """Carry out one operation on what those before it have made."""
    code = entry["op_code"]
    if code == _CREATE_STUDY:
        # One that exists already is refused by Optuna as well, when it reads the line.
        if all(study is None or study.name != entry["study_name"] for study in studies):
            studies.append(_Study(entry["study_name"], entry["directions"]))
    elif code == _DELETE_STUDY:
        studies[entry["study_id"]] = None
    elif code == _CREATE_TRIAL:
        _create(entry, studies, trials)
    elif code in (_PARAM, _STATE, _REPORT):
        # Optuna passes over what is told of no trial, or of one that has ended.
        trial = trials[entry["trial_id"]] if entry["trial_id"] < len(trials) else _Trial(state=1)
        if trial.state not in _OPEN:
            return
        if code == _PARAM:
            trial.params[entry["param_name"]] = (
                entry["param_value_internal"],
                entry["distribution"],
            )
        elif code == _STATE:
            _set_state(trial, entry)
        else:
            trial.reported[entry["step"]] = entry["intermediate_value"]


def _create(entry: Mapping[str, Any], studies: list[_Study | None], trials: list[_Trial]) -> None:
    study = studies[entry["study_id"]]
    if study is None:
        return  # of a study deleted before; Optuna passes it over
    values = entry.get("values") or ([] if entry.get("value") is None else [entry["value"]])
    spread = entry.get("distributions") or {}
    trial = _Trial(
        state=entry.get("state", 0),
        values=values,
        params={name: (value, spread[name]) for name, value in (entry.get("params") or {}).items()},
        reported={int(k): v for k, v in (entry.get("intermediate_values") or {}).items()},
        start_us=_microseconds(entry.get("datetime_start")),
        end_us=_microseconds(entry.get("datetime_complete")),
    )
    study.trials.append(trial)
    trials.append(trial)


def _set_state(trial: _Trial, entry: Mapping[str, Any]) -> None:
    trial.state = entry["state"]
    trial.values = entry.get("values") or trial.values
    trial.start_us = _microseconds(entry.get("datetime_start")) or trial.start_us
    trial.end_us = _microseconds(entry.get("datetime_complete")) or trial.end_us


def _to_run(number: int, trial: _Trial, names: list[str], ranges: dict[str, Range]) -> StoredRun:
    metrics = final_values(names, trial.values, trial.end_us)
    if trial.reported:
        metrics[INTERMEDIATE] = Course()
        for step, value in sorted(trial.reported.items()):
            metrics[INTERMEDIATE].add(value, step=step)
    return StoredRun(
        run_id=f"{number:04d}",
        status=_STATES[trial.state],
        parameters={
            name: external_value(value, distribution, name, ranges)
            for name, (value, distribution) in trial.params.items()
        },
        metrics=metrics,
        start_us=trial.start_us,
        end_us=trial.end_us,
    )


def _microseconds(text: str | None) -> int | None:
    return None if text is None else round(datetime.fromisoformat(text).timestamp() * 1e6)

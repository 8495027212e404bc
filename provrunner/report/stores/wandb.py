"""Runs that W&B stored offline, read without W&B."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provrunner.report.stores.choice import is_own, read_whole
from provrunner.report.stores.protobuf import Message, inner, integer, number, read_message, text
from provrunner.report.stores.store import Course, Store, StoredRun, flat, place_epochs
from provrunner.report.stores.wandb_log import read_records

__all__ = ["find_wandb", "read_wandb"]

TOOL = "wandb"
_ENDING = ".wandb"
_GLOBAL_STEP = "trainer/global_step"
_NANOS = 1_000_000_000

# Field numbers of W&B's wandb_internal.proto: of a record, then of what records hold.
_HISTORY, _SUMMARY, _CONFIG, _RUN, _EXIT, _HEADER, _ENVIRONMENT = 2, 3, 5, 17, 18, 21, 26
_UPDATE, _REMOVE = 1, 2
_KEY, _NESTED_KEY, _BOOLEAN, _INTEGER, _NUMBER, _TEXT, _JSON, _VALUE_JSON = 1, 2, 4, 5, 6, 7, 8, 16


def find_wandb(path: Path) -> list[Path]:
    """Return the transaction logs at or below a path, in the order of their folders' names.

    The link `latest-run` leads to one of them and is not followed.
    """
    if path.is_file():
        return [path] if path.suffix == _ENDING else []
    files = [
        file
        for file in path.rglob(f"*{_ENDING}")
        if not file.parent.is_symlink() and is_own(file, path)
    ]
    return sorted(files, key=lambda file: (file.parent.name, file.name))


def read_wandb(path: Path, places: list[Path], _experiment: str | None) -> Store:
    """Read the runs of transaction logs; one that was cut off ends where it was.

    Raises:
        ConfigError: no run can be read.
    """
    named = [(f"{file.parent.name}/{file.name}", file) for file in places]
    runs, skipped = read_whole(named, _read_run, path)
    ordered = sorted(runs, key=lambda run: run.start_us or 0)
    projects = dict.fromkeys(str(run.facts["project"]) for run in runs if "project" in run.facts)
    return Store(TOOL, "+".join(projects) or TOOL, path, tuple(ordered), skipped=skipped)


@dataclass(slots=True)
class _Reading:
    """What the records of a run have told so far."""

    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Course] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    run_id: str | None = None
    start_us: int | None = None
    last_us: int | None = None
    exit_code: int | None = None
    runtime_s: int | None = None


def _read_run(file: Path) -> StoredRun:
    records, cut = read_records(file.read_bytes())
    reading = _Reading()
    for record in records:
        for kind, bodies in read_message(record).items():
            take = _TAKES.get(kind)
            for body in bodies if take else ():
                take(reading, inner(body))  # type: ignore[misc]
    if reading.run_id is None:
        raise ValueError("it holds no run")
    _add_summary(reading)
    reading.config.pop("_wandb", None)
    if cut is not None:
        reading.facts["reason"] = f"its log was cut off at byte {cut}"
    return StoredRun(
        run_id=reading.run_id,
        status=_status(reading),
        parameters=flat(reading.config),
        metrics=place_epochs(reading.metrics),
        start_us=reading.start_us,
        end_us=_end(reading),
        others=reading.others,
        facts=reading.facts,
        files=(file,),
    )


def _take_header(reading: _Reading, message: Message) -> None:
    version = _text(_sub(message, 1), 1)
    reading.facts["version"] = version.partition("+")[0]


def _take_run(reading: _Reading, message: Message) -> None:
    reading.run_id = _text(message, 1)
    told = {"project": 3, "name": 8, "host": 13}
    reading.facts |= {key: _text(message, at) for key, at in told.items() if message.get(at)}
    notes = {"wandb.group": 6, "wandb.job_type": 7, "wandb.notes": 9, "wandb.sweep": 12}
    reading.others |= {key: _text(message, at) for key, at in notes.items() if message.get(at)}
    if message.get(21):
        reading.facts |= _git(_sub(message, 21))
    reading.start_us = reading.start_us or _time(_sub(message, 17))
    _take_config(reading, _sub(message, 4))


def _take_config(reading: _Reading, message: Message) -> None:
    _update(reading.config, message)


def _take_summary(reading: _Reading, message: Message) -> None:
    _update(reading.summary, message)


def _take_environment(reading: _Reading, message: Message) -> None:
    """Take what W&B saw of the machine; it tells it in several parts."""
    told = {"os": 1, "python": 2, "host": 12, "user": 13}
    reading.facts |= {key: _text(message, at) for key, at in told.items() if message.get(at)}
    if message.get(6):
        words = [text(word) for word in (*message[6][:1], *message.get(5, []))]
        reading.facts["command"] = words
    if message.get(9):
        reading.facts |= _git(_sub(message, 9))


def _take_exit(reading: _Reading, message: Message) -> None:
    reading.exit_code = integer(message.get(1, [0])[-1])
    runtime = message.get(2)
    reading.runtime_s = integer(runtime[-1]) if runtime else None


def _take_history(reading: _Reading, message: Message) -> None:
    row: dict[str, Any] = {}
    for item in message.get(1, []):
        _put(row, inner(item))
    own = _sub(message, 2).get(1)
    values = _without_media(row)
    step = values.pop("_step", None)
    step = integer(own[-1]) if own else step
    time = values.pop("_timestamp", None)
    values.pop("_runtime", None)
    step = values.pop(_GLOBAL_STEP, step)
    time_us = None if time is None else round(float(time) * 1e6)
    reading.last_us = max(reading.last_us or 0, time_us or 0) or None
    for name, value in values.items():
        found = _as_number(value)
        if found is None:
            reading.others[name] = value
            continue
        course = reading.metrics.setdefault(name, Course())
        course.add(found, step=0 if step is None else int(step), time_us=time_us)


_TAKES = {
    _HEADER: _take_header,
    _RUN: _take_run,
    _CONFIG: _take_config,
    _SUMMARY: _take_summary,
    _ENVIRONMENT: _take_environment,
    _EXIT: _take_exit,
    _HISTORY: _take_history,
}


def _add_summary(reading: _Reading) -> None:
    """Take what a run was summed up by and never logged as a metric of one value."""
    for name, value in _without_media(reading.summary).items():
        if name.startswith("_") or name in reading.metrics or name == _GLOBAL_STEP:
            continue
        found = _as_number(value)
        if found is None:
            reading.others.setdefault(name, value)
        else:
            reading.metrics[name] = Course()
            reading.metrics[name].add(found)


def _status(reading: _Reading) -> str | None:
    if reading.exit_code is None:
        reading.facts.setdefault("reason", "W&B wrote no end of it")
        return "lost"
    if reading.exit_code:
        reading.facts.setdefault("reason", f"exit code {reading.exit_code}")
        return "failed"
    return "finished"


def _end(reading: _Reading) -> int | None:
    """Return the last moment that is told: W&B writes how long a run took in whole seconds."""
    if reading.start_us is None:
        return reading.last_us
    ran = [] if reading.runtime_s is None else [reading.start_us + reading.runtime_s * 1_000_000]
    told = [time for time in (*ran, reading.last_us) if time is not None]
    return max(told, default=None)


def _update(values: dict[str, Any], message: Message) -> None:
    for item in message.get(_UPDATE, []):
        _put(values, inner(item))
    for item in message.get(_REMOVE, []):
        *above, last = _path(inner(item))
        held = values
        for key in above:
            held = held.get(key, {})
        held.pop(last, None)


def _put(values: dict[str, Any], item: Message) -> None:
    *above, last = _path(item)
    for key in above:
        held = values.get(key)
        values[key] = values = dict(held) if isinstance(held, dict) else {}
    values[last] = _value(item)


def _path(item: Message) -> list[str]:
    nested = [text(part) for part in item.get(_NESTED_KEY, [])]
    return nested or [_text(item, _KEY)]


def _value(item: Message) -> Any:
    for at in (_VALUE_JSON, _JSON):
        if item.get(at):
            return json.loads(_text(item, at))
    if item.get(_TEXT):
        return _text(item, _TEXT)
    if item.get(_NUMBER):
        return number(item[_NUMBER][-1])
    if item.get(_INTEGER):
        zigzag = int(number(item[_INTEGER][-1]))
        return (zigzag >> 1) ^ -(zigzag & 1)
    return bool(item[_BOOLEAN][-1]) if item.get(_BOOLEAN) else None


def _without_media(row: Mapping[str, Any]) -> dict[str, Any]:
    """Name nested values by their path; pictures, tables and the like are files of their own."""
    plain = {
        key: value
        for key, value in row.items()
        if not (isinstance(value, Mapping) and "_type" in value)
    }
    return flat(plain)


def _as_number(value: Any) -> float | None:
    """Return a logged number; W&B writes those that JSON has no form for as texts."""
    if isinstance(value, int | float):
        return float(value)
    return float(value) if value in ("NaN", "Infinity", "-Infinity") else None


def _git(message: Message) -> dict[str, str]:
    told = {"remote": 1, "commit": 2}
    return {key: _text(message, at) for key, at in told.items() if message.get(at)}


def _time(message: Message) -> int | None:
    if not message:
        return None
    seconds, nanos = (int(number(message.get(at, [0])[-1])) for at in (1, 2))
    return (seconds * _NANOS + nanos) // 1000


def _sub(message: Message, at: int) -> Message:
    """Return the message in a field; what a field says twice is told together."""
    found: Message = {}
    for value in message.get(at, []):
        for key, values in inner(value).items():
            found.setdefault(key, []).extend(values)
    return found


def _text(message: Message, at: int) -> str:
    return text(message[at][-1]) if message.get(at) else ""

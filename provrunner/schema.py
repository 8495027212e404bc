"""What a log holds: the contract between the wing that writes and the wing that reads."""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import pyarrow as pa

__all__ = [
    "EVENTS",
    "EVENT_KINDS",
    "FORMAT_VERSION",
    "METRICS",
    "TABLES",
    "Event",
    "LogState",
    "Numbers",
    "RunStatus",
    "Sink",
    "StepMetrics",
    "stage_of",
]

FORMAT_VERSION = 1
"""The log format's major version: a reader refuses a newer one."""

_TIME = pa.timestamp("us", tz="UTC")

METRICS = pa.schema(
    [
        ("time", _TIME),
        ("step", pa.int64()),
        ("epoch", pa.int32()),
        ("stage", pa.utf8()),
        ("name", pa.utf8()),
        ("value", pa.float64()),
    ]
)
"""One row a logged value; NaN, infinities and -0.0 are kept as they are."""

EVENTS = pa.schema(
    [
        ("seq", pa.uint64()),
        ("time", _TIME),
        ("mono_ns", pa.int64()),
        ("step", pa.int64()),
        ("epoch", pa.int32()),
        ("kind", pa.utf8()),
        ("subject", pa.utf8()),
        ("data", pa.utf8()),
    ]
)
"""One row a happening; `data` is a JSON object whose shape per kind is `EVENT_KINDS`."""


_STAGE_WORDS = {
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "eval"), "validate"),
    "test": "test",
    "predict": "predict",
}


class RunStatus(StrEnum):
    """How a run stands or ended."""

    PLANNED = "planned"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    DIVERGED = "diverged"
    PRUNED = "pruned"
    INTERRUPTED = "interrupted"
    LOST = "lost"


class LogState(StrEnum):
    """What a reader can promise of a log."""

    COMPLETE = "complete"
    RUNNING = "running"
    LOST = "lost"
    TORN = "torn"
    CORRUPT = "corrupt"


EVENT_KINDS: Mapping[str, Mapping[str, str]] = {
    # how the run began and ended
    "run_start": {
        "run_id": "str: number and hash of the point",
        "command": "list[str]: the command line, redacted",
        "user": "str | null",
        "host": "str | null",
        "pid": "int",
        "seed": "int | null",
        "attempt": "int: 0 for the first",
        "anew": "bool: it is to go on from nothing that earlier attempts left",
        "world_size": "int",
        "reason": "str | null: why the user ran it",
    },
    "run_end": {
        "status": "RunStatus",
        "reason": "str | null: exception, signal or rule in one line",
        "metric_rows": "int: rows of the metrics log",
        "gaps": "int: rows declared lost",
    },
    "origin": {
        "tool": "str: that recorded the run, such as mlflow",
        "version": "str | null: of the tool",
        "name": "str | null: what the run was called there",
        "status": "str | null: the tool's own word",
        "path": "str: of the store",
        "files": "dict[str, str]: SHA-256 by path of those that hold this run alone",
    },
    "exception": {
        "type": "str",
        "message": "str",
        "traceback": "str: redacted",
        "memory": "str | null: the GPU memory summary, only when memory ran out",
    },
    "signal": {"number": "int", "name": "str"},
    # what it was told
    "param": {
        "value": "any JSON: the leaf of the resolved configuration, or the object's own setting",
        "type": "str: float, int, bool, str, null, list, dict",
        "origin": "str | null: file, group choice, command line, axis, default, record",
        "source": "str | null: the file or override it came from",
        "reads": "int | null: times the program read it; null when unknown",
        "phase": "init: as configured | object: as the optimizer, scheduler or trainer held it",
    },
    # who and where
    "agent": {
        "type": "person | software",
        "version": "str | null",
        "on_behalf_of": "str | null: the subject of another agent",
    },
    "environment": {
        "python": "str",
        "os": "str",
        "machine": "str",
        "cpu": "str | null",
        "cores": "int | null",
        "memory_bytes": "int | null",
        "gpus": "list[str]",
        "threads": "int | null: torch threads",
        "packages": "dict[str, str]: name to version",
        "variables": "dict[str, str]: allow-listed environment variables",
        "launcher": "str | null",
    },
    "code": {
        "commit": "str | null",
        "branch": "str | null",
        "dirty": "bool | null",
        "remote": "str | null: without userinfo",
        "patch_sha256": "str | null",
        "patch": "str | null: capped at 1 MiB, redacted",
        "reason": "str | null: why something above is unknown",
    },
    "source": {
        "sha256": "str",
        "path": "str",
        "text": "str | null: redacted; only at capture level full",
    },
    # the data (subject: name of the data set, split or transform)
    "dataset": {
        "digest": "str | null: sha256 of the content",
        "size": "int | null: samples",
        "features": "list[int] | null: shape of one sample",
        "classes": "int | null",
        "type": "str: class path of the data module or data set",
        "reason": "str | null: why the digest is unknown",
    },
    "split": {
        "dataset": "str: subject of its data set",
        "size": "int | null",
        "digest": "str | null: sha256 of the samples' content in order",
        "index_digest": "str | null: sha256 of the samples' sorted indices in the data set",
        "seed": "int | null",
        "classes": "dict[str, int] | null: samples a class",
        "overlap": "dict[str, int] | null: samples that each split described before holds as well",
        "reason": "str | null: why the digest is unknown",
    },
    "transform": {
        "position": "int: order of application, from 0",
        "params": "dict",
        "split": "str | null: split it was fitted on, or that it is applied to",
        "n_in": "int | null",
        "n_out": "int | null",
        "changed": "int | null: values or rows altered",
    },
    "loader": {
        "batch_size": "int | null",
        "shuffle": "bool | null",
        "workers": "int | null",
        "drop_last": "bool | null",
        "batches": "int | null",
    },
    # the model
    "model": {
        "type": "str: class path",
        "architecture_hash": "str",
        "parameters": "int | null: null for a model that is no network",
        "trainable": "int | null",
        "loss": "str | null",
    },
    "layer": {
        "position": "int: order of definition, from 0",
        "type": "str",
        "input_shape": "list[int | null] | null: null where it varies by batch",
        "output_shape": "list[int | null] | null",
        "parameters": "int | null: null for a model that is no network",
        "trainable": "int | null",
    },
    # what happened (subject of stages and epochs: fit, train, validate, test, predict)
    "stage_start": {},
    "stage_end": {"duration_s": "float"},
    "epoch_start": {},
    "epoch_end": {"duration_s": "float", "batches": "int | null: null in a loop of one's own"},
    "adaptation": {
        "old": "any JSON",
        "new": "any JSON",
        "cause": "str: scheduler, early_stopping, reduce_on_plateau, asha, divergence, manual, ...",
        "agent": "str: class path or name of who did it",
        "numbers": "object: what a rule decided by; absent where none did",
    },
    "checkpoint": {
        "sha256": "str",
        "size_bytes": "int",
        "metric": "str | null: what it was chosen by",
        "value": "float | null",
        "role": "best | last | epoch | manual",
    },
    "checkpoint_loaded": {"sha256": "str | null", "foreign": "bool: not made by this run"},
    "checkpoint_refused": {
        "sha256": "str | null: of the bytes that it should have",
        "reason": "str: what is wrong with it; an earlier one is gone on from, or none",
    },
    "checkpoint_deleted": {"sha256": "str | null"},
    "claim_taken_over": {
        "host": "str | null: where the process ran that held the sweep when it died",
        "pid": "str | null: its number there",
    },
    "value": {"value": "any JSON: a logged value that is no number"},
    # what it cost
    "resources": {
        "cpu_s": "float",
        "rss_bytes": "int",
        "gpu_bytes": "int | null: held in tensors",
        "gpu_peak_bytes": "int | null: held at most since the process began",
        "gpu_percent": "int | null: share of the last moments in which the GPU was at work",
        "read_bytes": "int | null: from storage, by this process so far",
        "written_bytes": "int | null: to storage, by this process so far",
    },
    "overhead": {
        "hook_s": "float: time spent inside capture's hooks",
        "events": "int",
        "metric_rows": "int",
        "dropped": "int",
    },
    # what was not captured
    "capture_failed": {"error": "str", "hook": "str"},
    "gap": {
        "count": "int: rows lost",
        "first_step": "int | null",
        "last_step": "int | null",
        "reason": "str",
    },
}
"""Every kind of event, with the fields of its `data` object; the subject is named beside it."""


@dataclass(frozen=True, slots=True)
class Event:
    """A happening on its way to the log; `data` holds plain JSON values only."""

    kind: str
    subject: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    step: int | None = None
    epoch: int | None = None
    time_ns: int = field(default_factory=time.time_ns)
    mono_ns: int = field(default_factory=time.monotonic_ns)


class Numbers(Mapping[str, float]):
    """Numbers by name, for steps that log the same names again and again.

    To make one costs the same for any count of names, and a sink knows the names by their tuple.

    Args:
        names: the same tuple at every step; each name once.
        numbers: a float for each name.

    Example:
        >>> dict(Numbers(("loss", "accuracy"), [0.5, 0.75]))
        {'loss': 0.5, 'accuracy': 0.75}
    """

    __slots__ = ("names", "numbers")

    def __init__(self, names: tuple[str, ...], numbers: Sequence[float]) -> None:
        self.names = names
        self.numbers = numbers

    def __getitem__(self, name: str) -> float:
        try:
            return self.numbers[self.names.index(name)]
        except ValueError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


@dataclass(slots=True)  # not frozen: that would make it three times as slow to make
class StepMetrics:
    """The values that one step logged; a value is a float or a tensor with one element."""

    values: Mapping[str, Any]
    step: int
    epoch: int
    stage: str
    time_ns: int = field(default_factory=time.time_ns)


class Sink(Protocol):
    """Where capture puts what it saw: the Arrow writer in life, a list in tests.

    One that has a method `write_numbers(names, numbers, step, epoch, stage)` is told by it of the
    numbers of a step, which nearly all steps log, and not by `write`.
    """

    def open(self, rank: int, ranks: int = 1) -> None:
        """Make ready for the events of one rank of so many."""

    def write(self, records: Sequence[Event | StepMetrics]) -> None:
        """Take records in order; never raises for what the disk does."""

    def flush(self) -> None:
        """Put all that was written on disk, durably."""

    def close(self, status: RunStatus, reason: str | None = None) -> None:
        """Write `run_end` and seal; later writes are dropped."""


@functools.cache
def stage_of(name: str) -> str:
    """Return the stage that a metric's name tells by its first word.

    Example:
        >>> stage_of("val/loss"), stage_of("test_accuracy"), stage_of("value")
        ('validate', 'test', 'train')
    """
    return _STAGE_WORDS.get(re.split(r"[^a-z]", name.lower(), maxsplit=1)[0], "train")


_RUN = [("run", pa.int32()), ("run_id", pa.utf8())]
_SOURCE = [*_RUN, ("rank", pa.int32())]
_WHEN = [("time", _TIME), ("elapsed_s", pa.float64()), ("step", pa.int64()), ("epoch", pa.int32())]

TABLES: Mapping[str, pa.Schema] = {
    name: pa.schema(columns)
    for name, columns in {
        "sweep": [
            ("sweep_id", pa.utf8()),
            ("name", pa.utf8()),
            ("created", pa.utf8()),
            ("design", pa.utf8()),
            ("metric", pa.utf8()),
            ("direction", pa.utf8()),
            ("objective_at", pa.utf8()),
            ("replicates", pa.int32()),
            ("seeds", pa.utf8()),
            ("planned", pa.int32()),
            ("command", pa.utf8()),
            ("config_sha256", pa.utf8()),
        ],
        "plan": [
            *_RUN,
            ("trial_id", pa.utf8()),
            ("replicate", pa.int32()),
            ("seed", pa.int64()),
            ("values", pa.utf8()),
        ],
        "runs": [
            *_RUN,
            ("trial_id", pa.utf8()),
            ("replicate", pa.int32()),
            ("seed", pa.int64()),
            ("attempt", pa.int32()),
            ("status", pa.utf8()),
            ("reason", pa.utf8()),
            ("objective", pa.float64()),
            ("objective_epoch", pa.int32()),
            ("objective_step", pa.int64()),
            ("start", _TIME),
            ("end", _TIME),
            ("duration_s", pa.float64()),
            ("epochs", pa.int32()),
            ("steps", pa.int64()),
            ("cmd", pa.utf8()),
            ("user", pa.utf8()),
            ("host", pa.utf8()),
            ("pid", pa.int64()),
            ("world_size", pa.int32()),
            ("commit", pa.utf8()),
            ("dirty", pa.bool_()),
            ("architecture_hash", pa.utf8()),
            ("parameters", pa.int64()),
            ("dataset_digest", pa.utf8()),
            ("log_state", pa.utf8()),
            ("metric_rows", pa.int64()),
            ("gaps", pa.int64()),
            ("log_bytes", pa.int64()),
        ],
        "params": [
            *_RUN,
            ("name", pa.utf8()),
            ("value", pa.utf8()),
            ("number", pa.float64()),
            ("type", pa.utf8()),
            ("origin", pa.utf8()),
            ("source", pa.utf8()),
            ("reads", pa.int64()),
            ("phase", pa.utf8()),
        ],
        "epochs": [
            *_SOURCE,
            ("epoch", pa.int32()),
            ("start", _TIME),
            ("end", _TIME),
            ("duration_s", pa.float64()),
            ("elapsed_s", pa.float64()),
        ],
        "metrics": [*_SOURCE, ("segment", pa.int32()), *METRICS],
        "events": [*_SOURCE, ("segment", pa.int32()), *EVENTS],
        "adaptations": [
            *_SOURCE,
            *_WHEN,
            ("name", pa.utf8()),
            ("old", pa.utf8()),
            ("new", pa.utf8()),
            ("cause", pa.utf8()),
            ("agent", pa.utf8()),
            ("numbers", pa.utf8()),
        ],
        "layers": [
            *_RUN,
            ("position", pa.int32()),
            ("name", pa.utf8()),
            ("type", pa.utf8()),
            ("input_shape", pa.utf8()),
            ("output_shape", pa.utf8()),
            ("parameters", pa.int64()),
            ("trainable", pa.int64()),
        ],
        "datasets": [
            *_RUN,
            ("dataset", pa.utf8()),
            ("split", pa.utf8()),
            ("type", pa.utf8()),
            ("size", pa.int64()),
            ("ratio", pa.float64()),
            ("features", pa.utf8()),
            ("classes", pa.utf8()),
            ("digest", pa.utf8()),
            ("index_digest", pa.utf8()),
            ("seed", pa.int64()),
            ("overlap", pa.utf8()),
        ],
        "transforms": [
            *_RUN,
            ("position", pa.int32()),
            ("name", pa.utf8()),
            ("params", pa.utf8()),
            ("split", pa.utf8()),
            ("n_in", pa.int64()),
            ("n_out", pa.int64()),
            ("changed", pa.int64()),
        ],
        "artifacts": [
            *_SOURCE,
            ("seq", pa.uint64()),
            ("kind", pa.utf8()),
            ("path", pa.utf8()),
            ("sha256", pa.utf8()),
            ("size_bytes", pa.int64()),
            ("step", pa.int64()),
            ("epoch", pa.int32()),
            ("metric", pa.utf8()),
            ("value", pa.float64()),
            ("role", pa.utf8()),
            ("created", _TIME),
            ("deleted", _TIME),
        ],
        "environment": [*_RUN, ("kind", pa.utf8()), ("name", pa.utf8()), ("value", pa.utf8())],
        "notes": [*_RUN, ("time", _TIME), ("user", pa.utf8()), ("text", pa.utf8())],
        "collected": [
            *_RUN,
            ("path", pa.utf8()),
            ("sha256", pa.utf8()),
            ("size_bytes", pa.int64()),
            ("time", _TIME),
            ("user", pa.utf8()),
        ],
        "nodes": [
            ("id", pa.utf8()),
            ("kind", pa.utf8()),
            ("type", pa.utf8()),
            ("label", pa.utf8()),
            ("run", pa.int32()),
            ("start", _TIME),
            ("end", _TIME),
            ("attributes", pa.utf8()),
        ],
        "edges": [
            ("id", pa.utf8()),
            ("relation", pa.utf8()),
            ("subject", pa.utf8()),
            ("object", pa.utf8()),
            ("plan", pa.utf8()),
            ("activity", pa.utf8()),
            ("generation", pa.utf8()),
            ("usage", pa.utf8()),
            ("time", _TIME),
            ("role", pa.utf8()),
            ("run", pa.int32()),
            ("attributes", pa.utf8()),
        ],
        "sensitivity": [
            ("objective", pa.utf8()),
            ("component", pa.utf8()),
            ("kind", pa.utf8()),
            ("order", pa.int32()),
            ("share", pa.float64()),
            ("low", pa.float64()),
            ("high", pa.float64()),
            ("total", pa.float64()),
            ("shapley", pa.float64()),
            ("df", pa.int32()),
            ("f", pa.float64()),
            ("p", pa.float64()),
            ("p_holm", pa.float64()),
            ("significant", pa.bool_()),
            ("effect", pa.float64()),
            ("effect_low", pa.float64()),
            ("effect_high", pa.float64()),
            ("effect_sigma", pa.float64()),
            ("n_runs", pa.int32()),
            ("runs", pa.list_(pa.int32())),
        ],
    }.items()
}
"""The public tables. `runs` also has a column a swept hyperparameter, `epochs` a column a metric.

A log's own columns come first in `metrics` and `events`; JSON texts stand where a value has no
fixed type (`values`, `value`, `params`, `classes`, `overlap`, `old`, `new`, shapes, `attributes`).
"""

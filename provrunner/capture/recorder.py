"""Hands what was captured to the sink: filtered, redacted, as plain JSON."""

from __future__ import annotations

import enum
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from provrunner.capture.loaded import is_tensor
from provrunner.capture.options import CaptureOptions
from provrunner.ids import digest
from provrunner.redaction import redact
from provrunner.schema import Event, Numbers, RunStatus, Sink, StepMetrics

__all__ = ["Described", "Moment", "Recorder", "json_value", "read_clocks", "shorten", "type_path"]

_LONGEST_NAME = 4096
_LONGEST_REPR = 1000
_DEEPEST = 12

Moment = tuple[int, int]
"""Wall clock and monotonic clock in nanoseconds."""

Described = tuple[str, str, Mapping[str, Any]]
"""Kind, subject and data of an event."""


class Recorder:
    """Writes events and metrics of one process to a sink, and counts them."""

    def __init__(self, sink: Sink, options: CaptureOptions, secrets: frozenset[str]) -> None:
        self.written = 0
        self.metric_rows = 0
        self.closed = False
        self._sink = sink
        self._options = options
        self._secrets = secrets
        self._write_numbers: Callable[..., None] = self._write_step

    @property
    def dropped(self) -> int:
        """Rows that the sink says it had to drop; 0 for a sink that does not count."""
        return int(getattr(self._sink, "dropped", 0))

    def keeps(self, kind: str, name: str = "") -> bool:
        """Say whether events of a kind and name would be written."""
        return self._options.keeps(kind, name)

    def open(self, rank: int, ranks: int = 1) -> None:
        """Make the sink ready for one rank."""
        self._sink.open(rank, ranks)
        # a sink that has no shorter way is told as of anything else
        self._write_numbers = getattr(self._sink, "write_numbers", None) or self._write_step

    def event(
        self,
        kind: str,
        subject: str = "",
        data: Mapping[str, Any] | None = None,
        *,
        step: int | None = None,
        epoch: int | None = None,
        moment: Moment | None = None,
    ) -> None:
        """Write one event, unless the options leave it out or the log is closed.

        Args:
            kind: a kind of `schema.EVENT_KINDS`.
            subject: what it is about.
            data: the fields that the kind has.
            step: the training step.
            epoch: the epoch.
            moment: when it happened, where that is not now.
        """
        self.events([(kind, subject, data or {})], step=step, epoch=epoch, moment=moment)

    def events(
        self,
        described: Iterable[Described],
        *,
        step: int | None = None,
        epoch: int | None = None,
        moment: Moment | None = None,
    ) -> None:
        """Write several events at once, as `event` does each: a batch costs as much as an event.

        What comes before a failure is written; nothing is, once the log is closed.
        """
        found: list[Event] = []
        try:
            for kind, subject, data in described:
                if self.closed or not self.keeps(kind, subject):
                    continue
                name = shorten(redact(subject, self._secrets))
                clean = {key: self._clean(value) for key, value in data.items()}
                found.append(Event(kind, name, clean, step, epoch, *(moment or read_clocks())))
        finally:
            if found and not self.closed:
                self.written += len(found)
                self._sink.write(found)

    def metrics(self, values: Mapping[str, Any], *, step: int, epoch: int, stage: str) -> None:
        """Write the values of one step; their names have passed `keeps` already."""
        if self.closed:
            return
        if type(values) is Numbers and values.names:
            self.metric_rows += len(values.names)
            self._write_numbers(values.names, values.numbers, step, epoch, stage)
        elif values:
            self.metric_rows += len(values)
            self._sink.write([StepMetrics(values, step=step, epoch=epoch, stage=stage)])

    def flush(self) -> None:
        """Put on disk what was written."""
        if not self.closed:
            self._sink.flush()

    def close(self, status: RunStatus, reason: str | None) -> None:
        """Seal the log; later writes are dropped."""
        if not self.closed:
            self.closed = True
            self._sink.close(status, redact(reason, self._secrets) if reason else reason)

    def _write_step(
        self, names: tuple[str, ...], numbers: Sequence[float], step: int, epoch: int, stage: str
    ) -> None:
        self._sink.write([StepMetrics(Numbers(names, numbers), step, epoch, stage)])

    def _clean(self, value: object) -> object:
        return _redact_all(json_value(value), self._secrets)


def read_clocks() -> Moment:
    """Return now."""
    return time.time_ns(), time.monotonic_ns()


def json_value(value: object, depth: int = 0) -> object:
    """Return a value as plain JSON.

    Numbers that JSON cannot hold become the texts `NaN`, `Infinity` and `-Infinity`, which Python's
    `float` and SQL's casts read back. What has no JSON form is named by its type or written by its
    `repr`, cut at 1,000 characters.

    Example:
        >>> json_value({"betas": (0.9, float("inf")), 3: None})
        {'betas': [0.9, 'Infinity'], '3': None}
    """
    if isinstance(value, enum.Enum):
        value = value.value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return _json_float(value)
    if depth > _DEEPEST:
        return "..."
    return _json_container(value, depth + 1)


def shorten(name: str) -> str:
    """Cut a name of more than 4 KiB and mark the cut with the whole name's digest.

    Example:
        >>> shorten("x" * 5000).partition("...")[2]
        '[sha256:c59d3c0480cc2d71d8f646e735e92da6]'
    """
    if len(name.encode("utf-8", "surrogatepass")) <= _LONGEST_NAME:
        return name
    kept = name.encode("utf-8", "surrogatepass")[: _LONGEST_NAME - 64]
    return f"{kept.decode('utf-8', 'ignore')}...[sha256:{digest(name)[:32]}]"


def type_path(value: object) -> str:
    """Return the dotted path of an object's class, or of a class or function itself.

    Example:
        >>> type_path(PurePath), type_path(1)
        ('pathlib.PurePath', 'builtins.int')
    """
    named: Any = value if _has_name(value) else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def _has_name(value: object) -> bool:
    # an object that answers to every name, as Lightning's DummyLogger, has none of its own
    return isinstance(getattr(value, "__qualname__", None), str)


def _json_float(value: float) -> float | str:
    if math.isfinite(value):
        return float(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _json_container(value: object, depth: int) -> object:
    if isinstance(value, Mapping):
        return {str(key): json_value(item, depth) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [json_value(item, depth) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((json_value(item, depth) for item in value), key=repr)
    return _json_object(value, depth)


def _json_object(value: object, depth: int) -> object:
    if isinstance(value, PurePath):
        return value.as_posix()
    if _has_name(value):
        return type_path(value)
    if is_tensor(value) and not value.is_cpu:
        # Reading it would wait for the device.
        return f"tensor{tuple(value.shape)}"
    if hasattr(value, "tolist"):
        return json_value(value.tolist(), depth)
    return repr(value)[:_LONGEST_REPR]


def _redact_all(value: object, secrets: frozenset[str]) -> object:
    if isinstance(value, str):
        return redact(value, secrets)
    if isinstance(value, dict):
        return {key: _redact_all(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_redact_all(item, secrets) for item in value]
    return value

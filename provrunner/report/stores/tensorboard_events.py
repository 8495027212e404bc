"""What one TensorBoard event file tells: scalars, hyperparameters, how the session ended."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provrunner.report.stores.protobuf import (
    Message,
    content,
    inner,
    integer,
    number,
    read_message,
    text,
)
from provrunner.report.stores.store import Course
from provrunner.report.stores.tensorboard_log import read_records

__all__ = ["Events", "read_events"]

# Field numbers of event.proto, summary.proto, tensor.proto and the hparams plugin's two.
_WALL_TIME, _STEP, _SUMMARY = 1, 2, 5
_TAG, _SIMPLE_VALUE, _TENSOR, _METADATA = 1, 2, 8, 9
_SESSION_START, _SESSION_END = 3, 4

_STATUSES = {1: "success", 2: "failed", 3: "running"}
_TENSOR_KINDS = {1: ("<f", 5), 2: ("<d", 6), 3: ("<i", 7), 9: ("<q", 10)}
"""Of a tensor's type how a number of it is packed, and the field that may hold it instead."""


@dataclass(slots=True)
class Events:
    """The scalars of a file by tag, and what the hparams plugin wrote beside them.

    Attributes:
        hparams: None where the file begins no session of hyperparameters.
        status: None where no session's end was written with its own time: writers that write start
            and end in one go, before the training, know of no end.
        first_us, last_us: time of the first and last event.
        cut: the byte at which the file was cut off; None for a whole one.
    """

    scalars: dict[str, Course] = field(default_factory=dict)
    hparams: dict[str, Any] | None = None
    status: str | None = None
    start_us: int | None = None
    end_us: int | None = None
    first_us: int | None = None
    last_us: int | None = None
    cut: int | None = None


def read_events(file: Path) -> Events:
    """Read an event file.

    Raises:
        ValueError: it is none, or damaged.
    """
    records, cut = read_records(file.read_bytes())
    events = Events(cut=cut)
    plugins: dict[str, str] = {}
    for record in records:
        message = read_message(record)
        time = message.get(_WALL_TIME)
        time_us = round(number(time[-1]) * 1e6) if time else None
        if time_us is not None:
            events.first_us = time_us if events.first_us is None else events.first_us
            events.last_us = max(time_us, events.last_us or time_us)
        step = integer(message.get(_STEP, [0])[-1])
        for value in _values(message):
            _take(events, value, plugins, (step, time_us))
    return events


def _values(message: Message) -> Iterator[Message]:
    for summary in message.get(_SUMMARY, []):
        for value in inner(summary).get(1, []):
            yield inner(value)


def _take(
    events: Events, value: Message, plugins: dict[str, str], at: tuple[int, int | None]
) -> None:
    """Take a value of a summary: plugins say what they are at the first value of a tag."""
    tag = _text(value, _TAG)
    held = b""
    for metadata in value.get(_METADATA, []):
        for plugin in inner(metadata).get(1, []):
            told = inner(plugin)
            plugins[tag] = _text(told, 1)
            held = content(told.get(2, [b""])[-1])
    if plugins.get(tag) == "hparams":
        _take_hparams(events, read_message(held))
        return
    scalar = _scalar(value, plugins.get(tag))
    if scalar is not None:
        events.scalars.setdefault(tag, Course()).add(scalar, step=at[0], time_us=at[1])


def _take_hparams(events: Events, plugin: Message) -> None:
    for body in plugin.get(_SESSION_START, []):
        start = inner(body)
        events.hparams = dict(_hparams(start))
        events.start_us = _seconds(start, 5)
    for body in plugin.get(_SESSION_END, []):
        end = inner(body)
        events.end_us = _seconds(end, 2)
        if events.end_us is not None:
            events.status = _STATUSES.get(integer(end.get(1, [0])[-1]))


def _hparams(start: Message) -> Iterator[tuple[str, Any]]:
    for entry in start.get(1, []):
        pair = inner(entry)
        held = inner(pair.get(2, [b""])[-1])
        yield _text(pair, 1), _plain(held)


def _plain(held: Message) -> Any:
    """Return what a google.protobuf.Value of no list or object holds."""
    if held.get(2):
        return number(held[2][-1])
    if held.get(3):
        return _text(held, 3)
    return bool(held[4][-1]) if held.get(4) else None


def _scalar(value: Message, plugin: str | None) -> float | None:
    """Return a scalar of either generation; None for all else."""
    if value.get(_SIMPLE_VALUE):
        return number(value[_SIMPLE_VALUE][-1])
    if plugin != "scalars" or not value.get(_TENSOR):
        return None
    tensor = inner(value[_TENSOR][-1])
    kind = _TENSOR_KINDS.get(integer(tensor.get(1, [0])[-1]))
    if kind is None:
        return None
    packing, at = kind
    packed = tensor.get(4) or tensor.get(at)
    if not packed:
        return 0.0  # protocol buffers leave out what is zero
    found = packed[-1]
    if isinstance(found, int):
        return float(integer(found))
    size = struct.calcsize(packing)
    return float(struct.unpack(packing, found)[0]) if len(found) == size else None


def _seconds(message: Message, at: int) -> int | None:
    found = message.get(at)
    return round(number(found[-1]) * 1e6) if found and number(found[-1]) else None


def _text(message: Message, at: int) -> str:
    return text(message[at][-1]) if message.get(at) else ""

import json
from pathlib import PurePosixPath

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning.pytorch.loggers.logger import DummyLogger

from provrunner.capture.options import CaptureOptions
from provrunner.capture.recorder import Recorder, json_value, shorten, type_path
from provrunner.schema import RunStatus


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(0.5), 0.5),
        (np.int64(3), 3),
        (np.array([1, 2]), [1, 2]),
        (torch.tensor([True, False]), [True, False]),
        (torch.tensor(2), 2),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        ({1: (2, {3})}, {"1": [2, [3]]}),
        (PurePosixPath("a/b"), "a/b"),
        (RunStatus.LOST, "lost"),
        (torch.nn.Linear, "torch.nn.modules.linear.Linear"),
        (torch.float32, "torch.float32"),
        (b"ab", "b'ab'"),
    ],
)
def test_values_become_plain_json(value, expected):
    assert json_value(value) == expected


def test_an_object_that_answers_to_every_name_has_that_of_its_class():
    assert type_path(DummyLogger()) == "lightning.pytorch.loggers.logger.DummyLogger"
    assert type_path(json.dumps) == "json.dumps"


def test_a_value_that_holds_itself_ends():
    endless = []
    endless.append(endless)
    assert json.dumps(json_value(endless)).count("[") < 20


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=10,
    )
)
def test_what_comes_out_is_standard_json(value):
    json.dumps(json_value(value), allow_nan=False)


@given(st.text(max_size=100))
def test_short_names_stay(name):
    assert shorten(name) == name


def test_long_names_that_differ_at_the_end_stay_different():
    assert shorten("x" * 5000 + "a") != shorten("x" * 5000 + "b")
    assert len(shorten("☃" * 5000).encode()) <= 4096


def test_known_secrets_reach_no_record(sink):
    recorder = Recorder(sink, CaptureOptions(), frozenset({"hunter2"}))
    recorder.event("value", "a hunter2", {"value": {"text": ["is hunter2"]}})
    recorder.close(RunStatus.FAILED, "hunter2 refused")
    assert sink.records[0].subject == "a ***"
    assert sink.records[0].data == {"value": {"text": ["is ***"]}}
    assert sink.closed == ("failed", "*** refused")


def test_after_the_end_nothing_is_written(sink):
    recorder = Recorder(sink, CaptureOptions(), frozenset())
    recorder.close(RunStatus.FINISHED, None)
    recorder.close(RunStatus.FAILED, None)
    recorder.event("value", "late", {"value": 1})
    recorder.metrics({"late": 1.0}, step=0, epoch=0, stage="train")
    assert sink.records == []


def test_events_found_one_by_one_are_one_batch(sink, monkeypatch):
    batches = []
    monkeypatch.setattr(sink, "write", batches.append)
    recorder = Recorder(sink, CaptureOptions(exclude=("dull",)), frozenset())
    recorder.events(
        (("value", name, {"value": name}) for name in ("a", "dull", "b")), step=3, epoch=1
    )
    [batch] = batches
    assert [(event.subject, event.step, event.epoch) for event in batch] == [
        ("a", 3, 1),
        ("b", 3, 1),
    ]
    assert batch[0].time_ns <= batch[1].time_ns
    assert recorder.written == 2


def test_events_before_a_failure_are_written(sink):
    def found():
        yield "value", "first", {"value": 1}
        raise OSError("no more")

    recorder = Recorder(sink, CaptureOptions(), frozenset())
    with pytest.raises(OSError, match="no more"):
        recorder.events(found())
    assert [event.subject for event in sink.records] == ["first"]

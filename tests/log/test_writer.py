from __future__ import annotations

import json
import math
import shutil
import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provrunner.errors import LogError
from provrunner.log import ArrowSink, read_log, run_status
from provrunner.schema import Event, LogState, Numbers, RunStatus, StepMetrics

from .conftest import plain, steps


def bits(value: float) -> int:
    return struct.unpack("<Q", struct.pack("<d", value))[0]


def test_rows_are_readable_as_soon_as_write_returns(open_sink, run):
    sink = open_sink()
    sink.write(steps(0, 1))
    log = read_log(run)
    assert plain(log.table) == [
        (0, "loss", 0.0),
        (0, "lr", 0.5),
        (1, "loss", 1.0),
        (1, "lr", 0.5),
    ]
    assert log.state is LogState.RUNNING
    assert run_status(run) == (RunStatus.RUNNING, LogState.RUNNING)
    sink.close(RunStatus.FINISHED)


def test_a_closed_run_is_sealed_with_its_status_and_few_files(open_sink, run):
    sink = open_sink()
    sink.write([*steps(0), Event("epoch_end", "fit", {"duration_s": 1.5}, step=0, epoch=0)])
    sink.close(RunStatus.DIVERGED, "loss is NaN")
    assert run_status(run) == (RunStatus.DIVERGED, LogState.COMPLETE)
    assert sorted(p.name for p in (run / "log").iterdir()) == [
        "events.arrow",
        "metrics.arrow",
        "seal.json",
    ]
    events = read_log(run, "events").table
    assert events["kind"].to_pylist() == ["epoch_end", "run_end"]
    assert events["data"].to_pylist() == [
        '{"duration_s":1.5}',
        '{"status":"diverged","reason":"loss is NaN","metric_rows":2,"gaps":0}',
    ]
    assert set(events["run"].to_pylist()) == {3}


def test_the_same_schema_is_read_from_a_live_and_a_sealed_log(open_sink, run):
    sink = open_sink()
    sink.write([*steps(0), Event("value", "a")])
    live = {table: read_log(run, table).table.schema for table in ("metrics", "events")}
    sink.close(RunStatus.FINISHED)
    assert {table: read_log(run, table).table.schema for table in ("metrics", "events")} == live


def test_writes_after_close_are_dropped_and_close_again_does_nothing(open_sink, run):
    sink = open_sink()
    sink.close(RunStatus.FINISHED)
    sink.write(steps(0))
    sink.flush()
    sink.close(RunStatus.FAILED)
    assert len(read_log(run).table) == 0
    assert run_status(run)[0] is RunStatus.FINISHED


def test_a_sink_that_was_never_opened_says_so(run):
    with pytest.raises(LogError, match="never opened"):
        ArrowSink(run, sweep_id="s", run_id="r").write(steps(0))


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    values=st.dictionaries(st.text(max_size=20), st.floats(width=64), min_size=1, max_size=5),
    stage=st.text(max_size=5),
)
def test_values_and_names_come_back_bit_by_bit(tmp_path_factory, values, stage):
    run = tmp_path_factory.mktemp("run")
    sink = ArrowSink(run, sweep_id="s", run_id="0000-a")
    sink.open(0)
    sink.write([StepMetrics(values, 2**40, 7, stage)])
    live = read_log(run).table
    sink.close(RunStatus.FINISHED)
    for table in (live, read_log(run).table):
        found = dict(zip(table["name"].to_pylist(), table["value"].to_pylist(), strict=True))
        assert {name: bits(value) for name, value in found.items()} == {
            name: bits(value) for name, value in values.items()
        }
        assert set(table["stage"].to_pylist()) == {stage}


def test_nan_infinities_negative_zero_and_denormals_are_kept(open_sink, run):
    values = {"a": math.nan, "b": math.inf, "c": -math.inf, "d": -0.0, "e": 5e-324}
    sink = open_sink()
    sink.write([StepMetrics(values, 0, 0, "fit")])
    sink.close(RunStatus.FINISHED)
    assert [bits(v) for v in read_log(run).table["value"].to_pylist()] == [
        bits(v) for v in values.values()
    ]


def test_a_name_over_4_kib_is_cut_and_marked_with_its_hash(open_sink, run):
    sink = open_sink()
    sink.write([StepMetrics({"é" * 3000: 1.0}, 0, 0, "fit"), Event("value", "x" * 5000)])
    sink.close(RunStatus.FINISHED)
    name = read_log(run).table["name"][0].as_py()
    assert len(name.encode()) <= 4096
    assert name.startswith("é" * 2000)
    assert "... [6000 bytes, sha256 " in name
    assert (
        "[5000 bytes, sha256 c59d3c0480cc2d71]"
        in read_log(run, "events").table["subject"][0].as_py()
    )


def test_ten_thousand_names_are_all_kept(open_sink, run):
    values = {f"layer.{i}/grad": float(i) for i in range(10_000)}
    sink = open_sink()
    for number in range(3):
        sink.write([StepMetrics(values, number, 0, "fit")])
    sink.close(RunStatus.FINISHED)
    table = read_log(run).table
    assert len(table) == 30_000
    assert table["value"].to_pylist() == list(values.values()) * 3


def test_what_is_no_number_becomes_an_event(open_sink, run, caplog):
    sink = open_sink()
    sink.write(
        [StepMetrics({"loss": 1.0, "note": "12", "list": [1, 2], "none": None}, 4, 1, "fit")]
    )
    sink.write([StepMetrics({"note": "b"}, 5, 1, "fit")])
    sink.close(RunStatus.FINISHED)
    assert plain(read_log(run).table) == [(4, "loss", 1.0)]
    events = read_log(run, "events").table.to_pylist()[:-1]
    assert [(e["subject"], e["data"], e["step"]) for e in events] == [
        ("note", '{"value":"12"}', 4),
        ("list", '{"value":[1,2]}', 4),
        ("none", '{"value":null}', 4),
        ("note", '{"value":"b"}', 5),
    ]
    assert [record.message for record in caplog.records] == [
        "note is no number; it is kept as an event"
    ]


def test_numbers_are_written_as_any_mapping_is(open_sink, run):
    sink = open_sink()
    sink.write([StepMetrics(Numbers(("a", "b"), [0.5, 2]), step=0, epoch=0, stage="train")])
    sink.close(RunStatus.FINISHED)
    table = read_log(run).table.select(["step", "name", "value"])
    assert table.to_pylist() == [
        {"step": 0, "name": "a", "value": 0.5},
        {"step": 0, "name": "b", "value": 2.0},
    ]


def test_a_step_out_of_range_becomes_events_and_raises_nothing(open_sink, run):
    sink = open_sink()
    sink.write([StepMetrics({"loss": 1.0}, 2**80, 0, "fit")])
    sink.close(RunStatus.FINISHED)
    assert read_log(run, "events").table["subject"].to_pylist() == ["loss", ""]


class OnDevice:
    """A tensor of one element that must not be read one by one."""

    dtype = "float32"
    device = SimpleNamespace(type="cuda")

    def __init__(self, value: float):
        self.value = value

    def numel(self) -> int:
        return 1

    def detach(self) -> OnDevice:
        return self

    def reshape(self, shape: tuple[int, ...]) -> OnDevice:
        return self

    def __float__(self) -> float:
        raise AssertionError("read in the training thread")


def test_values_on_a_device_are_moved_together_at_the_next_flush(open_sink, run, monkeypatch):
    moved: list[int] = []

    def stack(tensors: list[OnDevice]) -> SimpleNamespace:
        moved.append(len(tensors))
        values = [tensor.value for tensor in tensors]
        return SimpleNamespace(to=lambda device: SimpleNamespace(tolist=lambda: values))

    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(stack=stack))
    sink = open_sink()
    sink.write([StepMetrics({"cpu": 1.0, "gpu": OnDevice(2.0)}, 0, 0, "fit")])
    sink.write([StepMetrics({"gpu": OnDevice(3.0)}, 1, 0, "fit")])
    sink.flush()
    sink.close(RunStatus.FINISHED)
    assert moved in ([2], [1, 1])
    assert plain(read_log(run).table) == [(0, "cpu", 1.0), (0, "gpu", 2.0), (1, "gpu", 3.0)]


def test_a_device_in_trouble_costs_its_values_and_says_so(open_sink, run, monkeypatch):
    def stack(tensors: list[OnDevice]) -> None:
        raise RuntimeError("device-side assert")

    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(stack=stack))
    sink = open_sink()
    sink.write([StepMetrics({"gpu": OnDevice(2.0), "cpu": 1.0}, 6, 0, "fit")])
    sink.close(RunStatus.FAILED)
    assert plain(read_log(run).table) == [(6, "cpu", 1.0)]
    gap = read_log(run, "events").table.to_pylist()[0]
    assert gap["kind"] == "gap"
    assert gap["data"].startswith('{"count":1,"first_step":6,"last_step":6,')


class Interrupting:
    """A value whose reading calls the sink again, as a signal handler does at any point."""

    def __init__(self, action):
        self.action = action

    def __float__(self) -> float:
        self.action()
        return 1.0


def test_a_handler_that_writes_and_closes_in_the_midst_of_a_write_loses_nothing(open_sink, run):
    sink = open_sink()

    def handler() -> None:
        sink.write([Event("signal", "SIGTERM", {"number": 15, "name": "SIGTERM"})])
        sink.write(steps(8))
        sink.flush()
        sink.close(RunStatus.INTERRUPTED, "SIGTERM")

    sink.write([StepMetrics({"a": Interrupting(handler)}, 7, 0, "fit"), *steps(9)])
    assert run_status(run) == (RunStatus.INTERRUPTED, LogState.COMPLETE)
    assert sorted(set(read_log(run).table["step"].to_pylist())) == [7, 8, 9]
    assert read_log(run, "events").table["kind"].to_pylist() == ["signal", "run_end"]


def test_a_handler_that_raises_after_close_still_gets_its_seal(open_sink, run):
    sink = open_sink()

    def handler() -> None:
        sink.close(RunStatus.INTERRUPTED, "SIGINT")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sink.write([*steps(1), StepMetrics({"a": Interrupting(handler)}, 2, 0, "fit")])
    assert run_status(run) == (RunStatus.INTERRUPTED, LogState.COMPLETE)
    assert plain(read_log(run).table) == [(1, "loss", 1.0), (1, "lr", 0.5)]


def test_a_folder_that_cannot_be_made_is_refused_by_name(tmp_path):
    (tmp_path / "file").write_text("")
    sink = ArrowSink(tmp_path / "file" / "run", sweep_id="s", run_id="r")
    with pytest.raises(LogError, match=r"cannot write .*file/run/log: Not a directory"):
        sink.open(0)


def test_a_second_writer_of_a_living_run_is_refused(open_sink):
    sink = open_sink()
    with pytest.raises(LogError, match="is written by process"):
        open_sink()
    sink.close(RunStatus.FINISHED)


def test_a_resumed_run_goes_on_in_the_next_segment(open_sink, run):
    first = open_sink()
    first.write([*steps(0, 1), Event("value", "a")])
    first.close(RunStatus.INTERRUPTED)
    second = open_sink()
    second.write([*steps(1, 2), Event("value", "b")])
    live = read_log(run)
    assert live.state is LogState.RUNNING
    assert live.table["segment"].to_pylist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert run_status(run) == (RunStatus.RUNNING, LogState.RUNNING)
    second.close(RunStatus.FINISHED)
    assert read_log(run).table.equals(live.table)
    assert read_log(run).state is LogState.COMPLETE
    assert run_status(run) == (RunStatus.FINISHED, LogState.COMPLETE)
    events = read_log(run, "events").table
    assert events["seq"].to_pylist() == [0, 1, 2, 3]
    assert events["segment"].to_pylist() == [0, 0, 1, 1]


def test_more_than_16_mib_that_wait_are_dropped_and_declared(open_sink, run, monkeypatch):
    sink = open_sink()
    drain = sink._drain
    monkeypatch.setattr(drain, "_write_rows", lambda *, urgent: None)  # a disk that hangs
    values = {f"m{i}": float(i) for i in range(20_000)}
    for number in range(130):
        sink.write([StepMetrics(values, number, 0, "fit")])
    assert sink.dropped > 0
    monkeypatch.undo()
    sink.close(RunStatus.FINISHED)
    rows = len(read_log(run).table)
    assert rows + sink.dropped == 130 * 20_000
    *gaps, end = read_log(run, "events").table.to_pylist()
    assert sum(json.loads(gap["data"])["count"] for gap in gaps) == sink.dropped
    assert f'"metric_rows":{rows},"gaps":{sink.dropped}' in end["data"]


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.lists(st.integers(0, 50), max_size=6), min_size=1, max_size=3))
def test_the_log_of_k_ranks_equals_the_merge_of_k_logs(tmp_path_factory, ranks):
    together = tmp_path_factory.mktemp("together")
    alone = []
    for rank in reversed(range(len(ranks))):
        sinks = []
        for folder, of in ((together, len(ranks)), (tmp_path_factory.mktemp("alone"), 1)):
            sink = ArrowSink(folder, sweep_id="s", run_id="0001-a")
            sink.open(rank, of)
            sink.write([*steps(*ranks[rank], rank=rank), Event("value", f"rank {rank}")])
            sinks.append((sink, folder))
        for sink, _ in sinks:
            sink.close(RunStatus.FINISHED)
        alone.insert(0, sinks[1][1])
    merged = read_log(together)
    assert merged.state is LogState.COMPLETE
    expected = [row for folder in alone for row in plain(read_log(folder).table)]
    assert plain(merged.table) == expected
    events = [
        e for folder in alone for e in read_log(folder, "events").table["subject"].to_pylist()
    ]
    assert read_log(together, "events").table["subject"].to_pylist() == events


def test_strict_turns_a_lost_folder_into_an_error(open_sink, run):
    sink = open_sink(strict=True)
    shutil.rmtree(run)
    sink.flush()
    with pytest.raises(LogError, match="No such file"):
        sink.write(steps(0))
    with pytest.raises(LogError):
        sink.close(RunStatus.FAILED)


def test_a_deleted_folder_does_not_stop_training(open_sink, run, caplog):
    sink = open_sink()
    sink.write(steps(0))
    shutil.rmtree(run)
    sink.flush()
    sink.write([*steps(1), Event("value", "a")])
    sink.flush()
    sink.close(RunStatus.FINISHED)
    assert len(caplog.records) == 1
    assert "training goes on" in caplog.records[0].message
    assert not Path(run).exists()


def test_deleted_files_are_followed_by_the_next_segment(open_sink, run):
    sink = open_sink()
    sink.write([*steps(0), Event("value", "before")])
    sink.flush()
    for path in (run / "log").iterdir():
        path.unlink()
    sink.write([*steps(1), Event("value", "after")])
    sink.flush()
    sink.write(steps(2))
    sink.close(RunStatus.FINISHED)
    log = read_log(run, "events")
    assert [e for e in log.table["kind"].to_pylist() if e != "value"][-1] == "run_end"
    assert {1, 2} <= set(read_log(run).table["step"].to_pylist())

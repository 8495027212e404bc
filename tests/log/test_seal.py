from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from provrunner.errors import LogError
from provrunner.log import ArrowSink, read_log, run_status, seal_run
from provrunner.log.sealed import read_seal
from provrunner.schema import Event, LogState, RunStatus, StepMetrics

from .conftest import plain, steps

SEAL_UNTIL = """
import os, sys, shutil
import pyarrow.compute
from pathlib import Path
from provrunner.log.seal import seal_run
from provrunner.schema import RunStatus

source, calls = Path(sys.argv[1]), 0

def counted(owner, name, last):
    real = getattr(owner, name)
    def call(*args, **options):
        global calls
        calls += 1
        if calls == last:
            os._exit(9)
        return real(*args, **options)
    setattr(owner, name, call)

for last in range(1, 100):
    run = source.with_name(f"killed-{last}")
    shutil.copytree(source, run)
    child = os.fork()
    if child == 0:
        for owner, name in ((os, "fsync"), (Path, "replace"), (Path, "unlink")):
            counted(owner, name, last)
        seal_run(run, RunStatus.LOST, "killed(9)")
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
"""


@pytest.fixture
def sealed(open_sink, run: Path) -> Path:
    sink = open_sink()
    sink.write([*steps(0, 1, 2), Event("value", "a", {"value": 1})])
    sink.close(RunStatus.FINISHED)
    return run


def contents(log: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in log.iterdir()}


@pytest.fixture
def fast_disk() -> Path:
    """A folder in memory where there is one: each seal waits for the disk seven times."""
    memory = Path("/dev/shm")
    folder = tempfile.mkdtemp(dir=memory if memory.is_dir() else None)
    yield Path(folder)
    shutil.rmtree(folder)


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_kill_between_any_two_steps_of_a_seal_costs_nothing(fast_disk, start, run, attempts):
    for attempt in range(attempts):
        process = start(f"""
            step({attempt}, a={attempt}.5)
            sink.write([Event("value", "x")])
            say("ready")
            signal.pause()
        """)
        process.stdout.readline()
        process.kill()
        process.wait()
        if attempt + 1 < attempts:
            seal_run(run, RunStatus.LOST, "killed(9)")
    source = fast_disk / "source"
    shutil.copytree(run, source)
    seal_run(run, RunStatus.LOST, "killed(9)")
    expected = contents(run / "log")
    rows = read_log(run).table
    subprocess.run([sys.executable, "-c", SEAL_UNTIL, str(source)], check=True)
    killed = sorted(fast_disk.glob("killed-*"))
    assert len(killed) > 15
    for folder in killed:
        log = read_log(folder)
        assert log.table.equals(rows), folder
        assert log.state in (LogState.LOST, LogState.COMPLETE), folder
        events = read_log(folder, "events").table["kind"].to_pylist()
        assert events.count("value") == attempts, folder
        seal_run(folder, RunStatus.LOST, "killed(9)")
        assert contents(folder / "log") == expected, folder


def test_sealed_tables_are_read_by_pandas_and_polars(sealed):
    for frame in (
        pd.read_feather(sealed / "log" / "metrics.arrow"),
        pl.read_ipc(sealed / "log" / "metrics.arrow").to_pandas(),
    ):
        assert list(frame.columns) == [
            "run", "rank", "segment", "time", "step", "epoch", "stage", "name", "value",
        ]  # fmt: skip
        assert frame["name"].tolist() == ["loss", "lr"] * 3
        assert frame["value"].tolist() == [0.0, 0.5, 1.0, 0.5, 2.0, 0.5]
    events = pd.read_feather(sealed / "log" / "events.arrow")
    assert events["kind"].tolist() == ["value", "run_end"]


def test_an_empty_run_is_sealed_and_read(open_sink, run):
    open_sink().close(RunStatus.FAILED, "nothing")
    assert len(read_log(run).table) == 0
    assert len(pd.read_feather(run / "log" / "metrics.arrow")) == 0
    assert read_log(run, "events").table["kind"].to_pylist() == ["run_end"]


def test_the_seal_says_what_it_stands_for(sealed):
    seal = json.loads((sealed / "log" / "seal.json").read_text())
    assert (seal["format"], seal["run_id"], seal["status"]) == (1, "0003-9f2c41d8", "finished")
    assert seal["files"]["metrics.arrow"]["rows"] == 6
    assert seal["files"]["metrics.arrow"]["size_bytes"] == len(
        (sealed / "log" / "metrics.arrow").read_bytes()
    )
    assert [
        (s["table"], s["rank"], s["segment"], s["rows"], s["state"]) for s in seal["streams"]
    ] == [
        ("metrics", 0, 0, 6, "whole"),
        ("events", 0, 0, 2, "whole"),
    ]


def test_a_sealed_run_is_never_changed(sealed):
    before = contents(sealed / "log")
    seal_run(sealed, RunStatus.LOST)
    assert contents(sealed / "log") == before


def test_a_run_that_died_before_its_log_began_gets_its_end(tmp_path):
    run = tmp_path / "s" / "runs" / "0004-a"
    seal_run(run, RunStatus.LOST, "killed(9)")
    assert run_status(run) == (RunStatus.LOST, LogState.COMPLETE)
    (end,) = read_log(run, "events").table.to_pylist()
    assert (end["run"], end["kind"]) == (4, "run_end")
    sink = ArrowSink(run, sweep_id="s", run_id="0004-a")
    sink.open(0)
    sink.write(steps(1))
    sink.close(RunStatus.FINISHED)
    assert read_log(run, "events").table["seq"].to_pylist() == [0, 1]
    assert run_status(run) == (RunStatus.FINISHED, LogState.COMPLETE)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LogError, match=r"cannot seal .*file/r/log: Not a directory"):
        seal_run(tmp_path / "file" / "r", RunStatus.LOST)


def test_a_missing_rank_is_waited_for_only_briefly(open_sink, run, monkeypatch):
    monkeypatch.setattr("provrunner.log.drain._RANKS_S", 0.05)
    sink = open_sink(ranks=2)
    sink.write(steps(0))
    sink.close(RunStatus.FAILED, "rank 1 is gone")
    assert run_status(run) == (RunStatus.FAILED, LogState.COMPLETE)
    assert len(read_log(run).table) == 2


def test_a_rank_that_writes_still_keeps_the_run_unsealed(open_sink, run, monkeypatch):
    monkeypatch.setattr("provrunner.log.drain._RANKS_S", 0.05)
    first, second = open_sink(0, ranks=2), open_sink(1, ranks=2)
    first.write(steps(0))
    first.close(RunStatus.FINISHED)
    second.write(steps(1))
    assert not (run / "log" / "seal.json").exists()
    second.close(RunStatus.FINISHED)
    seal_run(run, RunStatus.LOST)
    assert run_status(run) == (RunStatus.FINISHED, LogState.COMPLETE)
    assert plain(read_log(run).table)[::2] == [(0, "loss", 0.0), (1, "loss", 1.0)]


def test_a_stream_damaged_before_the_seal_is_kept_and_named(start, run):
    process = start("""
        step(1)
        sink.flush()
        sink.write([Event("value", "a"), Event("value", "b")])
        sink.write([Event("value", "c")])
        say(1)
        signal.pause()
    """)
    process.stdout.readline()
    process.kill()
    process.wait()
    stream = run / "log" / "events.r0.0.arrows"
    data = bytearray(stream.read_bytes())
    data[-8] ^= 1
    stream.write_bytes(data)
    before = read_log(run, "events")
    assert before.state is LogState.CORRUPT
    seal_run(run, RunStatus.LOST)
    assert stream.read_bytes() == data
    log = read_log(run, "events")
    assert (log.state, log.offset, log.detail) == (before.state, before.offset, before.detail)
    assert log.table["subject"].to_pylist() == ["a", "b", ""]
    assert read_log(run).state is LogState.COMPLETE


def test_a_large_log_is_sealed_in_batches_with_one_dictionary(open_sink, run):
    sink = open_sink()
    for number in range(400):
        sink.write([StepMetrics({f"m{i}": i / 3 for i in range(100)}, number, 0, "fit")])
    sink.close(RunStatus.FINISHED)
    assert len(read_log(run).table) == 40_000
    assert len(pl.read_ipc(run / "log" / "metrics.arrow")) == 40_000


def seal_at(run: Path, name: str, barrier) -> None:
    barrier.wait()
    seal_run(run, RunStatus.LOST, f"as {name} saw it")


@pytest.fixture
def dead_run(start, run):
    """A run whose process has died with one step in its stream and one in its journal."""
    process = start('step(1); sink.flush(); step(2); say("ready"); os._exit(0)')
    process.wait()
    return run


def test_processes_that_seal_a_run_at_once_leave_one_seal_and_no_error(dead_run):
    run = dead_run
    left = run.with_name("left")
    run.rename(left)
    context = get_context("fork")
    for attempt in range(6):
        shutil.copytree(left, run)
        barrier = context.Barrier(4)
        names = [f"{attempt}.{number}" for number in range(4)]
        sealing = [context.Process(target=seal_at, args=(run, name, barrier)) for name in names]
        for one in sealing:
            one.start()
        for one in sealing:
            one.join()
        assert [one.exitcode for one in sealing] == [0] * 4
        assert sorted(path.name for path in (run / "log").iterdir()) == [
            "events.arrow", "metrics.arrow", "seal.json",
        ]  # fmt: skip
        assert {read_log(run, table).state for table in ("metrics", "events")} == {
            LogState.COMPLETE
        }
        assert read_log(run).table["step"].to_pylist() == [1, 2]
        assert read_seal(run / "log").reason in {f"as {name} saw it" for name in names}
        shutil.rmtree(run)


def test_tables_whose_seal_is_gone_are_damage_and_are_not_sealed_over(sealed, open_sink):
    log = sealed / "log"
    (log / "seal.json").unlink()
    before = contents(log)
    for use in (read_log, run_status, lambda run: seal_run(run, RunStatus.LOST)):
        with pytest.raises(LogError, match=r"seal.json is gone, though what it sealed is there"):
            use(sealed)
    with pytest.raises(LogError, match=r"seal.json is gone"):
        open_sink()
    assert contents(log) == before
    assert read_log(log / "metrics.arrow").state is LogState.LOST


def test_what_a_dead_sealer_left_blocks_nobody_when_its_number_is_another_ones(dead_run):
    log = dead_run / "log"
    left = log / f"seal.json.{os.getppid()}.tmp"
    left.write_text("{}")
    os.link(left, log / "seal.next.json")
    os.utime(left, (1, 1))
    seal_run(dead_run, RunStatus.LOST)
    log_read = read_log(dead_run)
    assert (log_read.state, log_read.table["step"].to_pylist()) == (LogState.COMPLETE, [1, 2])


def test_a_dead_sealer_of_our_own_number_leaves_its_seal_whole(dead_run):
    log = dead_run / "log"
    left = log / f"seal.json.{os.getpid()}.tmp"
    left.write_text("what it wrote")
    kept = log / "kept"
    os.link(left, kept)
    seal_run(dead_run, RunStatus.LOST)
    assert kept.read_text() == "what it wrote"
    assert read_log(dead_run).state is LogState.COMPLETE

"""Faults made for real: processes killed, suspended and forked, disks filled."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from provrunner.log import LogFollower, read_log, run_status, seal_run
from provrunner.schema import Event, LogState, RunStatus

from .conftest import steps


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()


def test_kill_9_loses_no_row_that_write_had_taken(start, run):
    process = start("""
        number = 0
        while True:
            step(number)
            if number % 100 == 0:
                sink.write([Event("epoch_end", str(number))])
            say(number)
            number += 1
    """)
    said = [int(process.stdout.readline()) for _ in range(3000)][-1]
    kill(process)
    rest = process.stdout.read().split("\n")
    said = max([said, *(int(line) for line in rest[:-1])])
    log = read_log(run)
    numbers = log.table["step"].to_pylist()
    assert numbers == list(range(len(numbers)))
    assert said <= numbers[-1] <= said + 1
    assert log.state is LogState.LOST
    assert log.table["value"].to_pylist() == [number / 8 for number in numbers]
    assert run_status(run) == (RunStatus.LOST, LogState.LOST)
    subjects = read_log(run, "events").table["subject"].to_pylist()
    assert subjects == [str(n) for n in range(0, numbers[-1] + 1, 100)][: len(subjects)]
    assert len(subjects) >= said // 100


def test_os_exit_without_close_is_as_a_kill(start, run):
    start('step(1); sink.write([Event("value", "a")]); os._exit(0)').wait()
    assert len(read_log(run).table) == 1
    assert run_status(run) == (RunStatus.LOST, LogState.LOST)


def test_a_killed_run_is_sealed_as_lost_and_resumed_in_a_new_segment(start, run, open_sink):
    process = start('step(1); step(2); say("ready"); signal.pause()')
    process.stdout.readline()
    seal_run(run, RunStatus.LOST, "too early")
    assert run_status(run) == (RunStatus.RUNNING, LogState.RUNNING)
    kill(process)
    seal_run(run, RunStatus.LOST, "killed(9)")
    assert run_status(run) == (RunStatus.LOST, LogState.COMPLETE)
    sealed = {path.name: path.read_bytes() for path in (run / "log").iterdir()}
    seal_run(run, RunStatus.FINISHED)
    assert {path.name: path.read_bytes() for path in (run / "log").iterdir()} == sealed
    assert set(sealed) == {"events.arrow", "metrics.arrow", "seal.json"}
    sink = open_sink()
    sink.write(steps(3))
    sink.close(RunStatus.FINISHED)
    log = read_log(run)
    assert log.state is LogState.COMPLETE
    assert log.table["step"].to_pylist() == [1, 2, 3, 3]
    assert log.table["segment"].to_pylist() == [0, 0, 1, 1]
    ends = [e for e in read_log(run, "events").table.to_pylist() if e["kind"] == "run_end"]
    assert [e["data"] for e in ends] == [
        '{"status":"lost","reason":"killed(9)","metric_rows":2,"gaps":0}',
        '{"status":"finished","reason":null,"metric_rows":4,"gaps":0}',
    ]


def test_a_resume_of_an_unsealed_log_goes_on_from_its_journal(start, run, open_sink):
    process = start('step(1); step(2); say("ready"); signal.pause()')
    process.stdout.readline()
    kill(process)
    sink = open_sink()
    sink.write(steps(3))
    assert read_log(run).table["segment"].to_pylist() == [0, 0, 1, 1]
    sink.close(RunStatus.FINISHED)
    log = read_log(run)
    assert log.table["step"].to_pylist() == [1, 2, 3, 3]
    assert log.state is LogState.COMPLETE


def test_a_suspended_writer_is_not_taken_for_dead(start, run):
    process = start('step(1); say("ready"); signal.pause()')
    process.stdout.readline()
    process.send_signal(signal.SIGSTOP)
    for path in (run / "log").iterdir():
        os.utime(path, (0, 0))
    assert run_status(run) == (RunStatus.RUNNING, LogState.RUNNING)
    process.send_signal(signal.SIGCONT)


def test_a_forked_child_writes_nothing_and_does_not_hang(start, run):
    process = start("""
        import threading
        step(1)
        children = []
        for _ in range(5):
            child = os.fork()
            if child == 0:
                step(99)
                sink.write([Event("value", "child")])
                sink.flush()
                sink.close(RunStatus.FAILED)
                os._exit(0)
            children.append(child)
            step(2)
        codes = [os.waitpid(child, 0)[1] for child in children]
        sink.close(RunStatus.FINISHED)
        say(codes)
    """)
    out, err = process.communicate(timeout=30)
    assert out == "[0, 0, 0, 0, 0]\n", err
    assert read_log(run).table["step"].to_pylist() == [1, 2, 2, 2, 2, 2]
    assert run_status(run) == (RunStatus.FINISHED, LogState.COMPLETE)


def test_a_child_forked_while_the_thread_writes_does_not_wait_for_it(start, run):
    process = start("""
        import threading, time
        held, names = threading.Event(), ("loss",)
        def hold():
            with sink._drain.lock:
                held.set()
                time.sleep(1)
        sink.write_numbers(names, [1.0], 1, 0, "fit")
        threading.Thread(target=hold).start()
        held.wait()
        child = os.fork()
        if not child:
            sink.write_numbers(names, [2.0], 2, 0, "fit")
            sink.write([Event("value", "child", {})])
            sink.after_write(lambda: None)
            sink.flush()
            sink.close(RunStatus.FAILED)
            os._exit(7)
        say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        sink.write_numbers(names, [3.0], 3, 0, "fit")
        sink.close(RunStatus.FINISHED)
    """)
    assert process.communicate(timeout=60)[0] == "7\n"
    assert read_log(run).table["step"].to_pylist() == [1, 3]
    assert run_status(run) == (RunStatus.FINISHED, LogState.COMPLETE)


def test_a_second_signal_waits_for_the_seal(start, run):
    process = start("""
        import time, provrunner.log.drain as drain
        slow = drain.seal_log

        def slowly(*args, **options):
            say("sealing")
            time.sleep(0.3)
            return slow(*args, **options)

        drain.seal_log = slowly

        def stop(number, frame):
            sink.close(RunStatus.INTERRUPTED, signal.Signals(number).name)
            sys.exit(128 + number)

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        step(1)
        say("ready")
        while True:
            signal.pause()
    """)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "sealing\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) in (130, 143)
    assert run_status(run) == (RunStatus.INTERRUPTED, LogState.COMPLETE)


def test_a_handler_that_ends_the_program_waits_for_the_seal_that_it_interrupted(start, run):
    process = start("""
        import time
        from provrunner.log import drain
        seal_log = drain.seal_log
        def seal_slowly(*args, **options):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.5)
            return seal_log(*args, **options)
        drain.seal_log = seal_slowly
        def end(*_):
            sink.close(RunStatus.INTERRUPTED)
            sink.after_write(lambda: os._exit(7))
        signal.signal(signal.SIGTERM, end)
        step(1)
        sink.close(RunStatus.FINISHED)
        os._exit(8)
    """)
    assert process.wait(60) == 7
    assert run_status(run) == (RunStatus.FINISHED, LogState.COMPLETE)


def test_a_reader_of_a_live_log_sees_it_grow_and_never_corrupt(start, run):
    process = start("""
        say("ready")
        for number in range(20_000):
            step(number)
        sink.close(RunStatus.FINISHED)
    """)
    process.stdout.readline()
    follower, followed, before = LogFollower(run), [], 0
    while process.poll() is None:
        log = read_log(run)
        assert log.state in (LogState.RUNNING, LogState.COMPLETE), log.detail
        assert len(log.table) >= before
        before = len(log.table)
        followed.extend(follower.poll()["step"].to_pylist())
    followed.extend(follower.poll()["step"].to_pylist())
    assert process.returncode == 0, process.stderr.read()
    assert followed == list(range(20_000))
    assert read_log(run).table["step"].to_pylist() == followed


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


def test_a_full_disk_with_room_later_loses_nothing(small_disk, open_sink, caplog):
    run = small_disk / "runs" / "0001-a"
    sink = open_sink(folder=run)
    sink.write([*steps(*range(100)), Event("value", "before")])
    sink.flush()
    fill(small_disk / "ballast")
    for number in range(100, 20_000):
        sink.write(steps(number))
    sink.write([Event("value", "meanwhile", {"text": "x" * 9000})])
    sink.flush()
    assert read_log(run).state is LogState.RUNNING
    (small_disk / "ballast").unlink()
    sink.write(steps(20_000))
    sink.close(RunStatus.FINISHED)
    log = read_log(run)
    assert log.state is LogState.COMPLETE
    assert log.table["step"].to_pylist() == [n for n in range(20_001) for _ in range(2)]
    events = read_log(run, "events").table
    kinds = events["kind"].to_pylist()
    assert [*kinds[:2], kinds[-1]] == ["value", "value", "run_end"]
    assert set(kinds[2:-1]) == {"gap"}
    assert '"count":0' in events["data"][2].as_py()
    assert "No space left" in events["data"][2].as_py()
    assert len(caplog.records) == 1


def test_a_disk_full_to_the_end_keeps_the_end_in_the_journal(small_disk, open_sink, caplog):
    run = small_disk / "runs" / "0001-a"
    sink = open_sink(folder=run)
    sink.write(steps(*range(100)))
    fill(small_disk / "ballast")
    sink.write(steps(*range(100, 3000)))
    sink.write([Event("value", "late", {"text": "x" * 9000})])
    sink.close(RunStatus.FINISHED)
    assert len(caplog.records) == 1
    log = read_log(run)
    numbers = log.table["step"].to_pylist()[::2]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 100
    assert read_log(run, "events").table["kind"].to_pylist() == ["value", "run_end"]


def test_a_disk_full_to_the_end_declares_what_its_journal_could_not_take(small_disk, start):
    run = small_disk / "runs" / "0001-a"
    (small_disk / "runs").mkdir()
    process = start(f"""
        full = Path({str(small_disk)!r}) / "ballast"
        sink = ArrowSink(Path({str(run)!r}), sweep_id="s", run_id="0001-a")
        sink.open(0)
        for number in range(100):
            step(number)
        sink.flush()
        with full.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        for number in range(100, 30_000):
            step(number)
            if number % 10_000 == 0:
                sink.write([Event("epoch_end", "train", {{}}, number, number // 10_000)])
        sink.close(RunStatus.FINISHED)
    """)
    assert process.wait(60) == 0
    log = read_log(run)
    kept = len(log.table)
    assert log.table["step"].to_pylist() == list(range(kept))
    assert 100 < kept < 30_000
    events = read_log(run, "events").table
    assert events["kind"].to_pylist() == ["epoch_end", "epoch_end", "gap", "run_end"]
    gap = json.loads(events["data"][2].as_py())
    assert (gap["count"], gap["first_step"], gap["last_step"]) == (30_000 - kept, kept, 29_999)
    assert "No space left" in gap["reason"]
    assert run_status(run) == (RunStatus.FINISHED, LogState.LOST)
    (small_disk / "ballast").unlink()
    seal_run(run, RunStatus.LOST)
    assert run_status(run) == (RunStatus.FINISHED, LogState.COMPLETE)
    assert len(read_log(run).table) == kept

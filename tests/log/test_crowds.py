"""Many processes, many names, long pauses and clocks that jump."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

import provrunner
from provrunner.log import read_log, run_status
from provrunner.schema import Event, LogState, RunStatus, StepMetrics

from .test_writer import OnDevice

SOURCES = sorted(Path(provrunner.__file__).parent.rglob("*.py"))

WRITER = """
import sys
from pathlib import Path
from provrunner.log import ArrowSink
from provrunner.schema import *
name = f"{int(sys.argv[2]):04d}-00000000"
sink = ArrowSink(Path(sys.argv[1]) / "runs" / name, sweep_id="s", run_id=name)
sink.open(0)
for step in range(400):
    sink.write([StepMetrics({"loss": step + int(sys.argv[2]) / 128}, step, 0, "fit")])
sink.close(RunStatus.FINISHED)
"""


def test_64_processes_at_once_lose_no_row_and_share_no_file(tmp_path):
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    processes = [subprocess.Popen([*command, str(number)]) for number in range(64)]
    assert [process.wait() for process in processes] == [0] * 64
    for number in range(64):
        run = tmp_path / "runs" / f"{number:04d}-00000000"
        log = read_log(run)
        assert log.state is LogState.COMPLETE
        assert log.table["value"].to_pylist() == [step + number / 128 for step in range(400)]
        assert log.table["run"].to_pylist() == [number] * 400
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 64 * 3


def seconds_a_value(sink, names, steps):
    values = dict.fromkeys(names, 0.5)
    best = float("inf")
    for step in range(steps):
        start = time.process_time()
        sink.write([StepMetrics(values, step, 0, "fit")])
        best = min(best, time.process_time() - start)
    return best / len(names)


def test_a_value_among_ten_thousand_names_costs_less_than_twice_one_among_a_hundred(open_sink):
    sink = open_sink()
    few = seconds_a_value(sink, [f"layer.{n}.grad" for n in range(100)], 50)
    many = seconds_a_value(sink, [f"layer.{n}.grad" for n in range(10_000)], 10)
    sink.close(RunStatus.FINISHED)
    assert many < 2 * few


def test_the_thread_writes_what_a_device_holds_within_a_second_of_a_pause(
    open_sink, run, monkeypatch
):
    def stack(tensors):
        values = [tensor.value for tensor in tensors]
        return type(
            "Moved", (), {"to": lambda _, device: type("L", (), {"tolist": lambda _: values})()}
        )()

    monkeypatch.setitem(sys.modules, "torch", type("Torch", (), {"stack": staticmethod(stack)}))
    sink = open_sink()
    sink.write([StepMetrics({"gpu": OnDevice(2.0)}, 0, 0, "fit")])
    written = time.monotonic()
    while not len(read_log(run).table):
        assert time.monotonic() - written < 5
    assert time.monotonic() - written < 2
    sink.close(RunStatus.FINISHED)


def test_a_clock_that_steps_back_changes_neither_order_nor_durations(open_sink, run):
    sink = open_sink()
    hour = 3600 * 10**9
    walls = [10 * hour, 9 * hour, 12 * hour, 2 * hour]
    monos = [0, 5 * 10**9, 6 * 10**9, 8 * 10**9]
    for number, (wall, mono) in enumerate(zip(walls, monos, strict=True)):
        sink.write([Event("value", str(number), {}, time_ns=wall, mono_ns=mono)])
        sink.write([StepMetrics({"loss": number / 2}, number, 0, "fit", time_ns=wall)])
    sink.close(RunStatus.FINISHED)
    events = read_log(run, "events").table
    assert events["subject"].to_pylist()[:4] == ["0", "1", "2", "3"]
    assert events["mono_ns"].to_pylist()[:4] == monos
    assert read_log(run).table["step"].to_pylist() == [0, 1, 2, 3]
    assert run_status(run) == (RunStatus.FINISHED, LogState.COMPLETE)


@pytest.mark.parametrize("module", SOURCES, ids=lambda path: path.stem)
def test_no_check_is_an_assertion_and_no_file_is_locked(module):
    """Python -O leaves assertions out; some file systems have no locks that work."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    assert not any(isinstance(node, ast.Assert) for node in ast.walk(tree))
    imported = {
        name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert not imported & {"fcntl", "flock", "lockf", "msvcrt"}


def test_nothing_serves_over_a_network():
    """The report is a file: there is no port, host header or request that a page could abuse."""
    servers = {"http", "http.server", "socketserver", "wsgiref", "xmlrpc.server"}
    listening = {"create_server", "start_server", "bind"}
    for module in SOURCES:
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {getattr(node, "module", None), *(alias.name for alias in node.names)}
                assert not names & servers, module
            assert getattr(node, "attr", None) not in listening, module

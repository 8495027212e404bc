"""Many processes, many names, long pauses and clocks that jump."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

import provrunner
from provrunner.log import read_log, read_plan, run_status, verify_sweep
from provrunner.schema import Event, LogState, RunStatus, StepMetrics

from .test_writer import OnDevice

SOURCES = sorted(Path(provrunner.__file__).parent.rglob("*.py"))

CROWD = """
import os, sys
from pathlib import Path
import pandas, pyarrow.compute  # which pyarrow would import in each
children = []
for number in range(int(sys.argv[2])):
    child = os.fork()
    if not child:
        work(Path(sys.argv[1]), number)
        os._exit(0)  # to take an interpreter down costs more than all that it wrote
    children.append(child)
sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""
"""Calls `work` in many processes at once, forked from one that has imported what they need."""

WRITER = """
from provrunner.log import ArrowSink
from provrunner.schema import *

def work(folder, number):
    name = f"{number:04d}-00000000"
    sink = ArrowSink(folder / "runs" / name, sweep_id="s", run_id=name)
    sink.open(0)
    for step in range(400):
        sink.write([StepMetrics({"loss": step + number / 128}, step, 0, "fit")])
    sink.close(RunStatus.FINISHED)
"""


def start_crowd(work, folder, count):
    return subprocess.Popen([sys.executable, "-c", work + CROWD, str(folder), str(count)])


def test_64_processes_at_once_lose_no_row_and_share_no_file(tmp_path):
    assert start_crowd(WRITER, tmp_path, 64).wait() == 0
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


def test_no_thread_of_arrow_is_left_to_abort_a_program_that_ends():
    """A worker that lets the last buffer of Python's go while the interpreter ends aborts it."""
    grouping = [
        (module, node)
        for module in SOURCES
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", "") in ("group_by", "join_asof")
    ]
    assert grouping
    for module, call in grouping:
        told = {word.arg: ast.unparse(word.value) for word in call.keywords}
        assert told.get("use_threads") == "False", (module, call.lineno)


SWEEPER = """
import time
from datetime import datetime, UTC
from provrunner.log import PastEvent, create_sweep_folder, run_folder, write_past_run, write_plan
from provrunner.plan import Objective, Plan, Point
from provrunner.schema import RunStatus

def work(root, number):
    (root / f"{number}.ready").touch()
    while not (root / "go").exists():
        time.sleep(0.001)
    folder = create_sweep_folder(root, "same", now=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    ids = [f"{run:04d}-00000000" for run in range(3)]
    points = tuple(Point(run, one, "t", 0, number, {"lr": number}) for run, one in enumerate(ids))
    write_plan(folder, Plan(folder.name, "same", "", Objective("loss"), "grid", (), points))
    for point in points:
        begun = PastEvent("run_start", point.run_id, {"seed": number})
        place, status = run_folder(folder, point.run_id), RunStatus.FINISHED
        write_past_run(place, [begun], [], sweep_id=folder.name, status=status)
"""


def test_twenty_sweeps_of_the_same_second_have_twenty_folders_and_mix_nothing(tmp_path):
    crowd = start_crowd(SWEEPER, tmp_path, 20)
    while len(list(tmp_path.glob("*.ready"))) < 20:
        assert crowd.poll() is None
        time.sleep(0.01)
    (tmp_path / "go").touch()
    assert crowd.wait() == 0
    folders = list((tmp_path / "same").iterdir())
    assert len(folders) == 20
    owners = set()
    for folder in folders:
        assert verify_sweep(folder).exit_code == 0
        plan = read_plan(folder)
        (owner,) = {point.seed for point in plan.points}
        owners.add(owner)
        assert plan.sweep_id == folder.name
        for point in plan.points:
            started = read_log(folder / "runs" / point.run_id, "events").table["data"][0].as_py()
            assert json.loads(started) == {"seed": owner}
    assert owners == set(range(20))

"""Scripts with the callback alone, stopped from outside in every way a machine knows."""

from __future__ import annotations

import os
import signal
import time

import pytest
from support import scenarios
from support.processes import wait_for
from support.scripts import only_run, start, witnessed

from provrunner.log import read_log, run_status
from provrunner.schema import LogState, RunStatus

pytestmark = pytest.mark.slow

INTERRUPTED = (RunStatus.INTERRUPTED, LogState.COMPLETE)


def ended(process, seconds=10.0):
    process.join(seconds)
    assert not process.is_alive()
    return process.exitcode


def after(folder, lines):
    """Wait until the program has trained for so many lines of its witness."""
    wait_for(lambda: len(witnessed(folder)) >= lines)


def reason(folder):
    events = read_log(only_run(folder), "events").table.to_pylist()
    return [event["data"] for event in events if event["kind"] == "run_end"]


def kinds(folder):
    logs = folder.glob("**/runs/*/log")
    return [kind for log in logs for kind in read_log(log, "events").table["kind"].to_pylist()]


def assert_holds_all(folder):
    """Each step and event that the program told of lies in the log."""
    run = only_run(folder)
    metrics, events = read_log(run).table, read_log(run, "events").table
    logged = {f"step {step}" for step in metrics["step"].to_pylist()}
    rows = zip(*(events[name].to_pylist() for name in ("kind", "epoch", "subject")), strict=True)
    logged |= {f"{kind} {epoch}" for kind, epoch, subject in rows if subject == "train"}
    told = witnessed(folder)
    assert len(told) > 20
    assert set(told) <= logged


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_script_is_interrupted_within_five_seconds_and_loses_no_row(tmp_path, number):
    process = start(scenarios.train, tmp_path)
    after(tmp_path, 100)
    sent = time.monotonic()
    os.kill(process.pid, number)
    code = ended(process)
    assert time.monotonic() - sent < 5
    # a Trainer makes of SIGTERM a SystemExit without a code; it has no handler for SIGHUP
    assert code == {signal.SIGTERM: 0, signal.SIGHUP: -signal.SIGHUP}[number]
    assert run_status(only_run(tmp_path)) == INTERRUPTED
    assert f'"reason":"{signal.Signals(number).name}"' in reason(tmp_path)[0]
    assert_holds_all(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_script_stopped_between_two_stages_is_interrupted_and_dies_of_the_signal(
    tmp_path, number
):
    process = start(scenarios.wait_after_fit, tmp_path)
    wait_for((tmp_path / "ready").exists)
    os.kill(process.pid, number)
    assert ended(process) == -number
    assert run_status(only_run(tmp_path)) == INTERRUPTED


def test_a_signal_that_lightning_does_not_heed_is_recorded(tmp_path):
    process = start(scenarios.test_only, tmp_path)
    wait_for(lambda: "stage_start" in kinds(tmp_path))
    os.kill(process.pid, signal.SIGTERM)
    ended(process, 30)
    assert run_status(only_run(tmp_path)) == INTERRUPTED
    assert "signal" in kinds(tmp_path)


@pytest.mark.parametrize("way", ["exit", "softly"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_programs_own_handler_is_called_and_decides(tmp_path, number, way):
    process = start(scenarios.handle, tmp_path, number, way)
    after(tmp_path, 50)
    os.kill(process.pid, number)
    code = ended(process)
    assert (tmp_path / "handled").exists()
    assert code == 7 if way == "exit" else code is not None
    assert run_status(only_run(tmp_path)) == INTERRUPTED
    assert_holds_all(tmp_path)


def test_an_ignored_hangup_stays_ignored(tmp_path):
    process = start(scenarios.ignore_hangup, tmp_path)
    after(tmp_path, 50)
    os.kill(process.pid, signal.SIGHUP)
    assert ended(process, 60) == 0
    assert run_status(only_run(tmp_path)) == (RunStatus.FINISHED, LogState.COMPLETE)


def test_two_logs_of_one_program_are_both_sealed_when_it_is_stopped(tmp_path):
    process = start(scenarios.two_at_once, tmp_path)
    wait_for((tmp_path / "ready").exists)
    os.kill(process.pid, signal.SIGTERM)
    assert ended(process) == -signal.SIGTERM
    runs = sorted(tmp_path.glob("logs/*/*/runs/*"))
    assert [run_status(run) for run in runs] == [INTERRUPTED, INTERRUPTED]


def test_a_script_that_leaves_with_no_clean_up_is_lost_with_all_its_rows(tmp_path):
    assert ended(start(scenarios.leave_at_once, tmp_path), 60) == 0
    assert run_status(only_run(tmp_path)) == (RunStatus.LOST, LogState.LOST)
    assert read_log(only_run(tmp_path)).table["step"].to_pylist()[-1] == 15


@pytest.mark.parametrize("scenario", [scenarios.exit_in_a_thread, scenarios.drop_the_trainer])
def test_a_script_that_ends_by_itself_is_finished(tmp_path, scenario):
    assert ended(start(scenario, tmp_path), 60) == 0
    assert run_status(only_run(tmp_path)) == (RunStatus.FINISHED, LogState.COMPLETE)

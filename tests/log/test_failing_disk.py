"""Calls of the system that fail, by strace's injection of errors."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from provrunner.log import read_log, run_status
from provrunner.schema import LogState, RunStatus

from .conftest import PREAMBLE

BODY = """
for number in range(300):
    step(number)
    sink.write([Event("value", str(number))])
    if number % 100 == 99:
        sink.flush()
sink.close(RunStatus.FINISHED)
"""


@pytest.fixture
def write_under(run):
    """Write a run in a process whose calls of the system fail as told; return what it printed."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")

    def write_one(call: str, fault: str, *options: str) -> str:
        traced = [
            *("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}"),
            *("-e", f"inject={call}:{fault}", *options),
        ]
        command = [*traced, sys.executable, "-c", PREAMBLE + BODY, str(run)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        if "ptrace" in ended.stderr:
            pytest.skip("processes cannot be traced here")
        assert ended.returncode == 0, ended.stderr
        return ended.stderr

    return write_one


def test_an_fsync_that_fails_once_is_never_taken_for_a_success(run, write_under):
    said = write_under("fsync", "error=EIO:when=1")
    assert said.count("Input/output error") == 1
    assert run_status(run) == (RunStatus.FINISHED, LogState.COMPLETE)
    metrics = read_log(run).table
    assert metrics["step"].to_pylist() == list(range(300))
    # what the disk refused is not appended to: the rest is in another file
    assert set(metrics["segment"].to_pylist()) == {0, 1}
    gaps = [e for e in read_log(run, "events").table.to_pylist() if e["kind"] == "gap"]
    assert "Input/output error" in gaps[0]["data"]


def test_a_disk_that_never_confirms_leaves_an_unsealed_log_with_every_row(run, write_under):
    said = write_under("fsync", "error=EIO")
    assert said.count("cannot be written") == 1
    log = read_log(run)
    assert log.state is LogState.LOST
    assert log.table["step"].to_pylist() == list(range(300))
    assert run_status(run)[0] in (RunStatus.FINISHED, RunStatus.LOST)


@pytest.mark.parametrize("error", ["EIO", "EDQUOT", "ENOSPC", "EFBIG"])
def test_writes_that_fail_for_a_while_lose_nothing(run, write_under, error):
    streams = [f"{run}/log/{table}.r0.0.arrows" for table in ("events", "metrics")]
    said = write_under("write", f"error={error}:when=30..60", *("-P", streams[0], "-P", streams[1]))
    assert said.count("cannot be written") == 1
    assert run_status(run) == (RunStatus.FINISHED, LogState.COMPLETE)
    assert read_log(run).table["step"].to_pylist() == list(range(300))
    events = read_log(run, "events").table.to_pylist()
    assert [e["subject"] for e in events if e["kind"] == "value"] == [str(n) for n in range(300)]
    assert [e["seq"] for e in events] == list(range(len(events)))

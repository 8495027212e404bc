"""What the launcher says of a sweep of which it runs a part."""

from __future__ import annotations

import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
from support.past import write_run

from provrunner.log import run_folder, seal_run
from provrunner.plan import Objective, Plan, Point
from provrunner.run.engines import Share
from provrunner.run.launcher import _ended_before, launch
from provrunner.run.launching import standing
from provrunner.run.signals import Stopped
from provrunner.schema import RunStatus

POINTS = tuple(Point(n, f"{n:04d}-0000000{n}", f"t{n}", 0, 0, {"lr": n}) for n in range(4))
PLAN = Plan("s", "s", "2026-01-01T00:00:00Z", Objective("val/loss"), "list", (), POINTS)
BEGIN = """
import os, pathlib, sys
from provrunner.log import ArrowSink
ArrowSink(pathlib.Path(sys.argv[1]), sweep_id="s", run_id="0").open(0)
os._exit(0)
"""


class Breaking:
    """An engine that cannot go on."""

    n_jobs = 2

    def __init__(self, error=None):
        self.calls = []
        self._error = error or RuntimeError("the scheduler is gone")

    def start(self, jobs):
        self.calls.append(f"start {len(jobs)}")

    def wait(self, _timeout_s):
        raise self._error

    def stop(self, _grace_s):
        self.calls.append("stop")

    def close(self):
        self.calls.append("close")


def test_nothing_goes_on_without_a_sweep_that_an_error_ended(tmp_path):
    engine = Breaking()
    config = SimpleNamespace(on_error="continue")
    share = Share(None, None, config, tmp_path, PLAN)
    with pytest.raises(RuntimeError, match="the scheduler is gone"):
        launch(engine, share, [["run.number=0"], ["run.number=1"]], 0)
    assert engine.calls == ["start 2", "stop", "close"]


def test_a_stop_leaves_no_log_of_a_job_that_still_waited_in_a_queue(tmp_path):
    share = Share(None, None, SimpleNamespace(on_error="continue"), tmp_path, PLAN)
    # begun by a process that did not come to its end
    subprocess.run(
        [sys.executable, "-c", BEGIN, run_folder(tmp_path, POINTS[0].run_id)], check=True
    )
    with pytest.raises(Stopped):
        launch(Breaking(Stopped(signal.SIGTERM)), share, [["run.number=0"], ["run.number=1"]], 0)
    statuses = [standing(run_folder(tmp_path, point.run_id)) for point in POINTS[:2]]
    assert statuses == [RunStatus.INTERRUPTED, RunStatus.PLANNED]


def test_runs_that_another_round_will_start_have_not_ended(tmp_path):
    write_run(tmp_path, POINTS[0], {"val/loss": [1.0]})
    seal_run(run_folder(tmp_path, POINTS[1].run_id), RunStatus.FAILED, "as it happens")
    ended = _ended_before(Share(None, None, None, tmp_path, PLAN), [])
    assert ended == {RunStatus.FINISHED: 1, RunStatus.FAILED: 1}

"""What the launcher says of a sweep of which it runs a part."""

from __future__ import annotations

from support.past import write_run

from provrunner.log import run_folder, seal_run
from provrunner.plan import Objective, Plan, Point
from provrunner.run.engines import Share
from provrunner.run.launcher import _ended_before
from provrunner.schema import RunStatus


def test_runs_that_another_round_will_start_have_not_ended(tmp_path):
    points = tuple(Point(n, f"{n:04d}-0000000{n}", f"t{n}", 0, 0, {"lr": n}) for n in range(4))
    plan = Plan("s", "s", "2026-01-01T00:00:00Z", Objective("val/loss"), "list", (), points)
    write_run(tmp_path, points[0], {"val/loss": [1.0]})
    seal_run(run_folder(tmp_path, points[1].run_id), RunStatus.FAILED, "as it happens")
    ended = _ended_before(Share(None, None, None, tmp_path, plan), [])
    assert ended == {RunStatus.FINISHED: 1, RunStatus.FAILED: 1}

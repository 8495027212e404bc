"""A sweep gone on with: which overrides and which runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from provrunner.compose import compose_config
from provrunner.log import ArrowSink, run_folder, write_plan
from provrunner.run.due import count_ended
from provrunner.run.planning import draft_plan
from provrunner.run.resume import _replaced
from provrunner.run.sweeper import run_plan
from provrunner.schema import Event, RunStatus

WORDS = ["optimizer.lr=0.01,0.1", "folder=s"]


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """Return the plan of a sweep in the folder `s` whose runs have finished with other code."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("x = 2\n")
    folder = tmp_path / "s"
    folder.mkdir()
    plan = draft_plan(
        compose_config(WORDS, return_hydra_config=True), WORDS, datetime(2026, 1, 2, tzinfo=UTC)
    )
    write_plan(folder, plan)
    for point in plan.points:
        place = run_folder(folder, point.run_id)
        place.mkdir(parents=True)
        (place / "config.yaml").write_text("seed: 0\n")
        sink = ArrowSink(place, sweep_id="s", run_id=point.run_id)
        sink.open(0)
        sink.write([Event("source", "mine", {"path": "mine.py", "sha256": "0" * 64})])
        sink.close(RunStatus.FINISHED)
    return plan


def same_command():
    """Give the command of the sweep again; none of its runs may be launched."""
    config = compose_config(WORDS, return_hydra_config=True)
    loader = SimpleNamespace(load_sweep_config=dict)
    return run_plan(SimpleNamespace(config_loader=loader), None, config, WORDS)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (["lr=0.01,0.1,1"], ["m.x=1", "lr=0.01,0.1,1", "width=8,16", "db.key=***"]),
        (["db.key=x", "+more=1"], ["m.x=1", "lr=0.01,0.1", "width=8,16", "db.key=x", "+more=1"]),
        ([], ["m.x=1", "lr=0.01,0.1", "width=8,16", "db.key=***"]),
    ],
)
def test_a_change_takes_the_place_of_what_it_changes(changes, expected):
    words = ["m.x=1", "lr=0.01,0.1", "width=8,16", "db.key=***"]
    assert _replaced(words, changes) == expected


def test_a_key_that_was_given_twice_has_its_changes_once():
    assert _replaced(["~a", "b=1", "+a=1"], ["a=2"]) == ["a=2", "b=1"]


def test_the_same_command_again_warns_of_code_that_differs(finished, capsys):
    assert same_command().statuses == {RunStatus.FINISHED: 2}
    told = "warning: module mine (mine.py) has other bytes than the run's 000000000000\n"
    assert capsys.readouterr().err == told


def test_a_run_whose_seal_is_damaged_is_lost_and_not_run_again(finished, tmp_path, capsys):
    (tmp_path / "mine.py").unlink()
    run_id = finished.points[0].run_id
    seal = run_folder(tmp_path / "s", run_id) / "log" / "seal.json"
    seal.write_text(seal.read_text().replace("finished", "planned "))
    assert same_command().statuses == {RunStatus.LOST: 1, RunStatus.FINISHED: 1}
    assert f"warning: run {run_id} is lost and is not run again: " in capsys.readouterr().err


IDLE = """
import sys
from pathlib import Path
from provrunner.run.resume import resume_sweep
outcome = resume_sweep(Path("s"), failed=True)
print(outcome.exit_code, dict(outcome.statuses), {"torch", "lightning"} & sys.modules.keys())
"""


def test_what_has_ended_is_gone_on_with_without_importing_what_runs_need(finished):
    done = subprocess.run([sys.executable, "-c", IDLE], capture_output=True, text=True, check=True)
    assert done.stdout == "0 {<RunStatus.FINISHED: 'finished'>: 2} set()\n"


@pytest.mark.parametrize(
    ("status", "failed", "over"),
    [
        (RunStatus.FINISHED, True, True),
        (RunStatus.PRUNED, True, True),
        (RunStatus.FAILED, False, True),
        (RunStatus.FAILED, True, False),
        (RunStatus.LOST, False, False),
        (RunStatus.INTERRUPTED, False, False),
        (None, False, False),
    ],
)
def test_a_sweep_has_ended_when_each_of_its_runs_has_an_end_of_its_own(
    finished, tmp_path, status, failed, over
):
    place = run_folder(tmp_path / "s", finished.points[1].run_id)
    shutil.rmtree(place)
    if status is not None:
        sink = ArrowSink(place, sweep_id="s", run_id=place.name)
        sink.open(0)
        sink.close(status)
    assert (count_ended(tmp_path / "s", finished, failed=failed) is not None) is over


def test_a_sweep_that_would_get_more_points_has_not_ended(finished, tmp_path):
    more = ["optimizer.lr=0.01,0.1,1", "folder=s"]
    now = datetime(2026, 1, 2, tzinfo=UTC)
    draft = draft_plan(compose_config(more, return_hydra_config=True), more, now)
    assert count_ended(tmp_path / "s", draft, failed=False) is None

"""Sweeps that are killed and stopped, for real."""

from __future__ import annotations

import json
import os
import signal

import pytest
from support.processes import Program, is_there, only_sweep, run, wait_for

import provrunner
from provrunner.log import read_log

pytestmark = pytest.mark.slow

SHORT = ["optimizer=sgd", "model.width=8", "sweep.name=long"]
FOUR = ["-m", *SHORT, "trainer.max_epochs=60", "optimizer.lr=0.01,0.1", "sweep.replicates=2"]


def training_pid(cwd, number):
    """The process of a run that has logged some validation, once there is one."""

    def found():
        for run_folder in cwd.glob(f"outputs/*/*/runs/{number:04d}-*"):
            if not (run_folder / "log").is_dir():
                return None
            metrics, _ = read_log(run_folder)
            if "val/loss" not in metrics["name"].to_pylist():
                return None
            events, _ = read_log(run_folder, "events")
            data = events["data"].to_pylist()[events["kind"].to_pylist().index("run_start")]
            return int(json.loads(data)["pid"])
        return None

    return wait_for(found)


def test_a_killed_run_is_lost_with_its_rows_and_the_others_finish(tmp_path):
    # With no checkpoint: one that is replaced as the run dies is missed until the run is resumed.
    words = ["-m", *SHORT, "trainer.max_epochs=2,5000,3", "~trainer.callbacks.checkpoint"]
    process = Program(words, tmp_path)
    os.kill(training_pid(tmp_path, 1), signal.SIGKILL)
    out, err = process.communicate(timeout=240)

    assert process.returncode == 1, err
    sweep = provrunner.open_sweep(only_sweep(tmp_path))
    assert sweep.sql("select status from runs order by run").fetchall() == [
        ("finished",), ("lost",), ("finished",),
    ]  # fmt: skip
    assert sweep.sql("select reason from runs where run = 1").fetchall()[0] == (
        "killed by SIGKILL",
    )
    assert sweep.sql("select count(*) from metrics where run = 1").fetchall()[0][0] > 0
    assert "lost 1" in out
    assert run(["verify"], tmp_path).returncode == 0


def test_after_the_death_of_the_parent_everything_logged_is_readable(tmp_path):
    process = Program(FOUR, tmp_path)
    pid = training_pid(tmp_path, 0)
    process.kill()
    process.wait()
    ended = run(["summary"], tmp_path)

    assert ended.returncode == 0, ended.stderr
    assert "planned" in ended.stdout
    sweep = provrunner.open_sweep(only_sweep(tmp_path))
    assert sweep.sql("select count(*) from metrics where run = 0").fetchall()[0][0] > 0
    assert sweep.sql("select status from runs where run = 3").fetchall()[0] == ("planned",)
    process.communicate()
    wait_for(lambda: not is_there(pid))


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_stopped_sweep_seals_its_logs_and_starts_nothing_more(tmp_path, number, code):
    process = Program(FOUR, tmp_path)
    training_pid(tmp_path, 0)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)

    assert process.returncode == code, err
    runs = provrunner.open_sweep(only_sweep(tmp_path)).runs
    statuses = runs["status"].to_pylist()
    assert statuses[0] == "interrupted"
    assert statuses[-1] == "planned"
    assert runs["log_state"].to_pylist()[0] == "complete"

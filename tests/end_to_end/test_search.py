"""A search whose runs a rule stops early, killed as a whole and gone on with."""

from __future__ import annotations

import json
import signal

import pytest
from support.processes import Program, run

import provrunner
from provrunner.log import read_plan

pytest.importorskip("optuna")
pytestmark = pytest.mark.slow

KILLER = """
import os, signal
from pathlib import Path
from lightning import Callback

class Kill(Callback):
    \"\"\"Kills every process of the sweep, once, in the midst of its fourth run.\"\"\"
    def on_train_batch_end(self, trainer, module, outputs, batch, index):
        if len(list(Path("sweep/runs").iterdir())) == 4 and not Path("killed").exists():
            Path("killed").touch()
            os.killpg(os.getpgrp(), signal.SIGKILL)
"""
WORDS = [
    "hydra.mode=MULTIRUN", "folder=sweep", "sweep.name=search", "sweep.design=tpe",
    "sweep.trials=6", "sweep.batch=1", "+sweep.sampler.n_startup_trials=3",
    "sweep.prune=asha", "trainer.max_epochs=3", "optimizer=sgd",
    "optimizer.lr=tag(log,interval(0.0001,1))", "model.width=choice(4,8)",
    "data.batch_size=128", "hydra.launcher.n_jobs=1",
    "+trainer.callbacks.kill={_target_: killer.Kill}",
]  # fmt: skip


@pytest.fixture(scope="module")
def resumed(tmp_path_factory):
    cwd = tmp_path_factory.mktemp("search")
    (cwd / "killer.py").write_text(KILLER)
    assert Program(WORDS, cwd, leads_group=True).wait(timeout=240) == -signal.SIGKILL
    ended = run(["resume", "sweep"], cwd)
    assert ended.returncode == 0, ended.stderr
    return cwd / "sweep"


def test_a_killed_search_is_gone_on_with_to_its_end(resumed):
    plan = read_plan(resumed)
    assert [one.number for one in plan.asked] == list(range(6))
    assert [one.reason for one in plan.asked[:3]] == ["startup"] * 3
    sweep = provrunner.open_sweep(resumed)
    assert sweep.sql("select max(attempt), count(*) from runs").fetchall() == [(1, 6)]
    statuses = dict(sweep.sql("select run, status from runs").fetchall())
    assert set(statuses.values()) == {"finished", "pruned"}
    assert statuses[0] == "finished"  # the first to come to each rung


def test_each_pruned_run_tells_what_its_end_rests_on(resumed):
    sweep = provrunner.open_sweep(resumed)
    told = sweep.sql(
        "select run, cause, numbers, epochs from adaptations join runs using (run) "
        "where name = 'trainer.should_stop'"
    ).fetchall()
    pruned = sweep.sql("select run from runs where status = 'pruned'").fetchall()
    assert sorted(row[0] for row in told) == sorted(row[0] for row in pruned)
    for _, cause, numbers, epochs in told:
        decided = json.loads(numbers)
        assert (cause, decided["epochs"]) == ("asha", epochs)
        assert decided["better"] >= decided["kept"]
    flags = {flag["flag"] for flag in sweep.sensitivity().to_dict()["flags"]}
    assert "pruned_left_out" in flags


def test_a_pruned_run_that_is_repeated_ends_where_the_rule_stopped_it(resumed):
    curve = 'select status, epochs, epoch, "val/loss" from runs join epochs using (run)'
    sweep = provrunner.open_sweep(resumed)
    pruned = "select run, epochs from runs where status = 'pruned' order by run"
    number, epochs = sweep.sql(pruned).fetchall()[0]
    ended = run(["rerun", str(number), "sweep"], resumed.parent)

    assert ended.returncode == 0, ended.stderr
    again = provrunner.open_sweep(resumed.parent / "outputs")
    assert again.sql(f"{curve} order by epoch").fetchall() == (
        sweep.sql(f"{curve} where run = {number} order by epoch").fetchall()
    )
    assert again.sql("select status, epochs from runs").fetchall() == [("pruned", epochs)]
    assert again.sql("select cause from adaptations").fetchall() == [("recorded",)]
    assert dict(again.plan.pruning) == {"rule": "recorded", "cause": "asha", "epochs": epochs}

"""A sweep that is killed again and again, and gone on with until all of it is done."""

from __future__ import annotations

import shutil
import signal

import pytest
from support.processes import Program, run, run_anew

import provrunner

pytestmark = pytest.mark.slow

KILLER = """
import os, signal
from pathlib import Path
from lightning import Callback

class Kill(Callback):
    \"\"\"Kills every process of the sweep, once, in the midst of a run's second epoch.\"\"\"
    def __init__(self, lr, seed): self.flag = Path(f"kill-{lr}-{seed}")
    def on_train_batch_end(self, trainer, module, outputs, batch, index):
        if trainer.current_epoch == 1 and index == 3 and self.flag.exists():
            self.flag.unlink()
            os.killpg(os.getpgrp(), signal.SIGKILL)

class Fail(Callback):
    def __init__(self, lr): self.lr = lr
    def on_train_epoch_end(self, trainer, module):
        if self.lr > 0.05 and Path("fail").exists(): raise ValueError("too fast")
"""
WORDS = [
    "-m", "optimizer=sgd", "optimizer.lr=0.01,0.1", "sweep.replicates=2", "sweep.name=small",
    "model.width=8", "model.dropout=0.2", "trainer.max_epochs=3", "data.batch_size=128",
    "hydra.launcher.n_jobs=1",  # one after the other: which runs are killed is no race
    "+trainer.callbacks.kill={_target_: killer.Kill, lr: '${optimizer.lr}', seed: '${seed}'}",
]  # fmt: skip
ASKED = "select run, status, objective, objective_epoch, epochs from runs order by run"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    cwd = tmp_path_factory.mktemp("undisturbed")
    (cwd / "killer.py").write_text(KILLER)
    ended = run([*WORDS, "folder=sweep"], cwd)
    assert ended.returncode == 0, ended.stderr
    return cwd


def killed(words, cwd):
    """Start a sweep in a process group of its own; return its process id once all was killed."""
    process = Program(words, cwd, leads_group=True)
    assert process.wait(timeout=240) == -signal.SIGKILL
    return process.pid


def test_a_sweep_killed_three_times_ends_as_one_that_was_not(undisturbed, tmp_path):
    (tmp_path / "killer.py").write_text(KILLER)
    flags = [tmp_path / name for name in ("kill-0.01-0", "kill-0.01-1", "kill-0.1-1")]
    pids = []
    for flag, words in zip(
        flags,
        ([*WORDS, "folder=sweep"], ["resume", "sweep"], [*WORDS, "folder=sweep"]),
        strict=True,
    ):
        flag.touch()
        pids.append(killed(words, tmp_path))
    ended = run(["resume", "sweep"], tmp_path)

    assert ended.returncode == 0, ended.stderr
    sweep, whole = (provrunner.open_sweep(cwd / "sweep") for cwd in (tmp_path, undisturbed))
    assert sweep.sql(ASKED).fetchall() == whole.sql(ASKED).fetchall()
    # three processes died; each next one tells of one, in the first run that it begins
    told = sweep.sql("select data->>'pid' from events where kind = 'claim_taken_over'").fetchall()
    assert [int(pid) for (pid,) in told] == pids
    ids = {one.plan.sweep_id for one in (sweep, whole)}
    assert len(ids) == 2  # though their folders have one name
    assert all(id_.startswith("sweep-") for id_ in ids)
    metrics = 'select run, epoch, "train/loss", "val/loss", "test/loss" from epochs order by all'
    assert sweep.sql(metrics).fetchall() == whole.sql(metrics).fetchall()
    assert sweep.sensitivity().effects.equals(whole.sensitivity().effects)
    ends = (
        "select run, count(*) from events where kind = 'run_end' and data->>'status' = 'finished'"
    )
    assert sweep.sql(f"{ends} group by run order by run").fetchall() == [
        (0, 1), (1, 1), (2, 1), (3, 1),
    ]  # fmt: skip
    attempts = sweep.sql("select run, attempt from runs where attempt > 0 order by run").fetchall()
    assert attempts == [(0, 1), (1, 1), (3, 1)]
    loaded = "select data->>'foreign' from events where kind = 'checkpoint_loaded' and run = 3"
    assert sweep.sql(loaded).fetchall() == [("false",), ("false",)]  # gone on from, then tested
    verified = run(["verify", "sweep", "--prov"], tmp_path)
    assert verified.returncode == 0, verified.stdout


def test_more_seeds_are_added_and_what_was_there_stays(undisturbed, tmp_path):
    cwd = shutil.copytree(undisturbed, tmp_path / "copy")
    folder = cwd / "sweep"
    before = {path: path.read_bytes() for path in folder.glob("runs/*/log/*")}
    ended = run(["resume", "sweep", "sweep.replicates=3"], cwd)

    assert ended.returncode == 0, ended.stderr
    assert {path: path.read_bytes() for path in before} == before
    sweep = provrunner.open_sweep(folder)
    rows = sweep.sql('select run, "optimizer.lr", seed, status, cmd from runs where run > 3')
    asked = "provrunner resume sweep sweep.replicates=3"
    assert rows.fetchall() == [
        (4, 0.01, 2, "finished", asked), (5, 0.1, 2, "finished", asked),
    ]  # fmt: skip
    assert f"by {asked}" in ended.stdout
    assert (folder / "plan.0.json").is_file()
    assert run_anew(["resume", "sweep"], cwd).stderr == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["resume", "sweep", "trainer.max_epochs=9"], "trainer.max_epochs was 3, and is 9"),
        (["resume", "sweep", "optimizer.lr=0.1,1"], "(optimizer.lr=0.01, seed=0)"),
        ([*WORDS, "folder=sweep", "model.width=8,16"], "the axes was optimizer.lr, and is"),
    ],
)
def test_another_sweep_is_refused_with_the_difference(undisturbed, words, message):
    ended = run(words, undisturbed)
    assert ended.returncode == 2
    assert message in ended.stderr


def test_runs_that_failed_run_again_when_asked(tmp_path):
    (tmp_path / "killer.py").write_text(KILLER)
    (tmp_path / "fail").touch()
    words = [
        "-m", "optimizer.lr=0.01,0.1", "model.width=8", "trainer.max_epochs=1", "folder=sweep",
        "+trainer.callbacks.fail={_target_: killer.Fail, lr: '${optimizer.lr}'}",
    ]  # fmt: skip
    assert run(words, tmp_path).returncode == 1
    (tmp_path / "fail").unlink()
    assert run(["resume", "sweep"], tmp_path).returncode == 1
    ended = run(["resume", "sweep", "--failed"], tmp_path)

    assert ended.returncode == 0, ended.stderr
    rows = provrunner.open_sweep(tmp_path / "sweep").sql("select status, attempt from runs")
    assert sorted(rows.fetchall()) == [("finished", 0), ("finished", 1)]

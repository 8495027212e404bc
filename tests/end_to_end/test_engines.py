"""The same sweep on every engine, one of its runs killed on the way, and one that raises once."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.processes import Program, run, wait_for

import provrunner
from provrunner.log import read_log

pytestmark = pytest.mark.slow

DYING = """
import os, pathlib, signal
from lightning import Callback

class DiesOnce(Callback):
    def __init__(self, lr, marker):
        self.lr, self.marker = lr, pathlib.Path(marker)

    def on_train_epoch_start(self, trainer, module):
        if self.lr == 0.1 and trainer.current_epoch == 2 and not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        raised = pathlib.Path("raised")
        if self.lr == 0.2 and trainer.current_epoch == 1 and not raised.exists():
            raised.touch()
            raise ValueError("once")
"""
SWEEP = [
    *("-m", "optimizer=sgd", "optimizer.lr=0.01,0.1,0.2", "model.width=8", "data.batch_size=64"),
    *("trainer.max_epochs=3", "trainer.callbacks.checkpoint.save_last=true", "on_error={retry:1}"),
    "+trainer.callbacks.dies={_target_: dying.DiesOnce, lr: '${optimizer.lr}', marker: died}",
]
ENGINES = {
    "local": ["hydra.launcher.n_jobs=2"],
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    "ray": ["hydra/launcher=ray", "hydra.launcher.n_jobs=2"],
    "submitit": ["hydra/launcher=submitit_local", "hydra.launcher.n_jobs=2"],
}
LAUNCHERS = {
    "local": "ProvrunnerLauncher",
    "joblib": "JoblibLauncher",
    "ray": "RayLauncher",
    "submitit": "SubmititLauncher",
}


@dataclass(frozen=True)
class Swept:
    folder: Path
    ended: subprocess.CompletedProcess[str]


def sweep(cwd: Path, *words: str) -> Swept:
    (cwd / "dying.py").write_text(DYING)
    folder = cwd / "sweep"
    return Swept(folder, run([*SWEEP, f"folder={folder}", *words], cwd))


def needs(engine: str) -> None:
    if engine in ("ray", "submitit") and importlib.util.find_spec(engine) is None:
        pytest.skip(f"{engine} is not installed: pip install 'provrunner[cluster]'")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Swept:
    """The sweep on the local engine, in which nothing dies."""
    cwd = tmp_path_factory.mktemp("undisturbed")
    (cwd / "died").touch()
    (cwd / "raised").touch()
    return sweep(cwd, "hydra.launcher.n_jobs=2")


@pytest.fixture(scope="module", params=ENGINES)
def swept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Swept:
    """The sweep on one of the engines; the process of one of its runs kills itself."""
    needs(request.param)
    return sweep(tmp_path_factory.mktemp(request.param), *ENGINES[request.param])


def test_a_dead_worker_or_an_error_costs_its_run_an_attempt_and_not_the_sweep(swept):
    assert swept.ended.returncode == 0, swept.ended.stderr
    found = provrunner.open_sweep(swept.folder)
    assert found.runs["status"].to_pylist() == ["finished"] * 3
    starts = "select count(*) from events where kind = 'run_start' group by run order by run"
    assert found.sql(starts).fetchall() == [(1,), (2,), (2,)]
    for status in ("lost", "failed"):
        assert f"{status}: it begins again" in swept.ended.stderr


def test_every_engine_gives_the_same_points_seeds_and_metrics(swept, undisturbed):
    assert undisturbed.ended.returncode == 0, undisturbed.ended.stderr
    points = "select run_id, trial_id, seed, objective, objective_epoch from runs order by run"
    # what a killed attempt did is told as well, once more
    metrics = """select distinct run, name, stage, step, epoch, value from metrics
        where stage in ('train', 'validate', 'test') order by all"""
    for question in (points, metrics):
        here, there = (provrunner.open_sweep(one.folder) for one in (swept, undisturbed))
        assert here.sql(question).fetchall() == there.sql(question).fetchall()


def test_the_folder_is_whole_and_holds_what_each_run_printed(swept, request):
    assert run(["verify", str(swept.folder)], swept.folder.parent).returncode == 0
    runs = sorted((swept.folder / "runs").iterdir())
    assert all("max_epochs=3" in (one / "output.log").read_text() for one in runs)
    assert not (swept.folder / "submitit").exists()
    engine = request.node.callspec.params["swept"]
    told = provrunner.open_sweep(swept.folder).sql(
        "select distinct data from events where kind = 'environment'"
    )
    assert {json.loads(data)["launcher"] for (data,) in told.fetchall()} == {LAUNCHERS[engine]}


@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "local"])
def test_a_stopped_sweep_seals_its_runs_on_every_engine(tmp_path, engine):
    needs(engine)
    words = [
        "-m",
        "optimizer=sgd",
        "model.width=8",
        "trainer.max_epochs=400",
        "seed=0,1",
        "folder=s",
    ]
    process = Program([*words, *ENGINES[engine], "hydra.launcher.n_jobs=1"], tmp_path)
    try:
        wait_for(lambda: _validated(tmp_path), seconds=240)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=240)
    finally:
        process.kill()

    assert process.returncode == 143, err
    runs = provrunner.open_sweep(tmp_path / "s").runs
    assert runs["status"].to_pylist() == ["interrupted", "planned"]
    assert runs["log_state"].to_pylist()[0] == "complete"


def _validated(cwd: Path) -> bool:
    return any(
        (one / "log").is_dir() and "val/loss" in read_log(one).table["name"].to_pylist()
        for one in cwd.glob("s/runs/*")
    )

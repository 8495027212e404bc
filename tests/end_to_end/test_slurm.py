"""Sweeps on a real Slurm cluster, of one node, where its daemons can be started."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from support.processes import SMALL, Program, run, wait_for
from support.slurm import missing_for_slurm, slurm

import provrunner
from provrunner.log import read_log

pytestmark = pytest.mark.slow

ON_SLURM = ["hydra/launcher=submitit_slurm", "+hydra.launcher.parameters.slurm_partition=low"]
WAITING = """
import pathlib, time
from lightning import Callback

class Waits(Callback):
    def on_train_epoch_start(self, trainer, module):
        while trainer.current_epoch == 2 and not pathlib.Path("go").exists():
            time.sleep(0.1)
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    missing = missing_for_slurm()
    if missing is None and importlib.util.find_spec("submitit") is None:
        missing = "submitit is not installed: pip install 'provrunner[slurm]'"
    if missing is not None:
        pytest.skip(f"Slurm: {missing}")
    with slurm(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


def test_a_sweep_runs_as_an_array_of_slurm_jobs(tmp_path, cluster):
    words = ["-m", *SMALL, "seed=0,1", "folder=s", *ON_SLURM]
    process = Program(words, tmp_path, environment=cluster)
    _, err = process.communicate(timeout=500)

    assert process.returncode == 0, err
    sweep = provrunner.open_sweep(tmp_path / "s")
    assert sweep.runs["status"].to_pylist() == ["finished"] * 2
    launchers = "select count(*) from events where data like '%\"SubmititLauncher\"%'"
    assert sweep.sql(launchers).fetchall() == [(2,)]
    assert run(["verify", "s"], tmp_path).returncode == 0


def test_a_preempted_run_is_interrupted_and_resumed_from_its_last_checkpoint(tmp_path, cluster):
    (tmp_path / "waiting.py").write_text(WAITING)
    words = [
        *(*SMALL, "trainer.max_epochs=4", "trainer.callbacks.checkpoint.save_last=true"),
        *("+trainer.callbacks.waits._target_=waiting.Waits", "folder=s", *ON_SLURM),
    ]
    process = Program(words, tmp_path, environment=cluster)
    wait_for(lambda: any(_epochs(one) > 1 for one in tmp_path.glob("s/runs/*")), 400)
    subprocess.run(
        ["sbatch", "--partition=high", "--exclusive", "--output=/dev/null", "--wrap=true"],
        cwd=tmp_path, env=cluster, check=True, capture_output=True,
    )  # fmt: skip
    _, err = process.communicate(timeout=300)

    assert process.returncode == 1, err
    sweep = provrunner.open_sweep(tmp_path / "s")
    assert sweep.sql("select status, reason from runs").fetchall() == [("interrupted", "SIGTERM")]

    (tmp_path / "go").touch()
    resumed = Program(["resume", "s"], tmp_path, environment=cluster)
    _, err = resumed.communicate(timeout=500)
    assert resumed.returncode == 0, err
    sweep = provrunner.open_sweep(tmp_path / "s")
    assert sweep.runs["status"].to_pylist() == ["finished"]
    anew = "select min(epoch) from metrics where segment = 1 and stage = 'train'"
    assert sweep.sql(anew).fetchall() == [(2,)]


def _epochs(folder: Path) -> int:
    """Return how many epochs of a run were validated by now."""
    if not (folder / "log").is_dir():
        return 0
    return read_log(folder).table["name"].to_pylist().count("val/loss")

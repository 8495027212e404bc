"""Sweeps on a real Ray cluster of two nodes, with and without a folder that all of them see."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from support.processes import command, run, wait_for

import provrunner

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'provrunner[cluster]'")
pytestmark = [
    pytest.mark.slow,
    # Ray's own
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

CALLBACK = """
import os, pathlib, signal, time
import ray
from lightning import Callback

class Tells(Callback):
    def __init__(self, folder, seed):
        self.folder, self.seed = pathlib.Path(folder), seed

    def on_train_epoch_start(self, trainer, module):
        (self.folder / f"node-{ray.get_runtime_context().get_node_id()}").touch()
        if trainer.current_epoch == 2:
            (self.folder / f"reached-{self.seed}").touch()
            while not (self.folder / "go").exists():
                time.sleep(0.1)
        if trainer.current_epoch == 3 and self.seed == 0 and not (self.folder / "died").exists():
            (self.folder / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
"""
METRICS = """select distinct run, name, stage, step, epoch, value from metrics
    where stage in ('train', 'validate', 'test') order by all"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a cluster of two nodes with one processor each."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        cluster.add_node(num_cpus=1)
        yield str(cluster.address)
    finally:
        cluster.shutdown()


def words(cwd: Path, address: str) -> list[str]:
    (cwd / "telling.py").write_text(CALLBACK)
    (cwd / "told").mkdir()
    callback = f"{{_target_: telling.Tells, folder: {cwd / 'told'}, seed: '${{seed}}'}}"
    return [
        *("-m", "model.width=8", "data.batch_size=64", "trainer.max_epochs=4", "seed=0,1"),
        *("trainer.callbacks.checkpoint.save_last=true", f"+trainer.callbacks.tells={callback}"),
        *("folder=s", "on_error={retry:1}"),
        *("hydra/launcher=ray", f"hydra.launcher.init.address={address}"),
    ]


def start(given: Sequence[str], cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(*given), cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def undisturbed(address: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep that writes to a folder all workers see, and that nothing stops."""
    cwd = tmp_path_factory.mktemp("undisturbed")
    given = words(cwd, address)
    for name in ("go", "died"):
        (cwd / "told" / name).touch()
    ended = run(given, cwd)
    assert ended.returncode == 0, ended.stderr
    return cwd


def test_both_nodes_take_part(undisturbed):
    assert len(list((undisturbed / "told").glob("node-*"))) == 2
    assert provrunner.open_sweep(undisturbed / "s").runs["status"].to_pylist() == ["finished"] * 2


def test_runs_of_workers_that_see_no_folder_of_ours_come_back_and_go_on(
    tmp_path, address, undisturbed
):
    process = start([*words(tmp_path, address), "hydra.launcher.shared_folder=false"], tmp_path)
    told = tmp_path / "told"
    try:
        wait_for(lambda: len(list(told.glob("reached-*"))) == 2, seconds=400)
        assert not list(tmp_path.glob("s/runs/*/log/*.arrow*"))
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 143, err
    stopped = provrunner.open_sweep(tmp_path / "s")
    assert stopped.sql("select status, epochs > 0 from runs").fetchall() == [
        ("interrupted", True),
        ("interrupted", True),
    ]

    (told / "go").touch()
    store = f"hydra.launcher.store=file://{tmp_path}/store"
    ended = run(["resume", "s", store], tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "it begins again" in ended.stderr
    found = provrunner.open_sweep(tmp_path / "s")
    assert found.runs["status"].to_pylist() == ["finished"] * 2
    anew = "select run, min(epoch) from metrics where segment = 1 and stage = 'train' group by run"
    assert sorted(found.sql(anew).fetchall()) == [(0, 2), (1, 2)]
    whole = provrunner.open_sweep(undisturbed / "s")
    assert found.sql(METRICS).fetchall() == whole.sql(METRICS).fetchall()
    assert run(["verify", "s"], tmp_path).returncode == 0
    assert not [path for path in (tmp_path / "store").rglob("*") if path.is_file()]

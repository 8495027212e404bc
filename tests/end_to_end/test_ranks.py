"""Distributed trainings of anyone's script, however their ranks are started."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import provrunner

pytestmark = pytest.mark.slow

SCRIPT = str(Path(__file__).with_name("ranked_script.py"))
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@pytest.mark.parametrize(
    ("words", "logs"),
    [
        ([*TORCHRUN, SCRIPT, "ddp", "2"], 2),
        ([SCRIPT, "ddp_notebook", "1"], 1),
    ],
    ids=["torchrun", "forked"],
)
def test_all_ranks_write_one_complete_log_for_each_callback(tmp_path, words, logs):
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, *words],
        cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    folders = list((tmp_path / "logs").glob("*/*"))
    assert len(folders) == logs
    for folder in folders:
        sweep = provrunner.open_sweep(folder)
        assert sweep.sql("select status, world_size, log_state from runs").fetchall() == [
            ("finished", 2, "complete")
        ]
        counts = sweep.sql(
            "select rank, count(*) from metrics where name in ('loss', 'val/loss', 'test/loss') "
            "group by rank order by rank"
        )
        assert counts.fetchall() == [(0, 6), (1, 6)]
    assert ("this Trainer has 2 ProvenanceCallbacks" in ended.stderr) == (logs == 2)

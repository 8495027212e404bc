"""Settings that no run reads: known from real runs, and told in the summary."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.processes import only_sweep, run

import provrunner
from provrunner.report import ask

pytestmark = pytest.mark.slow

MODEL = """
import torch
from lightning import LightningModule
from torch import nn

class Stubborn(LightningModule):
    def __init__(self, lr, depth=2):
        super().__init__()
        self.lr, self.net = lr, nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

    def training_step(self, batch, batch_idx):
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", nn.functional.cross_entropy(self.net(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)
"""


def test_keys_that_no_run_reads_are_told_and_a_swept_one_loudly(tmp_path: Path):
    (tmp_path / "stubborn.py").write_text(MODEL)
    (tmp_path / "conf" / "model").mkdir(parents=True)
    settings = "_target_: stubborn.Stubborn\nlr: ${rate}\ndepth: 3\n"
    (tmp_path / "conf" / "model" / "mine.yaml").write_text(settings)
    words = ["model=mine", "+rate=0.1", "optimizer.lr=0.01,0.1", "optimizer.weight_decay=0.1"]
    ended = run(["-m", *words, "trainer.max_epochs=1", "test=false"], tmp_path)
    assert ended.returncode == 0, ended.stderr

    loud, note = (line for line in ended.stdout.splitlines() if "never read" in line)
    assert loud == (
        "WARNING: swept but never read: optimizer.lr: "
        "no run read it, so what it seems to do is chance"
    )
    assert note == "note: set but never read: model.depth, optimizer.weight_decay"
    sweep = provrunner.open_sweep(only_sweep(tmp_path))
    unread = ask(sweep, "never_read").column("name").to_pylist()
    assert {"model.depth", "optimizer.lr", "optimizer.weight_decay", "scheduler"} <= set(unread)
    reads = dict(sweep.sql("select name, reads from params where phase = 'init'").fetchall())
    assert (reads["rate"], reads["model.lr"], reads["data.batch_size"]) == (1, 1, 1)
    assert reads["sweep.name"] is None

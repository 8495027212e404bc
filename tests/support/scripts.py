"""Small programs that train with the callback alone, each for a process of its own.

A forked process of one that has imported torch and Lightning starts in a tenth of a second.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

from support import warm

__all__ = ["Witness", "line", "loader", "only_run", "start", "trainer", "witnessed"]


def start(target: Callable[..., None], *args: Any) -> ForkServerProcess:
    """Call a function of an importable module in a process of its own, in its own folder."""
    context = ForkServerContext()
    context.set_forkserver_preload(warm.PRELOAD)
    process = context.Process(target=_run, args=(target, *args))
    process.start()
    return process


def only_run(folder: Path) -> Path:
    """The folder of the only run below a folder."""
    (run,) = folder.glob("**/runs/*")
    return run


def witnessed(folder: Path) -> list[str]:
    """The whole lines that a `Witness` has written."""
    path = folder / "witness"
    text = path.read_text() if path.exists() else ""
    return text.split("\n")[:-1]


def _run(target: Callable[..., None], folder: Path, *args: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "output", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.chdir(folder)
    warnings.simplefilter("ignore")
    target(folder, *args)


def line() -> Any:
    """A linear model that logs its loss."""
    import lightning
    import torch

    class Line(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(3, 1)

        def training_step(self, batch, index):
            x, y = batch
            loss = torch.nn.functional.mse_loss(self.layer(x), y)
            self.log("loss", loss)
            return loss

        def validation_step(self, batch, index):
            self.log("val/loss", torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1]))

        def test_step(self, batch, index):
            time.sleep(0.02)
            self.log("test/loss", torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1]))

        def configure_optimizers(self):
            optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
            # the rate changes at every step: an event for each
            decay = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9999)
            return [optimizer], [{"scheduler": decay, "interval": "step"}]

    torch.manual_seed(0)
    return Line()


def loader(batches: int = 8, **options: Any) -> Any:
    """Batches of eight points of a plane."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    x = torch.randn(8 * batches, 3, generator=torch.Generator().manual_seed(0))
    return DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=8, **options)


def trainer(*callbacks: Any, **options: Any) -> Any:
    """A quiet Trainer that goes on until it is stopped, unless told otherwise."""
    import lightning

    settings = {
        "max_epochs": 1_000_000,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "accelerator": "cpu",
        "num_sanity_val_steps": 0,
    }
    return lightning.Trainer(callbacks=list(callbacks), **{**settings, **options})


class _Writer:
    def __init__(self, folder: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._descriptor = os.open(folder / "witness", flags, 0o644)

    def say(self, text: str) -> None:
        os.write(self._descriptor, f"{text}\n".encode())


def Witness(folder: Path) -> Any:
    """A callback that writes to a file of its own what the log must hold by then.

    It comes after ours: a step is told when the next one begins, an epoch's end in the next hook.
    """
    from lightning.pytorch.callbacks import Callback

    class Watching(Callback):
        def __init__(self) -> None:
            self.writer = _Writer(folder)

        def on_train_batch_start(self, trainer, module, batch, index):
            if trainer.global_step:
                self.writer.say(f"step {trainer.global_step - 1}")

        def on_train_epoch_start(self, trainer, module):
            self.writer.say(f"epoch_start {trainer.current_epoch}")
            if trainer.current_epoch:
                self.writer.say(f"epoch_end {trainer.current_epoch - 1}")

    return Watching()

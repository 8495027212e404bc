"""A Lightning script that is stopped in the midst of its first fit."""

import os
import signal
import sys

import lightning
from lightning.pytorch.demos.boring_classes import BoringModel


class Stop(lightning.Callback):
    def on_train_batch_end(self, trainer, module, outputs, batch, index):
        if index == 3:
            if sys.argv[1] == "raise":
                raise ValueError("enough")
            os.kill(os.getpid(), getattr(signal, sys.argv[1]))


if __name__ == "__main__":
    lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Stop()],
    ).fit(BoringModel())

"""The training that is logged: a small network on the CPU, ten metrics at every step."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

__all__ = ["METRICS", "Network", "loader", "make_trainer", "quiet"]

METRICS = 10
_BATCH = 32


class Network(lightning.LightningModule):
    """A multilayer perceptron that has ten things to say of every batch.

    Args:
        hand_over: `log` calls `self.log` for each, `return` returns them, `nothing` is silent.
    """

    def __init__(self, hand_over: str = "log") -> None:
        super().__init__()
        self.hand_over = hand_over
        self.hidden = nn.Linear(64, 32)
        self.out = nn.Linear(32, 10)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Any:  # noqa: ARG002
        """Compute the loss and the metrics, and hand them over."""
        inputs, targets = batch
        hidden = torch.relu(self.hidden(inputs))
        outputs = self.out(hidden)
        loss = nn.functional.cross_entropy(outputs, targets)
        metrics = _metrics(loss.detach(), hidden.detach(), outputs.detach(), targets)
        if self.hand_over == "log":
            for name, value in metrics.items():
                self.log(name, value, on_step=True, on_epoch=False)
        return {"loss": loss, **metrics} if self.hand_over == "return" else loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Make the optimizer."""
        return torch.optim.SGD(self.parameters(), lr=0.05)


def _metrics(loss: Tensor, hidden: Tensor, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
    chances = outputs.softmax(-1)
    return {
        "train_loss": loss,
        "accuracy": (outputs.argmax(-1) == targets).float().mean(),
        "confidence": chances.max(-1).values.mean(),
        "entropy": -(chances * chances.log()).sum(-1).mean(),
        "logit_mean": outputs.mean(),
        "logit_std": outputs.std(),
        "logit_max": outputs.max(),
        "hidden_mean": hidden.mean(),
        "hidden_std": hidden.std(),
        "active": (hidden > 0).float().mean(),
    }


def loader(steps: int) -> DataLoader[Any]:
    """Return as many batches as steps; the labels can be learned."""
    numbers = torch.Generator().manual_seed(0)
    inputs = torch.randn(256 * _BATCH, 64, generator=numbers)[: steps * _BATCH]
    repeated = inputs.repeat(-(-steps * _BATCH // len(inputs)), 1)[: steps * _BATCH]
    targets = (repeated[:, :10] + 0.5 * repeated[:, 10:20]).argmax(-1)
    return DataLoader(TensorDataset(repeated, targets), batch_size=_BATCH)


def make_trainer(folder: Path, callbacks: list[Any], given: Mapping[str, Any]) -> lightning.Trainer:
    """Make a trainer of one epoch that hands over the metrics of every step.

    Args:
        folder: where it may write.
        callbacks: come after those of the logger.
        given: the arguments that give it a logger.
    """
    return lightning.Trainer(
        default_root_dir=folder,
        accelerator="cpu",
        max_epochs=1,
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        **{**given, "callbacks": [*given.get("callbacks", ()), *callbacks]},
    )


def quiet() -> None:
    """Use one thread, and keep Lightning from remarking on it."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)

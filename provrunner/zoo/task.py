"""The training of a plain network on labelled samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import ReduceLROnPlateau

__all__ = ["SupervisedTask"]

_PROBLEMS = ("classification", "regression")


class SupervisedTask(LightningModule):
    """Fit a network to targets; log the loss, and accuracy or mean absolute error.

    Logged once an epoch: `train/loss`, `val/loss` and `val/acc` or `val/mae`; at the test: the
    same under `test/`. Each training step returns its `loss`, which capture records.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Callable[[Iterator[nn.Parameter]], torch.optim.Optimizer],
        scheduler: Callable[[torch.optim.Optimizer], Any] | None = None,
        *,
        problem: str | None = None,
        loss: Callable[[Tensor, Tensor], Tensor] | None = None,
        monitor: str = "val/loss",
    ) -> None:
        """Take the parts.

        Args:
            model: maps a batch of inputs to (batch, classes) or (batch, 1).
            optimizer: makes the optimizer of the model's parameters.
            scheduler: makes the scheduler of the optimizer, stepped once an epoch.
            problem: `classification` or `regression`.
            loss: replaces cross entropy or the mean squared error.
            monitor: metric that a `ReduceLROnPlateau` scheduler watches.

        Raises:
            ValueError: the problem is neither.
        """
        super().__init__()
        if problem not in _PROBLEMS:
            raise ValueError(f"task.problem: {problem!r} is none of {', '.join(_PROBLEMS)}")
        self.model = model
        self.loss = loss or (functional.cross_entropy if problem == _PROBLEMS[0] else _mse)
        self.problem = problem
        self._optimizer = optimizer
        self._scheduler = scheduler
        self._monitor = monitor
        self._sums: dict[str, tuple[Tensor, int]] = {}

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the model's output, without its last dimension in a regression."""
        output: Tensor = self.model(inputs)
        return output.squeeze(-1) if self.problem == "regression" else output

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:  # noqa: ARG002
        """Return the loss of one batch, as a metric is handed over without a call of `log`."""
        inputs, targets = batch
        loss = self.loss(self(inputs), targets)
        self._add("train/loss", loss, len(targets))
        return {"loss": loss}

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:  # noqa: ARG002
        """Take one batch into the epoch's means."""
        self._evaluate("val", batch)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:  # noqa: ARG002
        """Take one batch into the test's means."""
        self._evaluate("test", batch)

    def on_train_epoch_end(self) -> None:
        """Log the epoch's mean loss."""
        self._log_means("train")

    def on_validation_epoch_end(self) -> None:
        """Log the means over the validation samples."""
        self._log_means("val")

    def on_test_epoch_end(self) -> None:
        """Log the means over the test samples."""
        self._log_means("test")

    def configure_optimizers(self) -> Any:
        """Make the optimizer, and the scheduler where there is one."""
        optimizer = self._optimizer(self.parameters())
        if self._scheduler is None:
            return optimizer
        scheduler = self._scheduler(optimizer)
        plan: dict[str, Any] = {"scheduler": scheduler, "interval": "epoch"}
        if isinstance(scheduler, ReduceLROnPlateau):
            plan["monitor"] = self._monitor
        return {"optimizer": optimizer, "lr_scheduler": plan}

    def _evaluate(self, stage: str, batch: tuple[Tensor, Tensor]) -> None:
        inputs, targets = batch
        outputs = self(inputs)
        self._add(f"{stage}/loss", self.loss(outputs, targets), len(targets))
        if self.problem == "classification":
            correct = (outputs.argmax(dim=-1) == targets).float().mean()
            self._add(f"{stage}/acc", correct, len(targets))
        else:
            self._add(f"{stage}/mae", (outputs - targets).abs().mean(), len(targets))

    def _add(self, name: str, mean: Tensor, count: int) -> None:
        total, samples = self._sums.get(name, (torch.zeros((), device=mean.device), 0))
        self._sums[name] = (total + mean.detach() * count, samples + count)

    def _log_means(self, stage: str) -> None:
        """Log here, once: a call of `log` costs as much time as a small network's step."""
        for name in [name for name in self._sums if name.startswith(f"{stage}/")]:
            total, samples = self._sums.pop(name)
            self.log(name, total / samples, sync_dist=True)


def _mse(outputs: Tensor, targets: Tensor) -> Tensor:
    return functional.mse_loss(outputs, targets)

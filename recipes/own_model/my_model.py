"""A network with a shortcut, and a whole LightningModule."""

import math

import torch
from lightning import LightningModule
from torch import nn


class Shortcut(nn.Module):
    """A hidden layer beside a linear path from input to output."""

    def __init__(self, in_shape: tuple[int, ...], out_features: int, *, width: int = 16) -> None:
        super().__init__()
        size = math.prod(in_shape)
        self.direct = nn.Linear(size, out_features)
        self.hidden = nn.Sequential(
            nn.Linear(size, width), nn.ReLU(), nn.Linear(width, out_features)
        )

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        flat = inputs.flatten(1)
        return self.direct(flat) + self.hidden(flat)


class Whole(LightningModule):
    """A module with its own loss, metric and optimizer; provrunner runs it unchanged."""

    def __init__(self, lr: float = 0.01) -> None:
        super().__init__()
        self.lr = lr
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

    def training_step(self, batch, batch_idx):
        inputs, targets = batch
        return nn.functional.cross_entropy(self.net(inputs), targets)

    def validation_step(self, batch, batch_idx):
        inputs, targets = batch
        self.log("val_loss", nn.functional.cross_entropy(self.net(inputs), targets))

    def test_step(self, batch, batch_idx):
        inputs, targets = batch
        self.log("test_loss", nn.functional.cross_entropy(self.net(inputs), targets))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.lr)

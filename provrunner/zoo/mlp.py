"""A multilayer perceptron."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from provrunner.zoo.layers import ActivationName, make_activation

__all__ = ["MLP"]


class MLP(nn.Module):
    """Flatten the input, then apply hidden layers of one width and a linear output."""

    def __init__(
        self,
        in_shape: Sequence[int],
        out_features: int,
        *,
        width: int = 64,
        depth: int = 2,
        dropout: float = 0.0,
        activation: ActivationName = "relu",
    ) -> None:
        """Build the layers.

        Args:
            in_shape: shape of one sample.
            out_features: numbers given for each sample.
            width: units of each hidden layer.
            depth: hidden layers; 0 makes a linear model.
            dropout: probability of a hidden unit to be left out in training.
            activation: `relu`, `gelu`, `tanh` or `silu`.
        """
        super().__init__()
        layers: list[nn.Module] = [nn.Flatten()]
        size = math.prod(in_shape)
        for _ in range(depth):
            layers += [nn.Linear(size, width), make_activation(activation)]
            if dropout:
                layers.append(nn.Dropout(dropout))
            size = width
        self.layers = nn.Sequential(*layers)
        self.output = nn.Linear(size, out_features)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, *in_shape) to (batch, out_features)."""
        result: Tensor = self.output(self.layers(inputs))
        return result

"""A small transformer encoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["Transformer"]


class Transformer(nn.Module):
    """Embed a sample's parts as tokens, let them attend to each other, and average them.

    An image's tokens are its rows, a sequence's its steps, a vector's its numbers.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        out_features: int,
        *,
        width: int = 32,
        heads: int = 4,
        depth: int = 2,
        dropout: float = 0.0,
    ) -> None:
        """Build the layers.

        Args:
            in_shape: (channels, height, width), (steps, features) or (features,) of one sample.
            out_features: numbers given for each sample.
            width: size of a token's embedding, a multiple of `heads`.
            heads: attention heads of a layer.
            depth: encoder layers.
            dropout: probability of an activation to be left out in training.

        Raises:
            ValueError: `heads` does not divide `width`, or the shape has no known tokens.
        """
        super().__init__()
        if width % heads:
            raise ValueError(f"model.width: {width} is no multiple of model.heads, {heads}")
        if not 1 <= len(in_shape) <= 3:
            raise ValueError(f"model: Transformer cannot read samples of shape {tuple(in_shape)}")
        count = in_shape[-2] if len(in_shape) > 1 else in_shape[0]
        size = in_shape[-1] * (in_shape[0] if len(in_shape) == 3 else 1) if in_shape[1:] else 1
        self.embedding = nn.Linear(size, width)
        self.position = nn.Parameter(torch.randn(count, width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, out_features)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, *in_shape) to (batch, out_features)."""
        tokens = self.embedding(_tokens(inputs)) + self.position
        result: Tensor = self.output(self.norm(self.encoder(tokens)).mean(dim=1))
        return result


def _tokens(inputs: Tensor) -> Tensor:
    """Return (batch, tokens, numbers of a token)."""
    if inputs.ndim == 2:
        return inputs.unsqueeze(-1)
    return inputs.transpose(1, 2).flatten(2) if inputs.ndim == 4 else inputs

"""A small convolutional network."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

__all__ = ["ConvNet"]


class ConvNet(nn.Module):
    """Apply blocks of convolution, normalisation, ReLU and pooling, then a linear output."""

    def __init__(
        self,
        in_shape: Sequence[int],
        out_features: int,
        *,
        width: int = 16,
        depth: int = 2,
        kernel_size: int = 3,
        dropout: float = 0.0,
    ) -> None:
        """Build the layers.

        Args:
            in_shape: (channels, height, width) of one sample.
            out_features: numbers given for each sample.
            width: channels of the first block; each later block has twice as many.
            depth: blocks; each halves height and width as long as both are 2 or more.
            kernel_size: an odd number of pixels.
            dropout: probability of a feature to be left out before the output.

        Raises:
            ValueError: the samples are no images, or the kernel's size is even.
        """
        super().__init__()
        if len(in_shape) != 3:
            raise ValueError(
                f"model: ConvNet takes images of shape (channels, height, width); "
                f"the data have shape {tuple(in_shape)}"
            )
        if kernel_size % 2 == 0:
            raise ValueError(f"model.kernel_size: {kernel_size} is even; expected an odd number")
        channels, smaller = in_shape[0], min(in_shape[1:])
        layers: list[nn.Module] = []
        for block in range(depth):
            out = width * 2**block
            layers += [
                nn.Conv2d(channels, out, kernel_size, padding=kernel_size // 2, bias=False),
                nn.BatchNorm2d(out),
                nn.ReLU(),
            ]
            if smaller >= 2:
                layers.append(nn.MaxPool2d(2))
                smaller //= 2
            channels = out
        self.blocks = nn.Sequential(*layers)
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout))
        self.output = nn.Linear(channels, out_features)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, channels, height, width) to (batch, out_features)."""
        result: Tensor = self.output(self.pool(self.blocks(inputs)))
        return result

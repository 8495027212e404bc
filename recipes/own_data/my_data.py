"""A data module that makes its own samples: is a wave fast or slow?"""

import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader, TensorDataset, random_split


class Waves(LightningDataModule):
    """Noisy sine waves of two speeds."""

    in_shape = (32,)
    out_features = 2
    problem = "classification"

    def __init__(self, count: int = 256, noise: float = 0.3, batch_size: int = 32) -> None:
        super().__init__()
        self.count, self.noise, self.batch_size = count, noise, batch_size

    @classmethod
    def check(cls, count: int = 256, **_others: object) -> None:
        """Called before the first run."""
        if count < 10:
            raise ValueError(f"count is {count}; at least 10 waves are needed")

    def setup(self, stage: str) -> None:
        generator = torch.Generator().manual_seed(0)
        fast = torch.randint(0, 2, (self.count,), generator=generator)
        phase = torch.rand(self.count, 1, generator=generator) * 6.28
        time = torch.linspace(0, 6.28, 32)
        waves = torch.sin(time * (1 + fast[:, None]) + phase)
        waves += self.noise * torch.randn(waves.shape, generator=generator)
        samples = TensorDataset(waves, fast)
        self.parts = random_split(samples, [0.6, 0.2, 0.2], generator=generator)

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.parts[0], batch_size=self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.parts[1], batch_size=self.batch_size)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.parts[2], batch_size=self.batch_size)

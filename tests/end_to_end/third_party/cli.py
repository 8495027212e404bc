"""The program of LightningCLI's own documentation."""

from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.demos.boring_classes import BoringDataModule, DemoModel

LightningCLI(DemoModel, BoringDataModule, seed_everything_default=0, save_config_callback=None)

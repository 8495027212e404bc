"""The demos under the package's other name, two Trainers."""

import pytorch_lightning
from pytorch_lightning.demos.boring_classes import BoringDataModule, BoringModel

for epochs in (1, 2):
    trainer = pytorch_lightning.Trainer(
        max_epochs=epochs, limit_train_batches=4, accelerator="cpu", logger=False
    )
    trainer.fit(BoringModel(), BoringDataModule())

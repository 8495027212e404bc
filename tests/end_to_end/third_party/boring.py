"""Lightning's boring model and data module, fitted and tested."""

import lightning
from lightning.pytorch.demos.boring_classes import BoringDataModule, BoringModel

trainer = lightning.Trainer(
    max_epochs=1,
    limit_train_batches=4,
    limit_val_batches=2,
    limit_test_batches=2,
    accelerator="cpu",
    logger=False,
    enable_checkpointing=False,
)
trainer.fit(BoringModel(), BoringDataModule())
trainer.test(BoringModel(), BoringDataModule())

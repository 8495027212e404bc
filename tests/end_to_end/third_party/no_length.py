"""Lightning's boring model on its data module whose data have no length."""

import lightning
from lightning.pytorch.demos.boring_classes import BoringDataModuleNoLen, BoringModel

trainer = lightning.Trainer(
    max_epochs=1,
    limit_train_batches=4,
    limit_val_batches=2,
    accelerator="cpu",
    logger=False,
    enable_checkpointing=False,
)
trainer.fit(BoringModel(), BoringDataModuleNoLen())

"""Lightning's boring model that steps its optimizer itself."""

import lightning
from lightning.pytorch.demos.boring_classes import ManualOptimBoringModel

trainer = lightning.Trainer(
    max_epochs=2, limit_train_batches=4, limit_val_batches=0, accelerator="cpu", logger=False
)
trainer.fit(ManualOptimBoringModel())

"""A Lightning script on one process, then on two, that knows nothing of provrunner."""

import lightning
from lightning.pytorch.demos.boring_classes import BoringModel


class Model(BoringModel):
    def training_step(self, batch, index):
        loss = super().training_step(batch, index)["loss"]
        self.log("loss", loss)
        return loss


if __name__ == "__main__":
    for settings in ({"devices": 1}, {"devices": 2, "strategy": "ddp"}):
        lightning.Trainer(
            max_epochs=1,
            limit_train_batches=2,
            limit_val_batches=0,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            **settings,
        ).fit(Model())

"""Lightning's demo of a transformer language model."""

import lightning
import words
from lightning.pytorch.demos.transformer import LightningTransformer

words.write()
trainer = lightning.Trainer(max_epochs=1, limit_train_batches=3, accelerator="cpu", logger=False)
trainer.fit(LightningTransformer(vocab_size=51))

"""Lightning's demo of an LSTM language model."""

import lightning
import words
from lightning.pytorch.demos.lstm import LightningLSTM

words.write()
trainer = lightning.Trainer(max_epochs=1, limit_train_batches=2, accelerator="cpu", logger=False)
trainer.fit(LightningLSTM(vocab_size=51))

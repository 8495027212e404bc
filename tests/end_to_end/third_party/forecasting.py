"""pytorch-forecasting: N-BEATS on a series of its own data set class."""

import lightning
import numpy as np
import pandas as pd
from pytorch_forecasting import NBeats, TimeSeriesDataSet

frame = pd.DataFrame({"t": range(200), "y": np.sin(np.arange(200) / 5), "series": "a"})
series = TimeSeriesDataSet(
    frame,
    time_idx="t",
    target="y",
    group_ids=["series"],
    max_encoder_length=12,
    min_encoder_length=12,
    max_prediction_length=4,
    time_varying_unknown_reals=["y"],
)
model = NBeats.from_dataset(series, learning_rate=0.01, widths=[8, 16])
trainer = lightning.Trainer(max_epochs=2, limit_train_batches=3, accelerator="cpu", logger=False)
trainer.fit(model, series.to_dataloader(train=True, batch_size=32))

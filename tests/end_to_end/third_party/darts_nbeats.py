"""darts: N-BEATS, which makes its own Trainer of pytorch_lightning."""

import numpy as np
from darts import TimeSeries
from darts.models import NBEATSModel

series = TimeSeries.from_values(np.sin(np.arange(120, dtype="float32") / 5))
model = NBEATSModel(
    input_chunk_length=8,
    output_chunk_length=2,
    n_epochs=2,
    num_stacks=1,
    num_blocks=1,
    layer_widths=8,
    pl_trainer_kwargs={"accelerator": "cpu"},
)
model.fit(series)

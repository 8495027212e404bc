"""neuralforecast: NHITS, which makes its own Trainer."""

import numpy as np
import pandas as pd
from neuralforecast import NeuralForecast
from neuralforecast.models import NHITS

dates = pd.date_range("2024-01-01", periods=120)
frame = pd.DataFrame({"unique_id": "a", "ds": dates, "y": np.sin(np.arange(120) / 5)})
model = NHITS(h=4, input_size=8, max_steps=6, accelerator="cpu", mlp_units=3 * [[8, 8]])
NeuralForecast(models=[model], freq="D").fit(frame)

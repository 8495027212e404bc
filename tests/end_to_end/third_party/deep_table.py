"""deeptab: a regressor with the interface of scikit-learn."""

import numpy as np
import pandas as pd
from deeptab.models import MLPRegressor

random = np.random.default_rng(0)
frame = pd.DataFrame({"a": random.normal(size=200), "b": random.normal(size=200)})
MLPRegressor().fit(frame, (frame.a - frame.b).to_numpy(), max_epochs=2, accelerator="cpu")

"""pytorch-tabular: an embedding network on a table."""

import numpy as np
import pandas as pd
from pytorch_tabular import TabularModel
from pytorch_tabular.config import DataConfig, OptimizerConfig, TrainerConfig
from pytorch_tabular.models import CategoryEmbeddingModelConfig

random = np.random.default_rng(0)
frame = pd.DataFrame({"a": random.normal(size=200), "b": random.normal(size=200)})
frame["y"] = frame.a - frame.b
model = TabularModel(
    data_config=DataConfig(target=["y"], continuous_cols=["a", "b"]),
    model_config=CategoryEmbeddingModelConfig(task="regression", layers="8-4"),
    optimizer_config=OptimizerConfig(),
    trainer_config=TrainerConfig(
        max_epochs=2,
        batch_size=64,
        accelerator="cpu",
        checkpoints=None,
        early_stopping=None,
        load_best=False,
        progress_bar="none",
    ),
)
model.fit(train=frame)

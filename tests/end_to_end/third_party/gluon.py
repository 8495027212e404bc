"""gluonts: a feed-forward estimator, which makes its own Trainer."""

import numpy as np
from gluonts.dataset.common import ListDataset
from gluonts.torch import SimpleFeedForwardEstimator

series = {"start": "2024-01-01", "target": np.sin(np.arange(200) / 5)}
estimator = SimpleFeedForwardEstimator(
    prediction_length=4,
    context_length=8,
    batch_size=8,
    num_batches_per_epoch=4,
    trainer_kwargs={"max_epochs": 2, "accelerator": "cpu"},
)
estimator.train(ListDataset([series], freq="D"))

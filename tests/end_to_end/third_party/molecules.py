"""chemprop: a message-passing network on three molecules."""

import lightning
import numpy as np
from chemprop import data, models, nn

names = ["C", "CC", "CCO", "CCC", "CO", "CCN"]
points = [data.MoleculeDatapoint.from_smi(name, np.array([float(len(name))])) for name in names]
loader = data.build_dataloader(data.MoleculeDataset(points), batch_size=3, num_workers=0)
model = models.MPNN(
    nn.BondMessagePassing(d_h=8), nn.MeanAggregation(), nn.RegressionFFN(input_dim=8)
)
trainer = lightning.Trainer(max_epochs=2, accelerator="cpu", logger=False)
trainer.fit(model, loader)

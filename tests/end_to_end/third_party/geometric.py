"""torch_geometric: a graph network on its own Lightning data module."""

import lightning
import torch
from torch_geometric.data import Data
from torch_geometric.data.lightning import LightningDataset
from torch_geometric.nn import GCNConv, global_mean_pool


class Graphs(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.conv = GCNConv(2, 4)
        self.head = torch.nn.Linear(4, 1)

    def training_step(self, batch, _index):
        hidden = global_mean_pool(self.conv(batch.x, batch.edge_index).relu(), batch.batch)
        loss = torch.nn.functional.mse_loss(self.head(hidden)[:, 0], batch.y)
        self.log("train_loss", loss, batch_size=batch.num_graphs)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)


edges = torch.tensor([[0, 1, 2], [1, 2, 0]])
graphs = [Data(x=torch.randn(3, 2), edge_index=edges, y=torch.randn(1)) for _ in range(16)]
trainer = lightning.Trainer(max_epochs=2, accelerator="cpu", logger=False)
trainer.fit(Graphs(), LightningDataset(graphs, batch_size=4))

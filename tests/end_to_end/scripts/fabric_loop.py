"""A Fabric loop on as many processes as it is told."""

import sys

import lightning
import torch
from torch.utils.data import DataLoader, TensorDataset

import provrunner

if __name__ == "__main__":
    fabric = lightning.Fabric(accelerator="cpu", devices=int(sys.argv[1]))
    fabric.launch()
    with provrunner.run({"lr": 0.1}, name="fabric", objective="loss") as run:
        model = torch.nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        x = torch.arange(32.0).reshape(16, 2) / 32
        model, optimizer = fabric.setup(model, optimizer)
        loader = fabric.setup_dataloaders(DataLoader(TensorDataset(x, x[:, :1]), 4))
        run.watch(model, optimizer=optimizer, data=loader)
        for epoch in range(2):
            for inputs, targets in loader:
                loss = torch.nn.functional.mse_loss(model(inputs), targets)
                optimizer.zero_grad()
                fabric.backward(loss)
                optimizer.step()
                run.log("loss", loss, epoch=epoch)

"""A plain torch loop; the lines with `run` are all that provrunner needs."""

import torch
from torch.utils.data import DataLoader, TensorDataset, random_split

import provrunner

config = {"lr": 0.1, "model": {"width": 16}, "epochs": 4}

with provrunner.run(config, name="loop", seed=0) as run:
    x = torch.randn(256, 4)
    y = torch.sin(x).sum(1, keepdim=True)
    train, val = random_split(TensorDataset(x, y), [192, 64])
    loaders = {"train": DataLoader(train, 32, shuffle=True), "val": DataLoader(val, 64)}
    width = config["model"]["width"]
    model = torch.nn.Sequential(
        torch.nn.Linear(4, width), torch.nn.Tanh(), torch.nn.Linear(width, 1)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=config["lr"])
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    run.watch(model, optimizer=optimizer, scheduler=scheduler, data=loaders)

    step = 0
    for epoch in range(config["epochs"]):
        for inputs, targets in loaders["train"]:
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(model(inputs), targets)
            loss.backward()
            optimizer.step()
            run.log("train/loss", loss, step=step, epoch=epoch)
            step += 1
        scheduler.step()
        with torch.no_grad():
            inputs, targets = next(iter(loaders["val"]))
            run.log("val/loss", torch.nn.functional.mse_loss(model(inputs), targets))

    checkpoint = run.run_folder / "checkpoints" / "last.pt"
    checkpoint.parent.mkdir()
    torch.save(model.state_dict(), checkpoint)
    run.save(checkpoint, role="last")

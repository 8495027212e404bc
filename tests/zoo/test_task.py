import warnings
from functools import partial
from typing import Any

import pytest
import torch
from lightning import LightningDataModule, Trainer
from torch import nn

from provrunner.zoo import MLP, Diabetes, Digits, SupervisedTask

_SGD = partial(torch.optim.SGD, lr=0.1)


def fit(task: SupervisedTask, data: LightningDataModule, **settings: Any) -> Trainer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = Trainer(
            max_epochs=2,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            limit_train_batches=2,
            **settings,
        )
        trainer.fit(task, datamodule=data)
    return trainer


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "out", "problem", "second"),
    [(Digits(), 10, "classification", "acc"), (Diabetes(), 1, "regression", "mae")],
)
def test_a_network_is_fitted_and_its_metrics_logged(data, out, problem, second):
    data.setup()
    task = SupervisedTask(MLP(data.in_shape, out, width=4), _SGD, problem=problem)
    trainer = fit(task, data)
    assert set(trainer.callback_metrics) == {
        "train/loss",
        "val/loss",
        f"val/{second}",
    }
    assert all(torch.isfinite(value) for value in trainer.callback_metrics.values())


@pytest.mark.slow
def test_logged_means_weigh_each_sample_alike():
    data = Digits(val_fraction=0.3)
    data.setup()
    task = SupervisedTask(MLP(data.in_shape, 10, width=4), _SGD, problem="classification")
    trainer = fit(task, data)
    dataset = data.val_dataloader().dataset
    task.eval()
    with torch.no_grad():
        outputs = task(dataset.inputs)
    expected = nn.functional.cross_entropy(outputs, dataset.targets)
    assert len(data.val_dataloader()) == 3
    assert float(trainer.callback_metrics["val/loss"]) == pytest.approx(float(expected), rel=1e-5)
    correct = (outputs.argmax(-1) == dataset.targets).float().mean()
    assert float(trainer.callback_metrics["val/acc"]) == pytest.approx(float(correct), rel=1e-5)


@pytest.mark.slow
def test_a_plateau_scheduler_watches_the_monitored_metric():
    data = Digits()
    data.setup()
    plateau = partial(
        torch.optim.lr_scheduler.ReduceLROnPlateau, mode="max", patience=0, threshold=10
    )
    task = SupervisedTask(
        MLP(data.in_shape, 10, width=4),
        _SGD,
        plateau,
        problem="classification",
        monitor="val/acc",
    )
    trainer = fit(task, data)
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.01)


@pytest.mark.slow
def test_other_schedulers_step_once_an_epoch():
    data = Digits()
    data.setup()
    halve = partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5)
    task = SupervisedTask(MLP(data.in_shape, 10, width=4), _SGD, halve, problem="classification")
    assert fit(task, data).optimizers[0].param_groups[0]["lr"] == pytest.approx(0.025)


def test_a_loss_of_ones_own_replaces_the_problems():
    loss = nn.SmoothL1Loss()
    assert SupervisedTask(nn.Linear(1, 1), _SGD, problem="regression", loss=loss).loss is loss


def test_a_problem_that_is_neither_is_refused():
    with pytest.raises(
        ValueError, match=r"task.problem: None is none of classification, regression"
    ):
        SupervisedTask(nn.Linear(1, 1), _SGD)

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping
from torch.optim import lr_scheduler

from provrunner.capture import CaptureOptions, ProvenanceCallback
from provrunner.capture.networks import Optimizers
from provrunner.capture.optimizers import OptimizerWatch

pytestmark = [
    pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.*"),
]


def weights():
    return [torch.nn.Parameter(torch.zeros(2))]


def watched(optimizer, *schedulers):
    configs = [type("Config", (), {"scheduler": scheduler})() for scheduler in schedulers]
    return OptimizerWatch([optimizer], configs)


def fit(
    sink, make_trainer, classifier, loaders, scheduler, *callbacks, level="default", **settings
):
    callback = ProvenanceCallback(sink, options=CaptureOptions(level=level))
    model = classifier(scheduler=scheduler)
    make_trainer(callback, *callbacks, **settings).fit(model, *loaders)
    callback.close()
    return [
        (event.subject, event.step, event.data["new"], event.data["cause"], event.data["agent"])
        for event in sink.events("adaptation")
    ]


def test_nothing_changed_is_no_change():
    watch = watched(torch.optim.Adam(weights(), lr=0.1))
    assert watch.changes() == []


def test_a_change_is_told_once():
    optimizer = torch.optim.Adam(weights(), lr=0.1)
    watch = watched(optimizer)
    optimizer.param_groups[0]["betas"] = (0.5, 0.999)
    (change,) = watch.changes()
    assert (change.name, change.old, change.new) == ("optimizer.betas", (0.9, 0.999), (0.5, 0.999))
    assert (change.cause, change.agent) == ("manual", "unknown")
    assert watch.changes() == []


def _set(optimizer):
    optimizer.param_groups[0]["lr"] = 0.2


def _add_a_setting(optimizer):
    optimizer.param_groups[0]["warmup"] = 5


def _add_a_group(optimizer):
    optimizer.add_param_group({"params": weights()})


def _put_another_in_the_place_of_a_group(optimizer):
    optimizer.param_groups[0] = dict(optimizer.param_groups[0])


@pytest.mark.parametrize(
    "alter", [_set, _add_a_setting, _add_a_group, _put_another_in_the_place_of_a_group]
)
def test_a_glance_sees_that_something_changed_until_that_was_looked_at(alter):
    optimizer = torch.optim.SGD(weights(), lr=0.1)
    watch = watched(optimizer)
    assert watch.is_as_it_was([optimizer])
    alter(optimizer)
    assert not watch.is_as_it_was([optimizer])
    watch.changes([optimizer])
    assert watch.is_as_it_was([optimizer])


def test_a_glance_sees_no_further_or_other_optimizer_as_the_same():
    optimizer, other = (torch.optim.SGD(weights(), lr=0.1) for _ in range(2))
    watch = watched(optimizer)
    assert [watch.is_as_it_was(given) for given in ([optimizer, other], [other], [])] == [False] * 3


def test_a_rate_that_is_a_tensor_is_never_as_it_was_at_a_glance():
    optimizer = torch.optim.Adam(weights(), lr=torch.tensor(0.5))
    assert not watched(optimizer).is_as_it_was([optimizer])


def test_groups_and_optimizers_have_names_of_their_own():
    two_groups = torch.optim.SGD([{"params": weights()}, {"params": weights(), "lr": 0.2}], lr=0.1)
    watch = OptimizerWatch([two_groups, torch.optim.SGD(weights(), lr=0.3)], [])
    rates = {name: value for name, value in watch.settings() if name.endswith(".lr")}
    assert rates == {
        "optimizer.0.groups.0.lr": 0.1,
        "optimizer.0.groups.1.lr": 0.2,
        "optimizer.1.lr": 0.3,
    }


def test_a_scheduler_explains_the_rate_it_set_and_no_other():
    optimizer = torch.optim.SGD(weights(), lr=1.0)
    scheduler = lr_scheduler.StepLR(optimizer, 1, 0.5)
    watch = watched(optimizer, scheduler)
    optimizer.step()
    scheduler.step()
    (change,) = watch.changes()
    assert (change.new, change.cause) == (0.5, "scheduler")
    assert change.agent == "torch.optim.lr_scheduler.StepLR"
    optimizer.param_groups[0]["lr"] = 0.3
    assert [change.cause for change in watch.changes()] == ["manual"]


def test_a_scheduler_of_an_optimizer_that_fabric_wraps_is_known():
    fabric = lightning.Fabric(accelerator="cpu", devices=1)
    model = torch.nn.Linear(2, 1)
    bare = torch.optim.SGD(model.parameters(), lr=0.1)
    _, wrapped = fabric.setup(model, bare)
    scheduler = lr_scheduler.StepLR(wrapped, 1)
    optimizers = Optimizers()
    assert dict(optimizers.add([wrapped], [scheduler]))["optimizer.lr"] == 0.1
    wrapped.step()
    scheduler.step()
    assert [change.cause for change in optimizers.changes() if change.name == "optimizer.lr"] == [
        "scheduler"
    ]


def test_momentum_that_a_cycle_changes_is_the_schedulers():
    optimizer = torch.optim.SGD(weights(), lr=0.1, momentum=0.9)
    scheduler = lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    watch = watched(optimizer, scheduler)
    optimizer.step()
    scheduler.step()
    causes = {change.name: change.cause for change in watch.changes()}
    assert causes == {"optimizer.lr": "scheduler", "optimizer.momentum": "scheduler"}


def test_a_scheduler_of_another_kind_is_the_cause_where_nobody_else_is_known():
    class Own:
        def __init__(self, optimizer):
            self.optimizer = optimizer

    optimizer = torch.optim.SGD(weights(), lr=0.1)
    watch = watched(optimizer, Own(optimizer))
    optimizer.param_groups[0].update(lr=0.2, weight_decay=0.5)
    causes = {change.name: change.cause for change in watch.changes()}
    assert causes == {"optimizer.lr": "scheduler", "optimizer.weight_decay": "manual"}


def test_a_rate_that_is_a_tensor_is_read_on_the_cpu():
    optimizer = torch.optim.Adam(weights(), lr=torch.tensor(0.5))
    watch = watched(optimizer)
    optimizer.param_groups[0]["lr"].mul_(0.5)
    assert [(change.old, change.new) for change in watch.changes()] == [(0.5, 0.25)]


def test_an_epochs_scheduler_adapts_after_its_last_step(sink, make_trainer, classifier, loaders):
    def halve(optimizer):
        return {"optimizer": optimizer, "lr_scheduler": lr_scheduler.StepLR(optimizer, 1, 0.5)}

    agent = "torch.optim.lr_scheduler.StepLR"
    assert fit(sink, make_trainer, classifier, loaders, halve) == [
        ("optimizer.lr", 3, 0.05, "scheduler", agent),
        ("optimizer.lr", 7, 0.025, "scheduler", agent),
    ]
    assert sink.data("param", "scheduler.gamma")["scheduler.gamma"]["value"] == 0.5


def by_step(optimizer):
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
    return {
        "optimizer": optimizer,
        "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
    }


def test_a_steps_scheduler_adapts_at_every_step(sink, make_trainer, classifier, loaders):
    changes = fit(sink, make_trainer, classifier, loaders, by_step, max_epochs=1)
    assert [change[1:3] for change in changes] == [
        (0, 0.05),
        (1, 0.025),
        (2, 0.0125),
        (3, 0.00625),
    ]


def test_light_looks_once_an_epoch(sink, make_trainer, classifier, loaders):
    changes = fit(sink, make_trainer, classifier, loaders, by_step, level="light", max_epochs=1)
    assert [change[1:3] for change in changes] == [(3, 0.00625)]


def test_a_plateau_is_a_cause_of_its_own(sink, make_trainer, classifier, loaders):
    def on_plateau(optimizer):
        scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0, threshold=9.0)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "monitor": "val/loss"},
        }

    changes = fit(sink, make_trainer, classifier, loaders, on_plateau)
    agent = "torch.optim.lr_scheduler.ReduceLROnPlateau"
    assert changes == [
        ("optimizer.lr", 3, 0.05, "reduce_on_plateau", agent),
        ("optimizer.lr", 7, 0.025, "reduce_on_plateau", agent),
    ]


def test_early_stopping_is_an_adaptation(sink, make_trainer, classifier, loaders):
    stopping = EarlyStopping("val/loss", patience=1, min_delta=100.0)
    changes = fit(sink, make_trainer, classifier, loaders, None, stopping, max_epochs=9)
    agent = "lightning.pytorch.callbacks.early_stopping.EarlyStopping"
    assert changes == [("trainer.should_stop", 7, True, "early_stopping", agent)]

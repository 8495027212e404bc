"""What Lightning can do, one feature a test, checked against its own CSVLogger where it logs."""

import warnings

import lightning
import pytest
import torch
from lightning.pytorch import callbacks as cbs
from lightning.pytorch.loggers import CSVLogger
from support.agreement import assert_agree, csv_rows, rows_by_name
from torch.utils.data import DataLoader, IterableDataset, TensorDataset
from torchmetrics import MeanMetric
from torchmetrics.classification import BinaryAccuracy

from provrunner.capture import ProvenanceCallback
from provrunner.schema import StepMetrics

pytestmark = [
    pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.*"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists"),
    pytest.mark.filterwarnings("ignore:Experiment logs directory .* exists"),
]


def rows(sink):
    return rows_by_name(
        (name, record.step, record.epoch, float(value))
        for record in sink.records
        if isinstance(record, StepMetrics)
        for name, value in record.values.items()
    )


def adaptations(sink, subject=None):
    return [
        (event.subject, event.step, event.data["old"], event.data["new"], event.data["cause"])
        for event in sink.events("adaptation", subject)
    ]


@pytest.fixture
def fit(sink, callback, make_trainer, loaders, tmp_path):
    """Fit beside a CSVLogger that logs each step, and compare with it."""

    def fit(model, *more, train=loaders[0], val=loaders[1], compare=True, **settings):
        logger = CSVLogger(tmp_path / "csv")
        settings = {"logger": logger, "log_every_n_steps": 1, **settings}
        trainer = make_trainer(*more, callback, **settings)
        trainer.fit(model, train, val)
        assert rows(sink)
        if compare:
            assert_agree(rows(sink), csv_rows(logger.log_dir))
        return trainer

    return fit


@pytest.fixture
def stepping(classifier):
    """A classifier with a scheduler that is made of its optimizer."""

    def make(scheduler, interval="epoch", **more):
        def configure(optimizer):
            made = scheduler(optimizer)
            return {
                "optimizer": optimizer,
                "lr_scheduler": {"scheduler": made, "interval": interval, **more},
            }

        torch.manual_seed(0)
        return classifier(lr=0.1, scheduler=configure)

    return make


def test_reduce_on_plateau_is_named_as_the_cause(fit, sink, stepping):
    model = stepping(
        lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(
            o, factor=0.5, patience=0, threshold=9
        ),
        monitor="val/loss",
    )
    fit(model, max_epochs=3)
    found = adaptations(sink, "optimizer.lr")
    assert [row[2:] for row in found] == [
        (0.1, 0.05, "reduce_on_plateau"),
        (0.05, 0.025, "reduce_on_plateau"),
        (0.025, 0.0125, "reduce_on_plateau"),
    ]
    assert sink.events("adaptation")[0].data["agent"].endswith("ReduceLROnPlateau")


def test_one_cycle_changes_rate_and_momentum_at_each_step(fit, sink, stepping):
    model = stepping(
        lambda o: torch.optim.lr_scheduler.OneCycleLR(o, max_lr=0.2, total_steps=8), "step"
    )
    model_optimizer = fit(model, max_epochs=2).optimizers[0]
    found = adaptations(sink, "optimizer.lr")
    assert [row[1] for row in found] == list(range(8))
    assert found[-1][3] == model_optimizer.param_groups[0]["lr"]
    assert {row[4] for row in adaptations(sink)} == {"scheduler"}


def test_warm_restarts_go_up_again(fit, sink, stepping):
    model = stepping(
        lambda o: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=2), "step"
    )
    fit(model, max_epochs=1)
    assert [row[1:4] for row in adaptations(sink, "optimizer.lr")] == [
        (0, 0.1, 0.05),
        (1, 0.05, 0.1),
        (2, 0.1, 0.05),
        (3, 0.05, 0.1),
    ]


def test_several_optimizers_are_told_apart(fit, sink, classifier):
    class Adversarial(classifier):
        def __init__(self):
            super().__init__()
            self.automatic_optimization = False

        def configure_optimizers(self):
            one = torch.optim.Adam(self.hidden.parameters(), 0.1)
            two = torch.optim.SGD(self.out.parameters(), 0.2)
            return [one, two], [torch.optim.lr_scheduler.StepLR(two, 1, 0.5)]

        def training_step(self, batch, index):
            loss = super().training_step(batch, index)
            for optimizer in self.optimizers():
                optimizer.zero_grad()
            self.manual_backward(loss)
            for optimizer in self.optimizers():
                optimizer.step()

        def on_train_epoch_end(self):
            super().on_train_epoch_end()
            self.lr_schedulers().step()

    fit(Adversarial())
    params = sink.data("param")
    assert params["optimizer.0.type"]["value"] == "torch.optim.adam.Adam"
    assert (params["optimizer.0.lr"]["value"], params["optimizer.1.lr"]["value"]) == (0.1, 0.2)
    # Lightning counts a step for each optimizer's step; its loggers count batches.
    assert adaptations(sink) == [
        ("optimizer.1.lr", 3, 0.2, 0.1, "scheduler"),
        ("optimizer.1.lr", 7, 0.1, 0.05, "scheduler"),
    ]


def test_early_stopping_is_an_adaptation_with_its_agent(fit, sink, model, loaders):
    stop = cbs.EarlyStopping("val/loss", patience=1, min_delta=9.0)
    trainer = fit(model, stop, max_epochs=9)
    trainer.test(model, loaders[1])  # which must not tell of the stop again
    (change,) = sink.events("adaptation")
    assert change.subject == "trainer.should_stop"
    assert change.data["cause"] == "early_stopping"
    assert change.data["agent"] == "lightning.pytorch.callbacks.early_stopping.EarlyStopping"


def test_weight_averaging_brings_its_own_scheduler(fit, sink, model):
    swa = cbs.StochasticWeightAveraging(swa_lrs=0.01, swa_epoch_start=1, annealing_epochs=1)
    fit(model, swa, max_epochs=3)
    found = sink.events("adaptation", "optimizer.lr")
    assert found
    assert {event.data["cause"] for event in found} == {"scheduler"}
    assert found[-1].data["agent"] == "torch.optim.swa_utils.SWALR"
    assert found[-1].data["new"] == pytest.approx(0.01)


def test_scheduled_accumulation_is_an_adaptation(fit, sink, model):
    scheduler = cbs.GradientAccumulationScheduler({1: 2})
    fit(model, scheduler, max_epochs=2, compare=False)
    (change,) = sink.events("adaptation")
    assert (change.subject, change.epoch) == ("trainer.accumulate_grad_batches", 1)
    assert change.data == {
        "old": 1,
        "new": 2,
        "cause": "scheduler",
        "agent": (
            "lightning.pytorch.callbacks.gradient_accumulation_scheduler"
            ".GradientAccumulationScheduler"
        ),
    }
    assert [row[0] for row in sink.metrics("index")] == [0, 1, 2, 3, 4, 4, 5, 5]


def test_groups_that_finetuning_adds_are_settings_too(fit, sink, classifier):
    class Frozen(classifier):
        def configure_optimizers(self):
            parts = [part for part in self.parameters() if part.requires_grad]
            return torch.optim.SGD(parts, 0.1)

    class Unfreeze(cbs.BaseFinetuning):
        def freeze_before_training(self, module):
            self.freeze(module.hidden)

        def finetune_function(self, module, epoch, optimizer):
            if epoch == 1:
                self.unfreeze_and_add_param_group(module.hidden, optimizer, lr=0.01)

    fit(Frozen(), Unfreeze(), max_epochs=2)
    assert sink.data("param")["optimizer.lr"]["value"] == 0.1
    assert adaptations(sink, "optimizer.groups.1.lr") == [
        ("optimizer.groups.1.lr", 4, None, 0.01, "manual")
    ]
    assert adaptations(sink, "optimizer.lr") == []


@pytest.mark.parametrize("finder", ["callback", "tuner"])
def test_a_learning_rate_finder_is_an_adaptation_of_the_model(
    sink, callback, make_trainer, model, loaders, finder
):
    from lightning.pytorch.tuner import Tuner

    loaders = DataLoader(loaders[0].dataset, 1), loaders[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if finder == "tuner":
            trainer = make_trainer(callback, max_epochs=1)
            Tuner(trainer).lr_find(model, *loaders, num_training=25)
        else:
            find = cbs.LearningRateFinder(num_training_steps=25)
            trainer = make_trainer(callback, find, max_epochs=1)
        trainer.fit(model, *loaders)
    assert model.hparams.lr != 0.1
    (change,) = sink.events("adaptation", "model.lr")
    assert (change.data["old"], change.data["new"]) == (0.1, model.hparams.lr)
    assert change.data["cause"] == "tuner"
    assert change.data["agent"] == "lightning.pytorch.callbacks.lr_finder.LearningRateFinder"
    assert sink.data("param")["optimizer.lr"]["value"] == model.hparams.lr
    assert [row[0] for row in sink.metrics("index")] == list(range(32))


def test_trial_steps_in_the_middle_of_training_are_not_the_runs(
    sink, callback, make_trainer, model, loaders
):
    class Again(cbs.LearningRateFinder):
        def on_fit_start(self, trainer, module):
            pass

        def on_train_epoch_start(self, trainer, module):
            if trainer.current_epoch == 1:
                self.lr_find(trainer, module)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        make_trainer(callback, Again(num_training_steps=5), max_epochs=2).fit(model, *loaders)
    assert [row[:2] for row in sink.metrics("index")] == [(i, i // 4) for i in range(8)]
    assert [event.data["batches"] for event in sink.events("epoch_end", "train")] == [4, 4]


def test_a_batch_size_finder_is_an_adaptation_of_the_model(
    sink, callback, make_trainer, classifier, loaders
):
    class Sized(classifier):
        def __init__(self, batch_size=2):
            super().__init__()
            self.save_hyperparameters()
            self.hparams.lr = 0.1

        def train_dataloader(self):
            return DataLoader(loaders[0].dataset, self.hparams.batch_size)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        finder = cbs.BatchSizeFinder(mode="power", steps_per_trial=1, max_trials=2)
        make_trainer(callback, finder, max_epochs=1).fit(Sized(), val_dataloaders=loaders[1])
    (change,) = sink.events("adaptation", "model.batch_size")
    assert (change.data["old"], change.data["new"], change.data["cause"]) == (2, 4, "tuner")
    assert sink.data("loader")["train"]["batch_size"] == 4
    assert [row[0] for row in sink.metrics("index")] == list(range(8))


def test_bfloat16_values_are_those_of_the_csv(fit, model):
    fit(model, precision="bf16-mixed")


class _Stream(IterableDataset):
    def __iter__(self):
        return iter([(torch.ones(4), torch.tensor(1))] * 16)


def test_a_stream_without_length_is_described_without_one(fit, sink, model):
    fit(model, train=DataLoader(_Stream(), 4), max_epochs=1)
    assert sink.data("loader")["train"]["batches"] is None
    assert sink.data("split")["train"]["size"] is None
    assert sink.data("dataset")["_Stream"]["type"].endswith("._Stream")
    assert sink.events("epoch_end", "train")[0].data["batches"] == 4


@pytest.mark.filterwarnings("ignore:Trying to infer the `batch_size`")
def test_combined_loaders_are_described_one_by_one(fit, sink, classifier, loaders):
    from lightning.pytorch.utilities import CombinedLoader

    class Pair(classifier):
        def training_step(self, batch, index):
            return super().training_step(batch["a"], index)

    parts = {"a": loaders[0], "b": [loaders[1], loaders[1]]}
    fit(Pair(), train=CombinedLoader(parts, "max_size"), max_epochs=1)
    assert [name for name in sink.data("loader") if name.startswith("train")] == [
        "train/a", "train/b/0", "train/b/1",
    ]  # fmt: skip
    assert sink.data("loader")["train/a"]["batches"] == 4


def test_each_validation_loader_has_its_name(fit, sink, classifier, loaders):
    class Several(classifier):
        def validation_step(self, batch, index, dataloader_idx=0):
            super().validation_step(batch, index)
            self.log(f"own/{dataloader_idx}", 1.0 + dataloader_idx, add_dataloader_idx=False)

    fit(Several(), val=[loaders[1], loaders[1]], max_epochs=1)
    names = {"val/loss/dataloader_idx_0", "val/loss/dataloader_idx_1", "own/0", "own/1"}
    assert names <= rows(sink).keys()
    assert list(sink.data("loader")) == ["train", "val/0", "val/1"]


def test_what_a_sanity_check_leaves_in_a_metric_object_is_no_value(fit, sink, classifier, loaders):
    class Model(classifier):
        def __init__(self):
            super().__init__()
            self.mean = MeanMetric()

        def validation_step(self, batch, index, dataloader_idx):
            self.mean(self(batch[0]).sum())
            self.log("mean", self.mean, on_step=True, on_epoch=True)

    fit(Model(), val=[loaders[1], loaders[1]], num_sanity_val_steps=1)
    assert [step for step, *_ in sink.metrics("mean_step/dataloader_idx_1")] == [0, 1, 2, 3]


def test_every_way_of_logging_is_kept(fit, sink, classifier):
    class Ways(classifier):
        def __init__(self):
            super().__init__()
            self.accuracy = BinaryAccuracy()
            self.mean = MeanMetric()

        def on_train_start(self):
            self.log("at_start", 1.0)

        def on_train_epoch_start(self):
            self.log("at_epoch_start", 2.0)

        def training_step(self, batch, index):
            self.accuracy(self(batch[0]).argmax(1), batch[1])
            self.mean.update(float(index))
            self.log("accuracy", self.accuracy, on_step=True, on_epoch=True)
            self.log("mean", self.mean, on_step=False, on_epoch=True)
            self.log_dict({"a": float(index), "b": torch.tensor(2.0 * index)}, on_epoch=True)
            self.log("sum", float(index), on_epoch=True, reduce_fx=sum)
            self.log("max", float(index), on_step=False, on_epoch=True, reduce_fx="max")
            self.log("synced", float(index), sync_dist=True)
            self.log("whole", index)
            self.log("bar_only", float(index), prog_bar=True, logger=False, on_epoch=True)
            return super().training_step(batch, index)

        def on_before_optimizer_step(self, optimizer):
            self.log("norm", float(self.global_step))

        def on_validation_epoch_end(self):
            self.log("after_validation", 4.0)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        trainer = fit(Ways(), compare=False)
    found = dict(rows(sink))
    assert [row[2] for row in found.pop("bar_only_step")] == [0, 1, 2, 3] * 2
    assert [row[2] for row in found.pop("bar_only_epoch")] == [1.5, 1.5]
    assert_agree(found, csv_rows(trainer.logger.log_dir))
    assert found["sum_epoch"] == [(3, 0, 6.0), (7, 1, 6.0)]
    assert found["mean"] == [(3, 0, 1.5), (7, 1, 1.5)]
    assert found["at_start"][0][2] == 1.0


def test_validation_in_the_middle_of_an_epoch(fit, sink, model):
    fit(model, val_check_interval=2)
    assert [row[:3] for row in sink.metrics("val/loss")] == [
        (1, 0, "validate"), (3, 0, "validate"), (5, 1, "validate"), (7, 1, "validate"),
    ]  # fmt: skip


def test_not_a_number_is_kept(fit, sink, classifier):
    class Lost(classifier):
        def on_validation_epoch_end(self):
            self.log("nothing", float("nan"))

    fit(Lost())
    assert repr(sink.metrics("nothing")[0][3]) == "nan"


def test_what_goes_straight_to_the_loggers_is_kept_once(fit, sink, classifier, tmp_path):
    class Direct(classifier):
        def training_step(self, batch, index):
            self.logger.log_metrics({"direct": index / 2, "word": "good"}, step=10 + index)
            return super().training_step(batch, index)

        def on_fit_end(self):
            self.logger.log_metrics({"last": 5.0})

    loggers = [CSVLogger(tmp_path / "one"), CSVLogger(tmp_path / "two")]
    monitor = cbs.LearningRateMonitor("step")
    fit(Direct(), monitor, logger=loggers, max_epochs=1, compare=False)
    assert sink.metrics("direct") == [(10 + i, 0, "train", i / 2) for i in range(4)]
    assert [event.data["value"] for event in sink.events("value", "word")] == ["good"] * 4
    assert [row[3] for row in sink.metrics("lr-SGD")] == [0.1] * 4
    assert [row[3] for row in sink.metrics("last")] == [5.0]


def test_a_second_fit_says_what_it_set_anew(sink, callback, make_trainer, stepping, loaders):
    model = stepping(lambda o: torch.optim.lr_scheduler.StepLR(o, 1, 0.5))
    trainer = make_trainer(callback, max_epochs=1)
    trainer.fit(model, *loaders)
    trainer.fit_loop.max_epochs = 2
    trainer.fit(model, *loaders)
    assert [row[2:] for row in adaptations(sink, "optimizer.lr")] == [
        (0.1, 0.05, "scheduler"),
        (0.05, 0.1, "configured"),
        (0.1, 0.05, "scheduler"),
    ]
    assert [row[1:] for row in adaptations(sink, "trainer.max_epochs")] == [(3, 1, 2, "manual")]


def test_a_resumed_fit_starts_from_the_rate_it_had(
    sink, callback, make_trainer, stepping, loaders, tmp_path
):
    def model():
        return stepping(lambda o: torch.optim.lr_scheduler.StepLR(o, 1, 0.5))

    first = make_trainer(max_epochs=1)
    first.fit(model(), *loaders)
    first.save_checkpoint(tmp_path / "one.ckpt")
    trainer = make_trainer(callback, max_epochs=2)
    trainer.fit(model(), *loaders, ckpt_path=tmp_path / "one.ckpt")
    assert sink.data("param")["optimizer.lr"]["value"] == 0.05
    assert [row[1:] for row in adaptations(sink, "optimizer.lr")] == [(7, 0.05, 0.025, "scheduler")]
    assert sink.data("checkpoint_loaded")["one.ckpt"]["foreign"] is True
    assert [row[:2] for row in sink.metrics("index")] == [(step, 1) for step in range(4, 8)]


def test_one_callback_follows_trainer_after_trainer(
    sink, callback, make_trainer, classifier, loaders
):
    make_trainer(callback, max_epochs=1).fit(classifier(), *loaders)
    make_trainer(callback, max_epochs=3).fit(classifier(), *loaders)
    assert len(sink.events("run_start")) == 1
    assert [row[2:4] for row in adaptations(sink, "trainer.max_epochs")] == [(1, 3)]
    assert [row[1] for row in sink.metrics("index")] == [0] * 4 + [0] * 4 + [1] * 4 + [2] * 4


def test_two_callbacks_follow_two_trainers_one_after_the_other(
    make_trainer, classifier, loaders, sink
):
    other = type(sink)()
    one, two = ProvenanceCallback(sink), ProvenanceCallback(other)
    trainers = make_trainer(one, max_epochs=1), make_trainer(two, max_epochs=2)
    for trainer in trainers:
        trainer.fit(classifier(), *loaders)
    one.close()
    two.close()
    assert (len(sink.metrics("index")), len(other.metrics("index"))) == (4, 8)


def test_the_whole_log_of_a_framework_that_fits_inside_a_fit(
    sink, callback, make_trainer, classifier, loaders
):
    """A callback that trains a helper with a Trainer of its own is not seen as the run."""

    class Helper(lightning.Callback):
        def on_train_epoch_end(self, trainer, module):
            make_trainer(max_epochs=1).fit(classifier(), *loaders)

    make_trainer(callback, Helper(), max_epochs=1).fit(classifier(), *loaders)
    assert len(sink.metrics("index")) == 4


def test_tensor_data_without_module_names(sink, callback, make_trainer, model):
    samples = TensorDataset(torch.zeros(16, 4), torch.zeros(16, dtype=torch.long))
    loader = DataLoader(samples, 8)
    make_trainer(callback, max_epochs=1, limit_val_batches=0).fit(model, loader, loader)
    assert sink.data("dataset")["TensorDataset"]["classes"] == 1

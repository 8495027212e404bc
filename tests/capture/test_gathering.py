"""Without a logger, Lightning gathers each step's values for nobody; capture leaves that out."""

import importlib

import lightning
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from support.agreement import csv_rows

from provrunner.capture.gathering import gathers_for_nobody

pytestmark = [
    pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.*"),
]
METHODS = ("update_train_step_metrics", "update_eval_step_metrics")


class Reader(lightning.Callback):
    """Reads all that a trainer tells of its metrics, wherever it can be read."""

    def __init__(self):
        self.told = []

    def _read(self, trainer):
        for metrics in (
            trainer.callback_metrics,
            trainer.logged_metrics,
            trainer.progress_bar_metrics,
        ):
            self.told.append({name: repr(value) for name, value in metrics.items()})

    def on_train_batch_start(self, trainer, *_):
        self._read(trainer)

    def on_train_batch_end(self, trainer, *_):
        self._read(trainer)

    def on_validation_batch_start(self, trainer, *_):
        self._read(trainer)

    def on_train_epoch_end(self, trainer, *_):
        self._read(trainer)

    def on_train_end(self, trainer, *_):
        self._read(trainer)


class Late(lightning.Callback):
    """Gives the trainer a logger after its second step."""

    def __init__(self, folder):
        self.logger = CSVLogger(folder)

    def on_train_batch_start(self, trainer, model, batch, index):
        if trainer.global_step == 2:
            trainer.logger = self.logger


def train(make_trainer, classifier, loaders, *callbacks, **settings):
    torch.manual_seed(1)
    trainer = make_trainer(*callbacks, log_every_n_steps=1, **settings)
    trainer.fit(classifier(), *loaders)
    return trainer


def test_a_trainer_tells_of_its_metrics_what_it_tells_without_us(
    make_trainer, classifier, loaders, callback, sink
):
    alone, beside = Reader(), Reader()
    train(make_trainer, classifier, loaders, alone)
    train(make_trainer, classifier, loaders, callback, beside)
    assert beside.told == alone.told
    assert any("late" in names for names in alone.told)
    assert len(sink.metrics("late")) == 8
    assert len(sink.metrics("val/index")) == 4


@pytest.mark.parametrize(("logs", "count"), [(False, 0), (True, 8)])
def test_steps_are_gathered_only_where_a_logger_is(
    make_trainer, classifier, loaders, callback, monkeypatch, tmp_path, logs, count
):
    """Lightning asks whether loggers are due before it gathers for them."""
    asked = []
    connector = type(make_trainer()._logger_connector)
    is_due = connector.should_update_logs.fget
    monkeypatch.setattr(
        connector, "should_update_logs", property(lambda self: asked.append(1) or is_due(self))
    )
    train(
        make_trainer, classifier, loaders, callback, logger=CSVLogger(tmp_path) if logs else False
    )
    assert len(asked) == count


def test_a_logger_that_comes_late_gets_what_it_gets_without_us(
    make_trainer, classifier, loaders, callback, sink, tmp_path
):
    rows = []
    for name, callbacks in (("alone", []), ("beside", [callback])):
        late = Late(tmp_path / name)
        train(make_trainer, classifier, loaders, *callbacks, late)
        rows.append(csv_rows(late.logger.log_dir))
    assert rows[0] == rows[1]
    assert len(rows[0]["index"]) == 6
    assert len(sink.metrics("index")) == 8


def test_a_trainer_that_finds_its_loggers_itself_gathers_for_them(
    classifier, loaders, callback, tmp_path
):
    found, logger = [], CSVLogger(tmp_path)

    class Own(lightning.Trainer):
        @property
        def loggers(self):
            return found

        @loggers.setter
        def loggers(self, loggers):
            self._loggers = []

    class Finds(lightning.Callback):
        def on_train_start(self, trainer, model):
            found.append(logger)

    trainer = Own(
        accelerator="cpu", logger=False, max_epochs=1, log_every_n_steps=1,
        callbacks=[callback, Finds()],
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(classifier(), *loaders)
    assert len(csv_rows(logger.log_dir)["index"]) == 4


@pytest.mark.parametrize("method", ["update_train_step_metrics", "log_metrics"])
def test_who_stands_round_lightning_s_methods_is_called_as_before(
    make_trainer, classifier, loaders, callback, method
):
    class Watcher(lightning.Callback):
        """Comes after us at `log_metrics`, and before us at the step's own method."""

        def __init__(self):
            self.calls = 0

        def _stand(self, trainer):
            connector = trainer._logger_connector
            original = getattr(connector, method)

            def counted(*args, **kwargs):
                self.calls += 1
                return original(*args, **kwargs)

            setattr(connector, method, counted)

        def setup(self, trainer, *_, **__):
            if method != "log_metrics":
                self._stand(trainer)

        def on_train_start(self, trainer, *_):
            if method == "log_metrics":
                self._stand(trainer)

    alone, beside = Watcher(), Watcher()
    train(make_trainer, classifier, loaders, alone)
    train(make_trainer, classifier, loaders, beside, callback)
    assert beside.calls == alone.calls >= 8


@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
def test_the_methods_of_the_lightning_installed_are_known(package):
    trainer = importlib.import_module(package).Trainer(logger=False, accelerator="cpu")
    for method in METHODS:
        assert gathers_for_nobody(trainer, method)()


def test_a_method_that_does_more_is_not_left_out(monkeypatch):
    trainer = lightning.Trainer(logger=False, accelerator="cpu")
    connector = trainer._logger_connector

    def more(self):
        self.tell_the_world()
        self.log_metrics(self.metrics["log"])

    monkeypatch.setattr(type(connector), METHODS[0], more)
    assert gathers_for_nobody(trainer, METHODS[0]) is None
    assert gathers_for_nobody(trainer, METHODS[1]) is not None

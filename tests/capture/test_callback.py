import atexit
import copy
import csv
import pickle
import warnings
from pathlib import Path

import lightning
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from provrunner.capture import CaptureOptions, Leaf, ProvenanceCallback, RunContext
from provrunner.capture.ending import exception_data, outcome_of
from provrunner.own_values import log
from provrunner.schema import EVENT_KINDS, RunStatus

# Lightning's own remarks on tiny data, and a name that torch has renamed under it.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.*"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists"),
]


@pytest.fixture
def callback(sink):
    made = ProvenanceCallback(sink)
    yield made
    made.close()


def fit(callback, make_trainer, model, loaders, **settings):
    trainer = make_trainer(callback, **settings)
    trainer.fit(model, *loaders)
    return trainer


def test_every_logged_value_is_there_at_its_step(sink, callback, make_trainer, model, loaders):
    fit(callback, make_trainer, model, loaders)
    rows = [(step, epoch, stage, value) for step, epoch, stage, value in sink.metrics("index")]
    assert rows == [(4 * e + i, e, "train", float(i)) for e in range(2) for i in range(4)]
    assert [row[0] for row in sink.metrics("late")] == list(range(8))
    assert sink.metrics("very_late") == [(3, 0, "train", 7.0), (7, 1, "train", 7.0)]
    assert sink.metrics("total") == [(3, 0, "train", 4.0), (7, 1, "train", 4.0)]


def test_a_metric_logged_both_ways_has_lightnings_two_names(
    sink, callback, make_trainer, model, loaders
):
    trainer = fit(callback, make_trainer, model, loaders)
    steps = [row[3] for row in sink.metrics("train/loss_step")]
    assert len(steps) == 8
    epochs = sink.metrics("train/loss_epoch")
    assert [row[:3] for row in epochs] == [(3, 0, "train"), (7, 1, "train")]
    assert epochs[1][3] == pytest.approx(sum(steps[4:]) / 4, rel=1e-5)
    assert epochs[1][3] == trainer.callback_metrics["train/loss_epoch"].item()
    assert sink.metrics("train/loss") == []


def test_steps_and_values_are_those_of_lightnings_loggers(
    sink, callback, make_trainer, model, loaders, tmp_path
):
    from lightning.pytorch.loggers import CSVLogger

    logger = CSVLogger(tmp_path)
    fit(callback, make_trainer, model, loaders, logger=logger, log_every_n_steps=1)
    with (Path(logger.log_dir) / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    for name in ("train/loss_step", "train/loss_epoch", "index", "late", "very_late", "val/loss"):
        theirs = [(int(row["step"]), float(row[name])) for row in rows if row[name]]
        assert [(row[0], pytest.approx(row[3])) for row in sink.metrics(name)] == theirs


def test_validation_has_its_stage_and_sanity_checks_are_none(
    sink, callback, make_trainer, model, loaders
):
    fit(callback, make_trainer, model, loaders)
    assert [row[:3] for row in sink.metrics("val/loss")] == [
        (3, 0, "validate"),
        (7, 1, "validate"),
    ]
    assert [row[0] for row in sink.metrics("val/index")] == [0, 1, 2, 3]
    ends = sink.events("epoch_end", "validate")
    assert [(event.epoch, event.data["batches"]) for event in ends] == [(0, 2), (1, 2)]


def test_what_a_step_returns_in_a_mapping_is_recorded(
    classifier, sink, callback, make_trainer, loaders
):
    given = []

    class Returning(classifier):
        def training_step(self, batch, index):
            loss = self.criterion(self(batch[0]), batch[1])
            given.append(loss.item())
            return {"loss": loss, "index": index, "wide": loss.expand(2), "note": "a", "on": True}

        def validation_step(self, batch, index):
            return {"val/index": torch.tensor([float(index)])}

        def test_step(self, batch, index):
            return {"test/index": index}

    model = Returning()
    trainer = fit(callback, make_trainer, model, loaders, accumulate_grad_batches=2)
    trainer.test(model, loaders[1])
    assert sink.metrics("loss") == [
        (2 * (at // 4) + at % 4 // 2, at // 4, "train", value) for at, value in enumerate(given)
    ]
    assert [row[3] for row in sink.metrics("index")] == [0.0, 1.0, 2.0, 3.0] * 2
    assert [row[2:] for row in sink.metrics("on")] == [("train", 1.0)] * 8
    assert [(row[0], *row[2:]) for row in sink.metrics("val/index")] == [
        (0, "validate", 0.0),
        (1, "validate", 1.0),
        (2, "validate", 0.0),
        (3, "validate", 1.0),
    ]
    assert [row[2:] for row in sink.metrics("test/index")] == [("test", 0.0), ("test", 1.0)]
    assert sink.metrics("wide") == sink.metrics("note") == sink.events("value") == []


def test_what_a_step_both_logs_and_returns_is_recorded_as_logged(
    classifier, sink, callback, make_trainer, loaders
):
    class Both(classifier):
        def training_step(self, batch, index):
            loss = super().training_step(batch, index)
            self.log("mean", float(index), on_step=False, on_epoch=True)
            return {"loss": loss, "train/loss": loss, "mean": -1.0, "late": -1.0}

    fit(callback, make_trainer, Both(), loaders)
    assert sink.metrics("mean") == [(3, 0, "train", 1.5), (7, 1, "train", 1.5)]
    assert [row[3] for row in sink.metrics("late")] == [0.0, 1.0, 2.0, 3.0] * 2
    assert sink.metrics("train/loss") == []
    assert [row[3] for row in sink.metrics("loss")] == [
        row[3] for row in sink.metrics("train/loss_step")
    ]


def test_whole_numbers_and_truths_are_returned_as_tensors_too(
    classifier, sink, callback, make_trainer, loaders
):
    class Whole(classifier):
        def training_step(self, batch, index):
            return {
                "loss": self.criterion(self(batch[0]), batch[1]),
                "count": torch.tensor(3),
                "on": torch.tensor(True),
                "many": torch.tensor([1, 2]) if index else torch.tensor(1),
                "odd": torch.tensor(1j),
            }

    fit(callback, make_trainer, Whole(), loaders, max_epochs=1)
    assert [row[3] for row in sink.metrics("count")] == [3.0] * 4
    assert [row[3] for row in sink.metrics("on")] == [1.0] * 4
    assert [row[3] for row in sink.metrics("many")] == [1.0]
    assert sink.metrics("odd") == []


def test_one_name_logged_in_two_hooks_is_one_metric(
    classifier, sink, callback, make_trainer, loaders
):
    class Twice(classifier):
        def training_step(self, batch, index):
            self.log("late", -1.0)
            self.log("seldom", 1.0) if index == 2 else None
            return super().training_step(batch, index)

    fit(callback, make_trainer, Twice(), loaders)
    assert [row[3] for row in sink.metrics("late")] == [0.0, 1.0, 2.0, 3.0] * 2
    assert [row[0] for row in sink.metrics("seldom")] == [2, 6]


def test_a_loss_returned_alone_is_no_metric(classifier, sink, callback, make_trainer, loaders):
    class Plain(classifier):
        def training_step(self, batch, index):
            return self.criterion(self(batch[0]), batch[1])

    fit(callback, make_trainer, Plain(), loaders)
    assert sink.metrics("loss") == []


def test_returned_values_of_several_loaders_are_told_apart(
    classifier, sink, callback, make_trainer, loaders
):
    class Several(classifier):
        def validation_step(self, batch, index, dataloader_idx):
            self.log("x", 1.0)
            return {"which": dataloader_idx, "x": 2.0}

    make_trainer(callback).validate(Several(), [loaders[1], loaders[1]])
    for index in range(2):
        rows = sink.metrics(f"which/dataloader_idx_{index}")
        assert [row[3] for row in rows] == [float(index)] * 2
        assert [row[3] for row in sink.metrics(f"x/dataloader_idx_{index}")] == [1.0]


def test_a_stale_value_is_not_written_again(classifier, sink, callback, make_trainer, loaders):
    class Seldom(classifier):
        def training_step(self, batch, index):
            if index == 1:
                self.log("seldom", 1.0)
            return super().training_step(batch, index)

    fit(callback, make_trainer, Seldom(), loaders, max_epochs=1)
    assert sink.metrics("seldom") == [(1, 0, "train", 1.0)]


def test_numbers_are_kept_as_they_are(classifier, sink, callback, make_trainer, loaders):
    class Odd(classifier):
        def training_step(self, batch, index):
            self.log("odd", [float("nan"), float("inf"), -0.0, 5e-40][index])
            return super().training_step(batch, index)

    fit(callback, make_trainer, Odd(), loaders, max_epochs=1)
    assert str([row[3] for row in sink.metrics("odd")][:3]) == "[nan, inf, -0.0]"
    assert sink.metrics("odd")[3][3] == pytest.approx(5e-40, rel=1e-3)


@pytest.mark.parametrize("level", ["default", "full"])
def test_the_weights_are_the_same_with_and_without(classifier, sink, make_trainer, loaders, level):
    callback = ProvenanceCallback(sink, options=CaptureOptions(level=level))

    def train(*callbacks):
        torch.manual_seed(1)
        model = classifier()
        make_trainer(*callbacks).fit(model, *loaders)
        return torch.nn.utils.parameters_to_vector(model.parameters()), torch.get_rng_state()

    weights, state = train()
    captured_weights, captured_state = train(callback)
    callback.close()
    assert torch.equal(weights, captured_weights)
    assert torch.equal(state, captured_state)
    assert len(sink.metrics("index")) == 8


def test_epochs_and_stages_are_framed(sink, callback, make_trainer, model, loaders):
    trainer = fit(callback, make_trainer, model, loaders)
    trainer.test(model, loaders[1], verbose=False)
    frames = [
        (record.kind, record.subject)
        for record in sink.records
        if getattr(record, "kind", "").endswith(("_start", "_end")) and record.subject
    ]
    epoch = [
        ("epoch_start", "train"),
        ("epoch_start", "validate"),
        ("epoch_end", "validate"),
        ("epoch_end", "train"),
    ]
    assert frames == [
        ("stage_start", "fit"),
        *epoch,
        *epoch,
        ("stage_end", "fit"),
        ("stage_start", "test"),
        ("epoch_start", "test"),
        ("epoch_end", "test"),
        ("stage_end", "test"),
    ]
    assert sink.closed is None


def test_gradient_accumulation_keeps_the_value_of_every_batch(
    sink, callback, make_trainer, model, loaders
):
    fit(callback, make_trainer, model, loaders, max_epochs=1, accumulate_grad_batches=2)
    assert [row[0] for row in sink.metrics("index")] == [0, 0, 1, 1]


def test_manual_optimisation_is_recorded(classifier, sink, callback, make_trainer, loaders):
    class Manual(classifier):
        def __init__(self):
            super().__init__()
            self.automatic_optimization = False

        def training_step(self, batch, index):
            loss = super().training_step(batch, index)
            optimizer = self.optimizers()
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
            if index == 2:
                optimizer.param_groups[0]["lr"] = 0.05

    fit(callback, make_trainer, Manual(), loaders, max_epochs=1)
    assert len(sink.metrics("train/loss_step")) == 4
    (change,) = sink.events("adaptation")
    assert (change.subject, change.step) == ("optimizer.lr", 2)
    assert change.data == {"old": 0.1, "new": 0.05, "cause": "manual", "agent": "unknown"}


def test_the_trial_steps_of_a_learning_rate_finder_are_not_the_runs(
    sink, callback, make_trainer, model, loaders
):
    from lightning.pytorch.tuner import Tuner

    trainer = make_trainer(callback, max_epochs=1, enable_progress_bar=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Tuner(trainer).lr_find(model, *loaders, num_training=3, update_attr=False)
    trainer.fit(model, *loaders)
    assert [row[0] for row in sink.metrics("index")] == [0, 1, 2, 3]
    assert [event.data["batches"] for event in sink.events("epoch_end", "train")] == [4]


def test_an_epoch_resumed_in_its_middle_is_framed(
    sink, callback, make_trainer, model, loaders, tmp_path
):
    saving = lightning.pytorch.callbacks.ModelCheckpoint(
        tmp_path, "{step}", every_n_train_steps=2, save_top_k=-1
    )
    make_trainer(saving, max_epochs=1, enable_checkpointing=True).fit(model, *loaders)
    with warnings.catch_warnings():
        # Lightning remarks that the loader starts anew.
        warnings.simplefilter("ignore")
        trainer = make_trainer(callback, max_epochs=1)
        trainer.fit(model, *loaders, ckpt_path=tmp_path / "step=2.ckpt")
    assert [row[0] for row in sink.metrics("index")] == [2, 3]
    assert len(sink.events("epoch_start", "train")) == len(sink.events("epoch_end", "train")) == 1


def test_fitting_twice_goes_on_in_one_log(sink, callback, make_trainer, model, loaders):
    trainer = fit(callback, make_trainer, model, loaders, max_epochs=1)
    trainer.fit_loop.max_epochs = 2
    trainer.fit(model, *loaders)
    assert len(sink.events("run_start")) == 1
    assert len(sink.events("stage_start", "fit")) == 2
    assert [row[0] for row in sink.metrics("index")] == list(range(8))


@pytest.mark.parametrize("stage", ["validate", "test", "predict"])
def test_a_stage_alone_is_recorded(sink, callback, make_trainer, model, loaders, stage):
    trainer = make_trainer(callback)
    verbose = {} if stage == "predict" else {"verbose": False}
    getattr(trainer, stage)(model, loaders[1], **verbose)
    (end,) = sink.events("epoch_end", stage)
    assert end.data["batches"] == 2
    assert [event.subject for event in sink.events("layer")] == ["hidden", "dropout", "out"]
    split = {"validate": "val"}.get(stage, stage)
    assert sink.data("split")[split]["size"] == 8
    assert sink.events("capture_failed") == []


def test_the_other_packages_trainer_takes_it(sink, make_trainer, loaders):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONWARNINGS", "ignore")
        pytorch_lightning = pytest.importorskip("pytorch_lightning")

    class Other(pytorch_lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(4, 2)

        def training_step(self, batch, index):
            loss = self.layer(batch[0]).sum()
            self.log("loss", loss)
            return loss

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.001)

    callback = ProvenanceCallback(sink)
    assert isinstance(callback, pytorch_lightning.Callback)
    assert isinstance(callback, lightning.Callback)
    trainer = pytorch_lightning.Trainer(
        callbacks=callback,
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Other(), loaders[0])
    callback.close()
    assert len(sink.metrics("loss")) == 4
    assert sink.data("agent")["pytorch_lightning"]["type"] == "software"


def test_an_exception_is_recorded_and_closes_the_log(classifier, sink, make_trainer, loaders):
    class Failing(classifier):
        def training_step(self, batch, index):
            if index == 2:
                token = "ghp_" + "a" * 36
                raise ValueError(f"bad batch of {token}")
            return super().training_step(batch, index)

    callback = ProvenanceCallback(sink)
    with pytest.raises(ValueError, match="bad batch"):
        make_trainer(callback).fit(Failing(), *loaders)
    (event,) = sink.events("exception")
    assert event.data["type"] == "builtins.ValueError"
    assert event.data["message"] == "bad batch of ***"
    assert "training_step" in event.data["traceback"]
    assert event.step == 1
    assert sink.closed == ("failed", "ValueError: bad batch of ***")
    assert len(sink.metrics("index")) == 2
    assert len(sink.events("layer")) == 3
    assert [end.subject for end in sink.events("stage_end")] == ["fit"]


@pytest.mark.parametrize("what", ["outcome_of", "exception_data"])
@pytest.mark.filterwarnings("ignore:provrunner could not capture all:RuntimeWarning")
def test_an_exception_whose_record_a_signal_handler_broke_off_is_recorded_at_the_end(
    classifier, sink, make_trainer, loaders, monkeypatch, what
):
    class Failing(classifier):
        def training_step(self, batch, index):
            raise ValueError("bad batch")

    place, broken_off = f"provrunner.capture.callback.{what}", []
    whole = {"outcome_of": outcome_of, "exception_data": exception_data}[what]

    def broken(exception):
        if not broken_off:
            broken_off.append(exception)
            raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed.")
        return whole(exception)

    monkeypatch.setattr(place, broken)
    callback = ProvenanceCallback(sink)
    with pytest.raises(ValueError, match="bad batch"):
        fit(callback, make_trainer, Failing(), loaders)
    callback.close()
    (told,) = sink.events("exception")
    assert (told.data["type"], told.data["message"]) == ("builtins.ValueError", "bad batch")
    assert sink.closed == ("failed", "ValueError: bad batch")


def test_an_interrupt_is_told_from_a_failure(classifier, sink, make_trainer, loaders):
    class Interrupted(classifier):
        def training_step(self, batch, index):
            raise KeyboardInterrupt

    callback = ProvenanceCallback(sink)
    with pytest.raises(SystemExit):
        make_trainer(callback).fit(Interrupted(), *loaders)
    assert sink.closed == ("interrupted", "KeyboardInterrupt")


def test_out_of_memory_has_its_own_reason(classifier, sink, make_trainer, loaders):
    class Hungry(classifier):
        def training_step(self, batch, index):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")

    callback = ProvenanceCallback(sink)
    with pytest.raises(torch.OutOfMemoryError):
        make_trainer(callback).fit(Hungry(), *loaders)
    assert sink.closed == ("failed", "oom")
    assert sink.events("exception")[0].data["memory"] is None


def test_the_runner_owns_the_end(classifier, sink, make_trainer, loaders):
    class Failing(classifier):
        def training_step(self, batch, index):
            raise ValueError("no")

    callback = ProvenanceCallback(sink, context=RunContext(owns_end=True))
    with pytest.raises(ValueError, match="no"):
        make_trainer(callback).fit(Failing(), *loaders)
    assert sink.closed is None
    assert callback.outcome == (RunStatus.FAILED, "ValueError: no")
    callback.finish(RunStatus.DIVERGED, "train/loss is NaN")
    callback.finish(RunStatus.FINISHED)
    assert sink.closed == ("diverged", "train/loss is NaN")


def test_a_run_that_ended_before_its_trainer_is_closed_with_its_status(sink):
    callback = ProvenanceCallback(sink, context=RunContext(owns_end=True))
    callback.finish(RunStatus.FAILED, "no data")
    assert (sink.rank, sink.closed) == (0, ("failed", "no data"))


@pytest.mark.filterwarnings("ignore:provrunner could not capture all:RuntimeWarning")
def test_a_flush_that_fails_does_not_keep_the_log_from_its_seal(sink, make_trainer, model, loaders):
    def fail():
        raise OSError(5, "Input/output error")

    callback = ProvenanceCallback(sink)
    fit(callback, make_trainer, model, loaders, max_epochs=1)
    sink.flush = fail
    callback.close()
    assert sink.closed == ("finished", None)
    assert [event.subject for event in sink.events("overhead")] == ["train", ""]


def test_a_failure_before_any_trainer_is_recorded(sink):
    callback = ProvenanceCallback(sink, context=RunContext(owns_end=True))
    callback.fail(FileNotFoundError("data.csv"))
    assert sink.events("exception")[0].data["message"] == "data.csv"
    assert sink.closed == ("failed", "FileNotFoundError: data.csv")


def test_a_callback_that_nobody_used_writes_nothing(sink):
    ProvenanceCallback(sink).close()
    assert (sink.rank, sink.records, sink.closed) == (None, [], None)


@pytest.mark.filterwarnings("ignore:provrunner could not capture all:RuntimeWarning")
def test_a_failing_probe_becomes_one_event_and_training_goes_on(
    sink, callback, make_trainer, model, loaders, monkeypatch
):
    def look_for_changes():
        raise RuntimeError("probe is broken")

    monkeypatch.setattr(callback._recording.watch, "look_for_changes", look_for_changes)
    trainer = fit(callback, make_trainer, model, loaders)
    assert trainer.state.finished
    (failure,) = sink.events("capture_failed")
    assert failure.data == {"error": "RuntimeError: probe is broken", "hook": "look_for_changes"}
    assert len(sink.metrics("index")) == 8
    assert len(sink.events("epoch_end", "train")) == 2


def test_a_sink_that_fails_does_not_reach_training(callback, sink, make_trainer, model, loaders):
    def fail(_records):
        raise OSError(28, "No space left on device")

    sink.write = fail
    with pytest.warns(RuntimeWarning, match="could not capture all"):
        trainer = fit(callback, make_trainer, model, loaders)
    assert trainer.state.finished


def test_strict_lets_a_failing_probe_stop_the_run(sink, make_trainer, model, loaders, monkeypatch):
    callback = ProvenanceCallback(sink, options=CaptureOptions(strict=True))

    def fail():
        raise RuntimeError("probe is broken")

    monkeypatch.setattr(callback._recording.watch, "look_for_changes", fail)
    with pytest.raises(RuntimeError, match="probe is broken"):
        fit(callback, make_trainer, model, loaders)


def test_the_trainer_is_left_as_it_was_found(callback, make_trainer, model, loaders):
    trainer = fit(callback, make_trainer, model, loaders)
    callback.close()
    assert "update_train_step_metrics" not in vars(trainer._logger_connector)
    assert "save_checkpoint" not in vars(trainer.strategy)
    assert callback.state_dict() == {}


def test_what_is_excluded_is_in_no_record(sink, make_trainer, model, loaders):
    options = CaptureOptions(exclude=("layer", "train/*", "optimizer.*", "environment"))
    callback = ProvenanceCallback(sink, options=options)
    fit(callback, make_trainer, model, loaders, max_epochs=1)
    callback.close()
    assert "train/loss" not in repr(sink.records)
    assert not [event for event in sink.events("param") if event.subject.startswith("optimizer")]
    assert not {"layer", "environment"} & sink.kinds()
    assert len(sink.metrics("index")) == 4


def test_include_keeps_only_what_matches_and_what_a_log_needs(sink, make_trainer, model, loaders):
    callback = ProvenanceCallback(sink, options=CaptureOptions(include=("index", "epoch_*")))
    fit(callback, make_trainer, model, loaders, max_epochs=1)
    callback.close()
    assert sink.kinds() == {"run_start", "epoch_start", "epoch_end"}
    assert len(sink.metrics("index")) == 4
    assert sink.metrics("late") == []


def test_light_leaves_out_data_layers_and_sources(sink, make_trainer, model, loaders):
    callback = ProvenanceCallback(sink, options=CaptureOptions(level="light"))
    fit(callback, make_trainer, model, loaders, max_epochs=1)
    callback.close()
    left_out = {"layer", "dataset", "split", "loader", "source", "resources", "transform"}
    assert not left_out & sink.kinds()
    assert sink.data("code")[""]["patch"] is None
    assert sink.data("environment")[""]["packages"] == {}
    assert len(sink.metrics("index")) == 4


def test_every_event_has_the_fields_of_its_kind(sink, make_trainer, model, loaders):
    callback = ProvenanceCallback(sink, options=CaptureOptions(level="full"))
    fit(callback, make_trainer, model, loaders, max_epochs=1, enable_checkpointing=True)
    callback.close()
    for kind in sink.kinds():
        for event in sink.events(kind):
            assert set(event.data) <= set(EVENT_KINDS[kind]), kind
    assert sink.kinds() >= {
        "agent", "checkpoint", "code", "dataset", "environment", "epoch_end", "layer", "loader",
        "model", "overhead", "param", "resources", "run_start", "source", "split", "stage_end",
    }  # fmt: skip


def test_the_configuration_takes_the_place_of_the_objects_hyperparameters(
    sink, make_trainer, model, loaders
):
    context = RunContext(
        run_id="0003-9f2c41d8",
        seed=5,
        command=("python", "-m", "provrunner", "db.password=hunter2", "--api-key", "abc"),
        reason="try",
        config=(
            Leaf("optimizer.lr", 0.1, "axis", "optimizer.lr=choice(0.1,1)", reads=1),
            Leaf("db.password", "hunter2", "file", "conf/db.yaml"),
        ),
    )
    callback = ProvenanceCallback(sink, context=context)
    fit(callback, make_trainer, model, loaders, max_epochs=1)
    callback.close()
    (start,) = sink.events("run_start")
    assert start.data["run_id"] == "0003-9f2c41d8"
    assert start.data["command"][3:] == ["db.password=***", "--api-key", "***"]
    init = [event for event in sink.events("param") if event.data["phase"] == "init"]
    assert [event.subject for event in init] == ["optimizer.lr", "db.password"]
    assert init[0].data["origin"] == "axis"
    assert init[1].data["value"].startswith("*** (")
    assert "hunter2" not in repr(sink.records)


def test_alone_the_hyperparameters_come_from_the_model(
    sink, callback, make_trainer, model, loaders
):
    fit(callback, make_trainer, model, loaders, max_epochs=1)
    assert sink.data("param", "model.lr")["model.lr"] == {
        "value": 0.1,
        "type": "float",
        "origin": None,
        "source": None,
        "reads": None,
        "phase": "init",
    }
    assert sink.data("param")["trainer.max_epochs"]["value"] == 1
    assert sink.data("param")["optimizer.lr"]["phase"] == "object"


def test_alone_the_seed_is_the_one_that_the_program_set(
    sink, callback, make_trainer, model, loaders, monkeypatch
):
    monkeypatch.setenv("PL_GLOBAL_SEED", "17")
    fit(callback, make_trainer, model, loaders, max_epochs=1)
    assert sink.events("run_start")[0].data["seed"] == 17
    assert sink.data("param")["loss.label_smoothing"]["value"] == 0.0


def test_values_of_ones_own_are_logged_beside_lightnings(
    classifier, sink, callback, make_trainer, loaders
):
    class Own(classifier):
        def training_step(self, batch, index):
            log("margin", index / 2)
            log("margin", "wide" if index else [1, float("nan")])
            return super().training_step(batch, index)

    fit(callback, make_trainer, Own(), loaders, max_epochs=1)
    assert sink.metrics("margin") == [(i, 0, "train", i / 2) for i in range(4)]
    values = [event.data["value"] for event in sink.events("value", "margin")]
    assert values == [[1, "NaN"], "wide", "wide", "wide"]


def test_a_very_long_name_is_cut_and_marked(sink, callback, make_trainer, model, loaders):
    callback.log_value("x" * 5000, 1.0)
    callback.log_value("é\n☃ ", 2.0)
    names = [name for record in sink.records for name in record.values]
    assert len(names[0]) < 4200
    assert "[sha256:" in names[0]
    assert names[1] == "é\n☃ "


def test_it_travels_to_another_process_as_a_fresh_callback(callback, sink):
    class_kept = pickle.loads(pickle.dumps(ProvenanceCallback(_PicklableSink())))
    assert isinstance(class_kept, ProvenanceCallback)
    assert isinstance(copy.deepcopy(callback), lightning.Callback)


def test_other_ranks_write_only_what_differs(sink, make_trainer, model, loaders, monkeypatch):
    callback = ProvenanceCallback(sink)
    trainer = make_trainer(callback, max_epochs=1)
    monkeypatch.setattr(type(trainer), "global_rank", 1)
    trainer.fit(model, *loaders)
    callback.close()
    assert sink.rank == 1
    assert len(sink.metrics("index")) == 4
    assert sink.kinds() == {
        "stage_start", "stage_end", "epoch_start", "epoch_end", "resources", "overhead",
    }  # fmt: skip


def test_the_log_is_closed_at_the_end_of_the_interpreter(
    sink, callback, make_trainer, model, loaders, monkeypatch
):
    at_exit = []
    monkeypatch.setattr(atexit, "register", at_exit.append)
    fit(callback, make_trainer, model, loaders, max_epochs=1)
    assert sink.closed is None
    at_exit[0]()
    assert sink.closed == ("finished", None)


class _PicklableSink:
    def open(self, rank, ranks=1):
        pass

    def write(self, records):
        pass

    def flush(self):
        pass

    def close(self, status, reason=None):
        pass


def test_a_second_callback_of_a_trainer_is_warned_of_and_logs_the_same(
    sink, callback, make_trainer, model, loaders
):
    other = type(sink)()
    second = ProvenanceCallback(other)
    with pytest.warns(RuntimeWarning, match="has 2 ProvenanceCallbacks: .* remove all but one"):
        make_trainer(callback, second, max_epochs=1).fit(model, *loaders)
    second.close()
    assert [len(each.metrics("index")) for each in (sink, other)] == [4, 4]


def test_a_loader_with_workers_writes_nothing_twice(sink, callback, make_trainer, model):
    samples = TensorDataset(torch.zeros(16, 4), torch.zeros(16, dtype=torch.long))
    loader = DataLoader(samples, 8, num_workers=1)
    make_trainer(callback, max_epochs=1, limit_val_batches=0).fit(model, loader, loader)
    assert [row[0] for row in sink.metrics("index")] == [0, 1]

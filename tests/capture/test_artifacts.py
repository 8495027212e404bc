import hashlib
import os
import threading

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from provrunner.capture import CaptureOptions, ProvenanceCallback, RunContext, artifacts, hashing

pytestmark = [
    pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.*"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists"),
]


@pytest.fixture
def callback(sink, tmp_path):
    made = ProvenanceCallback(sink, context=RunContext(folder=tmp_path))
    yield made
    made.close()


def test_a_checkpoint_has_digest_size_metric_and_role(
    sink, callback, make_trainer, model, loaders, tmp_path
):
    saving = ModelCheckpoint(
        tmp_path / "checkpoints", "{epoch}", monitor="val/loss", save_last=True, save_top_k=-1
    )
    trainer = make_trainer(callback, saving, enable_checkpointing=True)
    trainer.fit(model, *loaders)
    events = sink.events("checkpoint")
    assert [(event.subject, event.epoch, event.step) for event in events] == [
        ("checkpoints/epoch=0.ckpt", 0, 3),
        ("checkpoints/last.ckpt", 0, 3),
        ("checkpoints/epoch=1.ckpt", 1, 7),
        ("checkpoints/last.ckpt", 1, 7),
    ]
    assert [event.data["role"] for event in events[:2]] == ["best", "last"]
    content = (tmp_path / "checkpoints" / "epoch=0.ckpt").read_bytes()
    assert events[0].data["sha256"] == hashlib.sha256(content).hexdigest()
    assert events[0].data["size_bytes"] == len(content)
    assert events[0].data["metric"] == "val/loss"
    assert events[0].data["value"] == pytest.approx(sink.metrics("val/loss")[0][3])


def test_a_deleted_checkpoint_is_not_forgotten(
    sink, callback, make_trainer, model, loaders, tmp_path
):
    saving = ModelCheckpoint(tmp_path / "checkpoints", "{epoch}")
    make_trainer(callback, saving, enable_checkpointing=True).fit(model, *loaders)
    (deleted,) = sink.events("checkpoint_deleted")
    assert deleted.subject == "checkpoints/epoch=0.ckpt"
    assert deleted.data == {"sha256": sink.events("checkpoint")[0].data["sha256"]}
    assert not (tmp_path / deleted.subject).exists()


def test_a_checkpoint_saved_by_hand_after_training_is_recorded(
    sink, callback, make_trainer, model, loaders, tmp_path
):
    trainer = make_trainer(callback, max_epochs=1)
    trainer.fit(model, *loaders)
    trainer.save_checkpoint(tmp_path / "final.ckpt")
    (event,) = sink.events("checkpoint")
    assert (event.subject, event.data["role"]) == ("final.ckpt", "manual")


def test_a_loaded_checkpoint_of_this_run_is_not_foreign(
    sink, callback, make_trainer, model, loaders, tmp_path
):
    trainer = make_trainer(callback, max_epochs=1)
    trainer.fit(model, *loaders)
    trainer.save_checkpoint(tmp_path / "final.ckpt")
    trainer.test(model, loaders[1], ckpt_path=tmp_path / "final.ckpt", verbose=False)
    (loaded,) = sink.events("checkpoint_loaded")
    assert loaded.data == {"sha256": sink.events("checkpoint")[0].data["sha256"], "foreign": False}


def test_a_checkpoint_from_elsewhere_is_foreign_and_training_goes_on_from_it(
    sink, callback, make_trainer, model, loaders, tmp_path_factory
):
    before = make_trainer(max_epochs=1)
    before.fit(model, *loaders)
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "old.ckpt"
    before.save_checkpoint(elsewhere)
    make_trainer(callback, max_epochs=2).fit(model, *loaders, ckpt_path=elsewhere)
    (loaded,) = sink.events("checkpoint_loaded")
    assert loaded.subject == elsewhere.as_posix()
    assert loaded.data["foreign"]
    assert [row[:2] for row in sink.metrics("index")] == [(4, 1), (5, 1), (6, 1), (7, 1)]


@pytest.mark.filterwarnings("ignore:..fit.ckpt_path=None.. was called without a model")
@pytest.mark.filterwarnings("ignore:.fit.ckpt_path=.last.. is set, but there is no last")
def test_a_checkpoint_saved_on_an_exception_comes_before_the_seal(
    sink, make_trainer, classifier, loaders, tmp_path
):
    class Failing(classifier):
        def training_step(self, batch, index):
            if index == 2:
                raise ValueError("no")
            return super().training_step(batch, index)

    callback = ProvenanceCallback(sink, context=RunContext(folder=tmp_path))
    saving = lightning.pytorch.callbacks.OnExceptionCheckpoint(tmp_path, "crash")
    with pytest.raises(ValueError, match="no"):
        make_trainer(callback, saving, enable_checkpointing=True).fit(Failing(), *loaders)
    assert [event.subject for event in sink.events("checkpoint")] == ["crash.ckpt"]
    assert sink.closed == ("failed", "ValueError: no")


class Heavy(lightning.Callback):
    """Makes each checkpoint of two numbers and so many bytes."""

    def __init__(self, size_bytes):
        self.size_bytes = size_bytes

    def on_save_checkpoint(self, trainer, module, checkpoint):
        checkpoint["ballast"] = torch.full((self.size_bytes,), trainer.current_epoch).byte()


def test_large_checkpoints_are_hashed_beside_the_training(
    sink, callback, make_trainer, model, loaders, tmp_path, monkeypatch
):
    monkeypatch.setattr(artifacts, "_LARGE_BYTES", 100_000)
    saving = ModelCheckpoint(tmp_path / "checkpoints", "{epoch}", save_last=True)
    written = {}

    class Witness(lightning.Callback):
        def on_train_epoch_start(self, trainer, module):
            for path in (tmp_path / "checkpoints").glob("*"):
                content = path.read_bytes()
                written[trainer.current_epoch - 1, path.name] = hashlib.sha256(content).hexdigest()

    trainer = make_trainer(
        callback, saving, Heavy(100_000), Witness(), enable_checkpointing=True, max_epochs=3
    )
    trainer.fit(model, *loaders)
    events = sink.events("checkpoint")
    kept = {
        (event.epoch, event.subject.rpartition("/")[2]): event.data["sha256"] for event in events
    }
    assert len(kept) == 6
    assert written.items() <= kept.items()
    assert [(event.step, event.epoch) for event in events] == [
        (3, 0), (3, 0), (7, 1), (7, 1), (11, 2), (11, 2),
    ]  # fmt: skip
    deleted = [event.subject for event in sink.events("checkpoint_deleted")]
    assert deleted == ["checkpoints/epoch=0.ckpt", "checkpoints/epoch=1.ckpt"]


def test_a_file_that_changes_while_it_is_hashed_has_no_digest_yet(tmp_path, monkeypatch):
    path = tmp_path / "a.ckpt"
    path.write_bytes(b"half")
    threads, told = [], []
    read = os.read

    def read_and_write(descriptor, size):
        threads.append(threading.current_thread().name)
        block = read(descriptor, size)
        if len(threads) == 1:
            path.write_bytes(b"half and half")
        return block

    monkeypatch.setattr(hashing.os, "read", read_and_write)
    hashing.BackgroundHash(path, lambda *digest: told.append(digest)).wait()
    assert set(threads) == {"provrunner-hash"}
    assert [sha256 for sha256, _ in told] == [None]


def test_a_file_without_a_digest_is_hashed_at_the_end(tmp_path):
    told = []
    path = tmp_path / "a.ckpt"
    path.write_bytes(b"whole")
    watch = artifacts.CheckpointWatch(tmp_path, lambda *event: told.append(event))
    watch._write(path, {"role": "last"}, watch._emit, None, 0)
    assert told == []
    watch.settle()
    assert told[0][2]["sha256"] == hashlib.sha256(b"whole").hexdigest()


def test_a_metric_that_is_excluded_is_not_named_by_a_checkpoint(
    sink, make_trainer, model, loaders, tmp_path
):
    callback = ProvenanceCallback(sink, options=CaptureOptions(exclude=("val/*",)))
    saving = ModelCheckpoint(tmp_path, "{epoch}", monitor="val/loss")
    make_trainer(callback, saving, enable_checkpointing=True, max_epochs=1).fit(model, *loaders)
    callback.close()
    (event,) = sink.events("checkpoint")
    assert (event.data["metric"], event.data["value"], event.data["role"]) == (None, None, "best")

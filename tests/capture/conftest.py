import logging

import lightning
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset, random_split

from provrunner.capture import ProvenanceCallback
from provrunner.schema import Event, StepMetrics


class ListSink:
    """Keeps what it is given."""

    def __init__(self):
        self.records = []
        self.rank = None
        self.closed = None

    def open(self, rank, ranks=1):
        self.rank = rank

    def write(self, records):
        assert self.closed is None
        self.records += records

    def flush(self):
        pass

    def close(self, status, reason=None):
        assert self.closed is None
        self.closed = (str(status), reason)

    def events(self, kind, subject=None):
        return [
            record
            for record in self.records
            if isinstance(record, Event)
            and record.kind == kind
            and subject in (None, record.subject)
        ]

    def data(self, kind, subject=None):
        return {event.subject: event.data for event in self.events(kind, subject)}

    def metrics(self, name):
        """Rows (step, epoch, stage, value) of one metric."""
        return [
            (record.step, record.epoch, record.stage, float(record.values[name]))
            for record in self.records
            if isinstance(record, StepMetrics) and name in record.values
        ]

    def kinds(self):
        return {record.kind for record in self.records if isinstance(record, Event)}


class Classifier(lightning.LightningModule):
    """Two layers, a dropout, and a metric of each form."""

    def __init__(self, lr=0.1, scheduler=None):
        super().__init__()
        self.save_hyperparameters(ignore=["scheduler"])
        self.scheduler = scheduler
        self.hidden = torch.nn.Linear(4, 8)
        self.dropout = torch.nn.Dropout(0.5)
        self.out = torch.nn.Linear(8, 2)
        self.criterion = torch.nn.CrossEntropyLoss()

    def forward(self, x):
        return self.out(self.dropout(torch.relu(self.hidden(x))))

    def training_step(self, batch, index):
        loss = self.criterion(self(batch[0]), batch[1])
        self.log("train/loss", loss, on_step=True, on_epoch=True)
        self.log("index", float(index))
        self.log("total", 1.0, on_step=False, on_epoch=True, reduce_fx="sum")
        return loss

    def on_train_batch_end(self, outputs, batch, index):
        self.log("late", float(index))

    def on_train_epoch_end(self):
        self.log("very_late", 7.0)

    def validation_step(self, batch, index):
        self.log("val/loss", self.criterion(self(batch[0]), batch[1]))
        self.log("val/index", float(index), on_step=True, on_epoch=False)

    def test_step(self, batch, index):
        self.log("test/loss", self.criterion(self(batch[0]), batch[1]))

    def predict_step(self, batch, index):
        return self(batch[0])

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), self.hparams.lr)
        return self.scheduler(optimizer) if self.scheduler else optimizer


@pytest.fixture(autouse=True)
def quiet_lightning():
    for name in ("lightning.pytorch", "lightning.fabric", "pytorch_lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)


@pytest.fixture
def sink():
    return ListSink()


@pytest.fixture
def callback(sink):
    made = ProvenanceCallback(sink)
    yield made
    made.close()
    assert sink.events("capture_failed") == []


@pytest.fixture
def classifier():
    return Classifier


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Classifier()


@pytest.fixture
def loaders():
    """32 samples to train on in 4 batches, 8 to validate in 2."""
    source = torch.Generator().manual_seed(0)
    samples = torch.randn(40, 4, generator=source)
    labels = torch.arange(40) % 2
    parts = random_split(TensorDataset(samples, labels), [32, 8], generator=source)
    return DataLoader(parts[0], 8, shuffle=True), DataLoader(parts[1], 4)


@pytest.fixture
def make_trainer(tmp_path):
    def make(*callbacks, package=lightning, **settings):
        settings = {
            "accelerator": "cpu",
            "default_root_dir": tmp_path,
            "enable_checkpointing": False,
            "enable_model_summary": False,
            "enable_progress_bar": False,
            "logger": False,
            "max_epochs": 2,
            **settings,
        }
        return package.Trainer(callbacks=list(callbacks), **settings)

    return make

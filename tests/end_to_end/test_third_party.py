"""Programs and models of other people's, recorded without a change.

Lightning's own demos are always there; a library that is not installed is skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

import provrunner
from provrunner.report import verify_sweep
from provrunner.run import run_script

# These programs' warnings are their own.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

_SCRIPTS = Path(__file__).with_name("third_party")


@dataclass(frozen=True)
class Case:
    """A program, and what is known of it without having recorded it.

    Attributes:
        script: its file.
        needs: the library that it needs.
        model: class of the model that it trains.
        optimizer: class of its optimizer.
        epochs: trained, of each of its runs.
        metrics: names that it logs.
        words: its command line.
    """

    script: str
    needs: str
    model: str
    optimizer: str
    epochs: tuple[int, ...]
    metrics: frozenset[str]
    words: tuple[str, ...] = ()


def _case(
    script: str, model: str, optimizer: str, *metrics: str, needs: str = "lightning", **more: object
) -> object:
    more.setdefault("epochs", (2,))
    case = Case(script, needs, model, optimizer, metrics=frozenset(metrics), **more)  # type: ignore[arg-type]
    return pytest.param(case, id=script)


_CLI = (
    "fit",
    "--trainer.max_epochs=2",
    "--trainer.limit_train_batches=4",
    "--trainer.accelerator=cpu",
    "--trainer.logger=false",
)

CASES = [
    _case("boring", "BoringModel", "SGD", epochs=(1,)),
    _case("manual", "ManualOptimBoringModel", "SGD"),
    _case("no_length", "BoringModel", "SGD", epochs=(1,)),
    _case("transformer", "LightningTransformer", "SGD", needs="requests", epochs=(1,)),
    _case("lstm", "LightningLSTM", "SGD", "train_loss", needs="requests", epochs=(1,)),
    _case("cli", "DemoModel", "Adam", needs="jsonargparse", words=_CLI),
    _case("other_name", "BoringModel", "SGD", needs="pytorch_lightning", epochs=(1, 2)),
    _case("forecasting", "NBeats", "Adam", "train_loss_epoch", needs="pytorch_forecasting"),
    _case("gluon", "SimpleFeedForwardLightningModule", "Adam", "train_loss", needs="gluonts"),
    _case("darts_nbeats", "_NBEATSModule", "Adam", "train_loss", needs="darts"),
    _case("neural", "NHITS", "Adam", "train_loss_step", needs="neuralforecast", epochs=(6,)),
    _case("tabular", "CategoryEmbeddingModel", "Adam", "train_loss", needs="pytorch_tabular"),
    _case("geometric", "Graphs", "Adam", "train_loss", needs="torch_geometric"),
    _case("molecules", "MPNN", "Adam", "train_loss_epoch", needs="chemprop"),
    _case("cells", "TrainingPlan", "Adam", "elbo_train", needs="scvi"),
    _case(
        "pde", "PhysicsInformedSingleModelSolver", "Adam", "train_loss", needs="pina", epochs=(3,)
    ),
    _case("deep_table", "TaskModel", "Adam", "train_loss_epoch", needs="deeptab"),
]


@pytest.mark.parametrize("case", CASES)
def test_a_program_of_others_is_recorded_whole(case, tmp_path, monkeypatch):
    pytest.importorskip(case.needs)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JSONARGPARSE_DEPRECATION_WARNINGS", "off")

    ended = run_script(str(_SCRIPTS / f"{case.script}.py"), case.words)

    assert ended.exit_code == 0
    sweep = provrunner.open_sweep(ended.folder)
    runs = sweep.sql("select status, log_state, epochs from runs order by run").fetchall()
    assert runs == [("finished", "complete", epochs) for epochs in case.epochs]
    logged = {name for (name,) in sweep.sql("select distinct name from metrics").fetchall()}
    assert logged >= case.metrics
    models = "select distinct subject from events where kind = 'model'"
    assert sweep.sql(models).fetchall() == [(case.model,)]
    (optimizer,) = sweep.sql(
        "select distinct value from params where name = 'optimizer.type'"
    ).fetchall()
    assert optimizer[0].rpartition(".")[2] == f'{case.optimizer}"'
    shaped = "select count(*) > 0 from layers where output_shape is not null"
    assert sweep.sql(shaped).fetchall() == [(True,)]
    assert sweep.sql("from events where kind = 'capture_failed'").fetchall() == []
    assert verify_sweep(ended.folder, read_data=True).exit_code == 0

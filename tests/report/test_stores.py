"""Runs that other tools stored, in stores that these tools made."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from provrunner.errors import ConfigError
from provrunner.report import analyze_store
from provrunner.report.stores import read_store
from provrunner.report.stores.store import Course, Store, StoredRun, typed

POINTS = [(rate, width) for rate in (0.001, 0.01, 0.1) for width in (16, 64)] * 3


def _loss(rate, width, epoch):
    return (math.log10(rate) + 2) ** 2 + 0.3 * (width == 16) + 1 / (epoch + 1)


@pytest.fixture(scope="module")
def csv_logs(tmp_path_factory):
    loggers = pytest.importorskip("lightning.pytorch.loggers")
    folder = tmp_path_factory.mktemp("csv")
    for seed, (rate, width) in enumerate(POINTS):
        logger = loggers.CSVLogger(str(folder), "logs")
        logger.log_hyperparams({"optimizer": {"lr": rate}, "width": width, "seed": seed // 6})
        for epoch in range(3):
            logger.log_metrics(
                {"val_loss": _loss(rate, width, epoch) + 0.01 * math.sin(seed), "epoch": epoch},
                step=10 * epoch,
            )
        logger.save()
    return folder


def test_lightnings_csv_logs_are_read_in_the_order_of_running(csv_logs):
    store = read_store(csv_logs)
    assert list(store.columns) == ["optimizer.lr", "width", "seed"]
    assert store.table["optimizer.lr"].to_pylist() == [rate for rate, _ in POINTS]
    assert store.table["run_id"][10].as_py() == "logs/version_10"
    assert store.history("val_loss")["epoch"].to_pylist()[:4] == [0, 1, 2, 0]


def test_a_summary_of_csv_logs_follows_them_through_training(csv_logs):
    document = analyze_store(csv_logs, "val_loss").to_dict()
    assert document["sweep"]["design"] == "full_grid"
    assert document["sweep"]["seeds"] == 3
    assert document["components"][0]["component"] == "optimizer.lr"
    assert [moment["epoch"] for moment in document["over_time"]["epochs"]] == [0, 1, 2]


@pytest.mark.parametrize("name", ["optuna.db", "optuna.log"])
def test_an_optuna_study_brings_its_ranges_direction_and_failures(stores, name):
    store = read_store(stores / "optuna" / name)
    assert store.directions == {"value": "minimize"}
    assert store.ranges == {"lr": (1e-4, 1e-1, "log"), "layers": (1, 4, "linear")}
    assert [run.status for run in store.runs[2:6]] == ["COMPLETE", "FAIL", "PRUNED", "COMPLETE"]
    assert list(store.runs[0].metrics["intermediate"].steps) == [0, 1, 2]
    document = analyze_store(stores / "optuna" / name).to_dict()
    lr = next(row for row in document["parameters"] if row["name"] == "lr")
    assert (lr["scale"], lr["range"]) == ("log", [1e-4, 1e-1])
    assert document["statuses"] == {"failed": 1, "finished": 28, "pruned": 1}
    assert document["components"][0]["component"] == "lr"


def test_optunas_journal_says_what_its_database_says(stores):
    first, second = (read_store(stores / "optuna" / name) for name in ("optuna.db", "optuna.log"))
    assert first.table.drop_columns("duration_s") == second.table.drop_columns("duration_s")


@pytest.mark.filterwarnings("ignore")
def test_a_journal_written_here_keeps_both_directions_and_what_waits(tmp_path):
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    journal = optuna.storages.journal
    path = tmp_path / "journal.log"
    storage = journal.JournalStorage(journal.JournalFileBackend(str(path)))
    optuna.create_study(storage=storage, study_name="gone")
    optuna.delete_study(storage=storage, study_name="gone")
    study = optuna.create_study(
        storage=storage, study_name="tune", directions=["minimize", "maximize"]
    )
    study.enqueue_trial({"x": 0.5})
    study.optimize(lambda trial: (trial.suggest_float("x", 0, 1), math.inf), n_trials=2)
    study.enqueue_trial({"x": 0.25})
    store = read_store(path)
    assert store.directions == {"values_0": "minimize", "values_1": "maximize"}
    assert [run.status for run in store.runs] == ["COMPLETE", "COMPLETE", "WAITING"]
    assert store.table["x"][0].as_py() == 0.5
    assert store.table["values_1"].to_pylist() == [math.inf, math.inf, None]


@pytest.mark.parametrize("name", ["mlflow.db", "mlruns", ""])
def test_an_mlflow_experiment_is_read_from_its_database_and_its_folder(stores, name):
    path = stores / "mlflow" / name
    store = read_store(path)
    assert (store.tool, store.name) == ("mlflow", "tune")
    assert store.table["lr"].to_pylist() == [0.001, 0.001, 0.01, 0.01, 0.1, 0.1] * 3
    assert store.runs[0].facts == {"name": "run 0", "user": "root"}
    document = analyze_store(path, "val/loss").to_dict()
    assert document["sweep"]["finished"] == 18
    assert document["components"][0]["component"] == "lr"
    assert len(document["over_time"]["epochs"]) == 3


@pytest.mark.filterwarnings("ignore")
def test_mlflow_runs_made_here_are_read_as_they_were_logged(tmp_path):
    mlflow = pytest.importorskip("mlflow", minversion="3.1")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/own.db")
    mlflow.set_experiment("own")
    with mlflow.start_run(run_name="good"):
        mlflow.log_params({"lr": 0.1, "name": "x"})
        for step, value in enumerate((3.0, math.nan, 1.5)):
            mlflow.log_metric("loss", value, step=step)
    mlflow.start_run(run_name="bad")
    mlflow.end_run("FAILED")
    first, second = read_store(tmp_path / "own.db").runs
    assert first.parameters == {"lr": 0.1, "name": "x"}
    assert str(list(first.metrics["loss"].values)) == "[3.0, nan, 1.5]"
    assert (first.facts["name"], second.facts["name"]) == ("good", "bad")
    assert (first.status, second.status) == ("FINISHED", "FAILED")


def test_wandbs_offline_runs_are_read_without_wandb(stores):
    store = read_store(stores / "wandb")
    assert (store.tool, store.name, len(store.runs)) == ("wandb", "tune", 18)
    first = store.runs[0]
    assert first.parameters == {"optimizer.lr": 0.001, "width": 16, "seed": 0}
    assert list(first.metrics["val/loss"].epochs) == [0, 1, 2]
    assert list(first.metrics["val/loss"].values) == pytest.approx(
        [2.2746133878, 1.7746133878, 1.6079467212]
    )
    assert first.facts["version"] == "0.31.0"
    assert first.facts["name"] == "run 0"
    assert first.start_us < first.metrics["val/loss"].times[0] <= first.end_us
    assert store.table["status"].to_pylist() == ["finished"] * 17 + ["failed"]
    assert store.runs[17].facts["reason"] == "exit code 1"
    document = analyze_store(stores / "wandb", "val/loss").to_dict()
    assert document["components"][0]["component"] == "optimizer.lr"


def test_tensorboards_logs_are_read_with_their_hyperparameters(stores):
    store = read_store(stores / "tensorboard")
    assert [run.run_id for run in store.runs[8:11]] == ["run_8", "run_9", "run_10"]
    assert store.runs[10].parameters == {"lr": 0.1, "width": 16.0, "seed": 1.0}
    assert list(store.runs[10].metrics["val/loss"].steps) == [0, 1, 2]
    assert store.runs[10].status is None
    document = analyze_store(stores / "tensorboard", "val/loss").to_dict()
    assert document["components"][0]["component"] == "lr"
    assert document["sweep"]["seeds"] == 3


@pytest.mark.filterwarnings("ignore")
def test_tensorboards_other_ways_to_keep_hyperparameters_are_read(tmp_path):
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path / "a")) as writer:
        writer.add_scalar("val/loss", 0.5, 0)
        writer.add_histogram("weights", np.array([1.0, 2.0]), 0)
        writer.add_hparams({"lr": 0.1, "name": "x", "on": True}, {"final": 0.25})
    (run,) = read_store(tmp_path).runs
    assert run.run_id.startswith("a/")
    assert run.parameters == {"lr": 0.1, "name": "x", "on": True}
    assert {name: list(of.values) for name, of in run.metrics.items()} == {
        "val/loss": [0.5], "final": [0.25],
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore")
def test_a_wandb_run_made_here_is_read_as_it_was_logged(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    config = {"lr": 0.1, "layers": [1, 2], "none": None}
    run = wandb.init(mode="offline", dir=str(tmp_path), project="p", config=config)
    run.log({"loss": float("nan"), "note": "a", "nested": {"x": 1}})
    run.log({"loss": 2})
    run.config.update({"late": "yes"})
    run.summary["best"] = 1.5
    run.finish()
    wandb.teardown()  # its service writes the rest
    (read,) = read_store(tmp_path).runs
    assert read.parameters == {**config, "late": "yes"}
    assert str(list(read.metrics["loss"].values)) == "[nan, 2.0]"
    assert list(read.metrics["nested.x"].values) == [1.0]
    assert list(read.metrics["best"].values) == [1.5]
    assert read.others == {"note": "a"}


def test_what_holds_no_runs_is_said(tmp_path):
    with pytest.raises(ConfigError, match=r"looked for \*/\*/meta.yaml \(mlflow\), \*\*/\*.wandb"):
        read_store(tmp_path)
    (tmp_path / "a.csv").write_text("lr,loss\n1,2\n")
    assert read_store(tmp_path / "a.csv") is None
    with pytest.raises(ConfigError, match="no objective was named"):
        analyze_store(tmp_path / "a.csv")
    with pytest.raises(ConfigError, match=r"no such file or folder; did you mean 'a\.csv'"):
        read_store(tmp_path / "a.csw")


def test_a_folder_of_two_tools_needs_one_of_them_named(stores):
    with pytest.raises(ConfigError, match=r"several tools: .*wandb \(18"):
        read_store(stores)
    assert read_store(stores, tool="tensorboard").tool == "tensorboard"
    with pytest.raises(ConfigError, match="did you mean 'wandb'"):
        read_store(stores, tool="wandbb")


def test_an_unknown_objective_names_the_nearest_metric(stores):
    with pytest.raises(ConfigError, match="did you mean 'val/loss'"):
        analyze_store(stores / "wandb", "val/los")


def test_a_database_of_neither_is_said(tmp_path):
    code = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('create table a (b)')"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.db")], check=True)
    with pytest.raises(ConfigError, match="neither MLflow's nor Optuna's"):
        read_store(tmp_path / "a.db")


def test_a_parameter_called_like_a_metric_is_told_apart():
    loss = Course()
    loss.add(2.0, step=0)
    loss.add(1.0, step=1)
    runs = (StoredRun("a", None, {"loss": "l1", "x": 1}, {"loss": loss}),)
    store = Store("tool", "s", Path(), runs)
    assert store.table.to_pylist() == [{"run_id": "a", "parameter loss": "l1", "x": 1, "loss": 1.0}]


def test_stored_texts_become_what_they_stand_for():
    assert [typed(text) for text in ("1e-3", "3", "False", "[64, 64]")] == [
        0.001, 3, False, "[64, 64]",
    ]  # fmt: skip

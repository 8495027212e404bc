"""Runs that other tools stored, in stores that these tools made."""

import math
import subprocess
import sys

import pytest

from provrunner.errors import ConfigError
from provrunner.report import analyze_store
from provrunner.report.stores import read_store
from provrunner.report.stores.store import StoredRun, build_store, typed

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
    assert store.parameters == ("optimizer.lr", "width", "seed")
    assert store.table["optimizer.lr"].to_pylist() == [rate for rate, _ in POINTS]
    assert store.table["run_id"][10].as_py() == "logs/version_10"
    assert store.histories["val_loss"]["epoch"].to_pylist()[:4] == [0, 1, 2, 0]


def test_a_summary_of_csv_logs_follows_them_through_training(csv_logs):
    document = analyze_store(csv_logs, "val_loss").to_dict()
    assert document["sweep"]["design"] == "full_grid"
    assert document["sweep"]["seeds"] == 3
    assert document["components"][0]["component"] == "optimizer.lr"
    assert [moment["epoch"] for moment in document["over_time"]["epochs"]] == [0, 1, 2]


def _make_optuna(path, directions=("minimize",)):
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        storage=f"sqlite:///{path}", study_name="tune", directions=directions,
        sampler=optuna.samplers.RandomSampler(seed=1),
    )  # fmt: skip

    def objective(trial):
        rate = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
        width = trial.suggest_categorical("width", ["small", "large"])
        trial.suggest_int("layers", 1, 4)
        if trial.number == 3:
            raise ValueError
        loss = (math.log10(rate) + 2.5) ** 2 + 0.3 * (width == "small")
        return loss if len(directions) == 1 else (loss, -loss)

    study.optimize(objective, n_trials=24, catch=(ValueError,))
    return path


@pytest.mark.filterwarnings("ignore")
def test_an_optuna_study_brings_its_ranges_direction_and_failures(tmp_path):
    path = _make_optuna(tmp_path / "optuna.db")
    store = read_store(path)
    assert store.directions == {"value": "minimize"}
    assert store.ranges == {"lr": (1e-4, 1e-1, "log"), "layers": (1, 4, "linear")}
    assert set(store.table["width"].to_pylist()) == {"small", "large"}
    document = analyze_store(path).to_dict()
    lr = next(row for row in document["parameters"] if row["name"] == "lr")
    assert (lr["scale"], lr["range"]) == ("log", [1e-4, 1e-1])
    assert document["statuses"] == {"failed": 1, "finished": 23}
    assert document["components"][0]["component"] == "lr"


@pytest.mark.filterwarnings("ignore")
def test_a_study_of_two_objectives_keeps_both_directions(tmp_path):
    path = _make_optuna(tmp_path / "optuna.db", ("minimize", "maximize"))
    document = analyze_store(path).to_dict()
    assert document["sweep"]["metric"] == "values_0"
    assert document["objectives"]["list"][0]["direction"] == "maximize"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["sqlite", "file"])
def test_an_mlflow_experiment_is_read_from_its_database_and_its_folder(tmp_path, monkeypatch, kind):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    path = tmp_path / ("mlflow.db" if kind == "sqlite" else "mlruns")
    mlflow.set_tracking_uri(f"sqlite:///{path}" if kind == "sqlite" else path.as_uri())
    mlflow.set_experiment("tune")
    for seed, (rate, width) in enumerate(POINTS):
        with mlflow.start_run():
            mlflow.log_params({"lr": rate, "width": width, "seed": seed // 6})
            for epoch in range(2):
                mlflow.log_metric(
                    "val/loss", _loss(rate, width, epoch) + 0.01 * math.sin(seed), step=epoch
                )
    store = read_store(path)
    assert store.name == "tune"
    assert sorted(store.table["lr"].to_pylist()) == sorted(rate for rate, _ in POINTS)
    document = analyze_store(path, "val/loss").to_dict()
    assert document["sweep"]["finished"] == 18
    assert document["components"][0]["component"] == "lr"
    assert len(document["over_time"]["epochs"]) == 2


def test_what_holds_no_runs_is_said(tmp_path):
    with pytest.raises(ConfigError, match="holds no runs"):
        read_store(tmp_path)
    (tmp_path / "a.csv").write_text("lr,loss\n1,2\n")
    assert read_store(tmp_path / "a.csv") is None
    with pytest.raises(ConfigError, match="no objective was named"):
        analyze_store(tmp_path / "a.csv")


def test_a_database_of_neither_is_said(tmp_path):
    code = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('create table a (b)')"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.db")], check=True)
    with pytest.raises(ConfigError, match="neither MLflow's nor Optuna's"):
        read_store(tmp_path / "a.db")


def test_a_parameter_called_like_a_metric_is_told_apart():
    runs = [StoredRun("a", None, {"loss": "l1", "x": 1}, {"loss": [(0, 2.0), (1, 1.0)]})]
    store = build_store("s", runs)
    assert store.table.to_pylist() == [{"run_id": "a", "parameter loss": "l1", "x": 1, "loss": 1.0}]


def test_stored_texts_become_what_they_stand_for():
    assert [typed(text) for text in ("1e-3", "3", "False", "[64, 64]")] == [
        0.001, 3, False, "[64, 64]",
    ]  # fmt: skip

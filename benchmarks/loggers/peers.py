"""The loggers that are compared: how each is made, closed, found on disk and read."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

__all__ = [
    "LEAST",
    "LOGGERS",
    "OURS",
    "Kind",
    "Made",
    "environment",
    "melt",
    "metric_bytes",
    "missing",
]

OURS = "provrunner"
UNSPARED = "provrunner, nothing spared"
LEAST = "bare minimum"
_NAME = "bench"
_WANDB_BLOCK = 32 << 10


@dataclass(frozen=True, slots=True)
class Made:
    """A logger that one fit uses.

    Attributes:
        trainer: the arguments that give it to a `Trainer`.
        finish: what a program calls at its end.
    """

    trainer: Mapping[str, Any]
    finish: Callable[[], object] = lambda: None


@dataclass(frozen=True, slots=True)
class Kind:
    """A logger as it is compared.

    Attributes:
        package: what must be installed.
        make: makes one that writes below a folder; it imports what it needs.
        files: patterns of the files that hold the metrics.
        read: loads all metrics below a folder into pandas; None where it has no such way offline.
        steps: counts the steps below a folder that can be read back; None takes the rows of `read`.
        environ: variables that keep it offline and quiet.
    """

    package: str
    make: Callable[[Path], Made]
    files: tuple[str, ...] = ()
    read: Callable[[Path], Any] | None = None
    steps: Callable[[Path], int] | None = None
    environ: Mapping[str, str] = field(default_factory=dict)


def missing(name: str) -> str | None:
    """Return the package that a logger lacks here; None when it can be measured."""
    package = LOGGERS[name].package
    return None if importlib.util.find_spec(package) else package


def _none(_folder: Path) -> Made:
    return Made({"logger": False})


def _csv(folder: Path) -> Made:
    from lightning.pytorch.loggers import CSVLogger

    return Made({"logger": CSVLogger(folder)})


def _read_csv(folder: Path) -> Any:
    import pandas as pd

    # a row a value, as the others give
    return melt(pd.read_csv(_file(folder, "metrics.csv")))


@cache
def _file(folder: Path, pattern: str) -> Path:
    """Find a file once: who reads it again knows where it is."""
    return next(folder.rglob(pattern))


def melt(frame: Any) -> Any:
    """Turn a column a metric into a row a value."""
    return frame.melt(["epoch", "step"], var_name="name").dropna(subset=["value"])


def _tensorboard(folder: Path) -> Made:
    from lightning.pytorch.loggers import TensorBoardLogger

    return Made({"logger": TensorBoardLogger(folder)})


def _read_tensorboard(folder: Path) -> Any:
    import pandas as pd
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(_file(folder, "events.*").parent), {"scalars": 0}).Reload()
    parts = [pd.DataFrame(events.Scalars(tag)).assign(tag=tag) for tag in events.Tags()["scalars"]]
    return pd.concat(parts)


def _mlflow(folder: Path) -> Made:
    from lightning.pytorch.loggers import MLFlowLogger

    # one database for all runs: making its tables takes ten seconds
    logger = MLFlowLogger(_NAME, tracking_uri=_database(folder), artifact_location=str(folder))
    return Made({"logger": logger})


def _database(folder: Path) -> str:
    return f"sqlite:///{folder.parent}/mlflow.db"


def _read_mlflow(folder: Path) -> Any:
    import pandas as pd
    from mlflow.tracking import MlflowClient

    client = MlflowClient(_database(folder))
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    run = client.search_runs(experiments, order_by=["start_time DESC"], max_results=1)[0]
    histories = (client.get_metric_history(run.info.run_id, key) for key in run.data.metrics)
    return pd.DataFrame(
        [(row.key, row.step, row.timestamp, row.value) for rows in histories for row in rows],
        columns=["name", "step", "time", "value"],
    )


def _wandb(folder: Path) -> Made:
    import wandb
    from lightning.pytorch.loggers import WandbLogger

    logger = WandbLogger(_NAME, save_dir=folder, offline=True)
    return Made({"logger": logger}, wandb.finish)


def _read_wandb(folder: Path) -> Any:
    import pandas as pd
    from wandb.proto import wandb_internal_pb2

    rows = []
    for data in _wandb_records(_file(folder, "*.wandb").read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        if record.WhichOneof("record_type") == "history":
            items = record.history.item
            rows.append({i.key or "/".join(i.nested_key): float(i.value_json) for i in items})
    return pd.DataFrame(rows)


def _wandb_records(data: bytes) -> Iterator[bytes]:
    """Yield the whole records of a file of W&B: blocks of 32 KiB, as LevelDB's log has them."""
    at, parts = 7, b""
    while at + 7 <= len(data):
        left = _WANDB_BLOCK - at % _WANDB_BLOCK
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        if left < 7 or kind == 0:
            at += left
            continue
        if at + 7 + size > len(data):
            return
        parts += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # a whole record, or the last part of one
            yield parts
            parts = b""


def _aim(folder: Path) -> Made:
    from aim.pytorch_lightning import AimLogger

    return Made({"logger": AimLogger(repo=str(folder), experiment=_NAME)})


def _read_aim(folder: Path) -> Any:
    import pandas as pd
    from aim import Repo

    rows = []
    for run in Repo(str(folder)).iter_runs():
        for metric in run.metrics():
            rows.append(metric.dataframe())
    return pd.concat(rows)


def _dvclive(folder: Path) -> Made:
    from dvclive.lightning import DVCLiveLogger

    return Made({"logger": DVCLiveLogger(dir=str(folder), save_dvc_exp=False)})


def _read_many(folder: Path, pattern: str, **options: Any) -> Any:
    import pandas as pd

    paths = sorted(folder.rglob(pattern))
    return pd.concat([pd.read_csv(path, **options).assign(name=path.stem) for path in paths])


def _yprov(folder: Path) -> Made:
    import yprov4ml
    from yprov4ml.loggers.prov4ml_logger import ProvMLLogger

    yprov4ml.start_run(
        experiment_name=_NAME, prov_user_namespace="bench", provenance_save_dir=str(folder)
    )
    return Made({"logger": ProvMLLogger()}, yprov4ml.end_run)


def _ours(folder: Path) -> Made:
    from provrunner import ProvenanceCallback
    from provrunner.capture import CaptureOptions

    callback = ProvenanceCallback(folder, options=CaptureOptions(level="full"))
    return Made({"logger": False, "callbacks": [callback]}, callback.close)


def _unspared(folder: Path) -> Made:
    from lightning.pytorch.callbacks import LambdaCallback

    made = _ours(folder)
    bystander = LambdaCallback(setup=_stand_there)
    callbacks = [bystander, *made.trainer["callbacks"]]
    return Made({**made.trainer, "callbacks": callbacks}, made.finish)


def _stand_there(trainer: Any, pl_module: Any, stage: str) -> None:  # noqa: ARG001
    """Make it look as if somebody else were waiting for what Lightning gathers each step."""
    connector = trainer._logger_connector
    connector.update_train_step_metrics = connector.update_train_step_metrics


def _least(folder: Path) -> Made:
    from benchmarks.loggers.least import Least

    folder.mkdir(parents=True, exist_ok=True)
    return Made({"logger": False, "callbacks": [Least(folder / "least")]})


def _log(folder: Path) -> Path:
    return _file(folder, "log")


def _read_ours(folder: Path) -> Any:
    import pandas as pd

    return pd.read_feather(_log(folder) / "metrics.arrow")


def _steps_of_ours(folder: Path) -> int:
    from provrunner import read_log

    steps = len(set(read_log(_log(folder).parent).table["step"].to_pylist()))
    if violations := _violations(_log(folder).parents[2]):
        raise RuntimeError(f"the graph is not valid: {violations[0]}")
    return steps


def _violations(sweep: Path) -> list[object]:
    """Return what is wrong with the graph of a sweep, whether its runs have ended or not."""
    from provrunner import open_sweep
    from provrunner.graph import check_graph

    return [*check_graph(open_sweep(sweep).graph())]


def _steps_of_long(read: Callable[[Path], Any], column: str) -> Callable[[Path], int]:
    return lambda folder: int(read(folder)[column].value_counts().max())


_QUIET_WANDB = {"WANDB_SILENT": "true", "WANDB_MODE": "offline"}

LOGGERS: dict[str, Kind] = {
    "none": Kind("lightning", _none),
    "CSVLogger": Kind("lightning", _csv, ("metrics.csv",), _read_csv,
        _steps_of_long(_read_csv, "name"),
    ),
    "TensorBoard": Kind(
        "tensorboard", _tensorboard, ("events.*",), _read_tensorboard,
        _steps_of_long(_read_tensorboard, "tag"),
    ),
    "MLflow": Kind(
        "mlflow", _mlflow, ("mlflow.db*",), _read_mlflow, _steps_of_long(_read_mlflow, "name"),
        {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"},
    ),
    "W&B offline": Kind("wandb", _wandb, ("*.wandb",), _read_wandb, None, _QUIET_WANDB),
    "Aim": Kind(
        "aim", _aim, (".aim/**/*",), _read_aim, _steps_of_long(_read_aim, "metric.name"),
        {"AIM_UI_TELEMETRY_ENABLED": "0"},
    ),
    "DVCLive": Kind(
        "dvclive", _dvclive, ("plots/metrics/**/*.tsv",),
        lambda folder: _read_many(folder, "plots/metrics/**/*.tsv", sep="\t"),
        _steps_of_long(lambda f: _read_many(f, "plots/metrics/**/*.tsv", sep="\t"), "name"),
        {"DVC_NO_ANALYTICS": "1"},
    ),
    "yProv4ML": Kind(
        "yprov4ml", _yprov, ("metrics_GR*/*",),
        lambda folder: _read_many(folder, "metrics_GR*/*.csv"),
        _steps_of_long(lambda folder: _read_many(folder, "metrics_GR*/*.csv"), "name"),
    ),
    LEAST: Kind("torch", _least),
    UNSPARED: Kind(OURS, _unspared),
    OURS: Kind(OURS, _ours, ("log/metrics.*",), _read_ours, _steps_of_ours),
}  # fmt: skip


def metric_bytes(kind: Kind, folder: Path) -> int:
    """Return the size of the files that hold a logger's metrics below a folder."""
    paths = {path for pattern in kind.files for path in folder.rglob(pattern)}
    return sum(path.stat().st_size for path in paths if path.is_file())


def environment(kind: Kind) -> dict[str, str]:
    """Return the environment that a logger's process is given."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", **kind.environ}

"""Write the stores that the tests read, with the tools themselves: python make.py FOLDER.

Each tool records the same 18 runs: two hyperparameters on a grid, three seeds, three epochs.
"""

import math
import os
import sys
from pathlib import Path

POINTS = [
    (rate, width, seed) for seed in range(3) for rate in (0.001, 0.01, 0.1) for width in (16, 64)
]


def loss(rate, width, seed, epoch):
    noise = 0.03 * math.sin(7 * rate * 1000 + width + 5 * seed)
    return (math.log10(rate) + 2) ** 2 + 0.3 * (width == 16) + 1 / (epoch + 1) + noise


def make_wandb(folder):
    os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_DISABLE_CODE": "true"}
    os.environ |= {"WANDB_X_DISABLE_META": "true", "WANDB_X_DISABLE_STATS": "true"}
    import wandb

    for number, (rate, width, seed) in enumerate(POINTS):
        config = {"optimizer": {"lr": rate}, "width": width, "seed": seed}
        run = wandb.init(project="tune", dir=str(folder), config=config, name=f"run {number}")
        for epoch in range(3):
            run.log({"val/loss": loss(rate, width, seed, epoch), "epoch": epoch})
        run.summary["best"] = loss(rate, width, seed, 2)
        run.finish(exit_code=int(number == 17))


def make_tensorboard(folder):
    from torch.utils.tensorboard import SummaryWriter
    from torch.utils.tensorboard.summary import hparams

    for number, (rate, width, seed) in enumerate(POINTS):
        with SummaryWriter(str(folder / f"run_{number}")) as writer:
            for summary in hparams({"lr": rate, "width": width, "seed": seed}, {"val/loss": 0}):
                writer.file_writer.add_summary(summary)
            for epoch in range(3):
                writer.add_scalar("val/loss", loss(rate, width, seed, epoch), epoch)


def make_optuna(folder):
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalStorage

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial):
        rate = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
        width = trial.suggest_categorical("width", ["small", "large"])
        layers = trial.suggest_int("layers", 1, 4)
        for epoch in range(3):
            trial.report(loss(rate, 16 if width == "small" else 64, layers, epoch), epoch)
        if trial.number == 3:
            raise ValueError
        if trial.number == 4:
            raise optuna.TrialPruned
        return loss(rate, 16 if width == "small" else 64, layers, 2)

    folder.mkdir()
    for storage in (
        f"sqlite:///{folder}/optuna.db",
        JournalStorage(JournalFileBackend(f"{folder}/optuna.log")),
    ):
        study = optuna.create_study(
            storage=storage, study_name="tune", sampler=optuna.samplers.RandomSampler(seed=1)
        )
        study.optimize(objective, n_trials=30, catch=(ValueError,))


def make_mlflow(folder):
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    import mlflow

    folder.mkdir()
    for uri in (f"sqlite:///{folder}/mlflow.db", (folder / "mlruns").as_uri()):
        mlflow.set_tracking_uri(uri)
        mlflow.set_experiment("tune")
        for number, (rate, width, seed) in enumerate(POINTS):
            with mlflow.start_run(run_name=f"run {number}"):
                mlflow.log_params({"lr": rate, "width": width, "seed": seed})
                for epoch in range(3):
                    mlflow.log_metric("val/loss", loss(rate, width, seed, epoch), step=epoch)


MAKERS = {
    "mlflow": make_mlflow,
    "wandb": make_wandb,
    "tensorboard": make_tensorboard,
    "optuna": make_optuna,
}

if __name__ == "__main__":
    target = Path(sys.argv[1]).resolve()
    target.mkdir(exist_ok=True)
    for name in sys.argv[2:] or MAKERS:
        MAKERS[name](target / name)

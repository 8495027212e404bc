"""From a run's configuration to the objects that Lightning trains."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from hydra.utils import get_object
from lightning import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from omegaconf import DictConfig, OmegaConf

from provrunner.errors import ConfigError
from provrunner.run.reads import ConfigReads

__all__ = ["build_data", "build_module", "build_trainer"]

_FROM_DATA = ("in_shape", "out_features", "problem")
"""Arguments of a model or task that the data answer when the configuration leaves them null."""


def build_data(config: DictConfig, reads: ConfigReads) -> LightningDataModule:
    """Make the data module and load its data for fitting.

    Args:
        config: a run's configuration.
        reads: counts what is read of it.

    Raises:
        ConfigError: `data` names no LightningDataModule.
    """
    data = reads.make("data", config.data)
    if not isinstance(data, LightningDataModule):
        raise ConfigError(
            f"data._target_: {config.data._target_} gives a {type(data).__name__}; "
            "expected a LightningDataModule"
        )
    data.prepare_data()
    data.setup("fit")
    return data


def build_module(
    config: DictConfig, data: LightningDataModule, reads: ConfigReads
) -> LightningModule:
    """Make the LightningModule: the model itself, or the task wrapped round a plain network.

    Args:
        config: a run's configuration; `model` may name either kind by `_target_`.
        data: a data module whose `setup("fit")` has run; where it has the attributes `in_shape`,
            `out_features` or `problem`, they stand in for arguments that the configuration
            leaves null.
        reads: counts what is read of the configuration.
    """
    model = reads.make("model", config.model, **_from_data(config.model, data))
    if isinstance(model, LightningModule):
        return model
    parts = {name: reads.make(name, config[name]) for name in ("optimizer", "scheduler")}
    # Handed over as they are: `instantiate` would copy them into a configuration first.
    given = _from_data(config.task, data)
    make_task = reads.make("task", config.task, _partial_=True, **given)
    task = make_task(model=model, **parts)
    if not isinstance(task, LightningModule):
        raise ConfigError(
            f"task._target_: {config.task._target_} gives a {type(task).__name__}; "
            "expected a LightningModule"
        )
    return task


def build_trainer(
    config: DictConfig, folder: Path, reads: ConfigReads, *callbacks: Callback
) -> Trainer:
    """Make the Trainer with the configured callbacks and ours, writing below `folder` only.

    Args:
        config: a run's configuration; `trainer.callbacks` maps names to `_target_`s.
        folder: the run's own folder; checkpoints go to `checkpoints/` in it.
        reads: counts what is read of the configuration.
        callbacks: further callbacks, called first.
    """
    settings: dict[str, Any] = dict(config.trainer)
    configured = settings.pop("callbacks", None) or {}
    ours = [
        _callback(f"trainer.callbacks.{name}", spec, folder, reads)
        for name, spec in configured.items()
        if spec is not None
    ]
    if settings.get("default_root_dir") is None:
        settings["default_root_dir"] = str(folder)
    trainer = reads.make("trainer", OmegaConf.create(settings), callbacks=[*callbacks, *ours])
    if not isinstance(trainer, Trainer):
        raise ConfigError(f"trainer._target_: {config.trainer._target_} is no lightning.Trainer")
    return trainer


def _callback(path: str, spec: DictConfig, folder: Path, reads: ConfigReads) -> Callback:
    target = get_object(spec._target_)
    extra: dict[str, Any] = {}
    if isinstance(target, type) and issubclass(target, ModelCheckpoint) and not spec.get("dirpath"):
        extra["dirpath"] = str(folder / "checkpoints")
    callback: Callback = reads.make(path, spec, **extra)
    return callback


def _from_data(spec: DictConfig, data: LightningDataModule) -> dict[str, Any]:
    accepted = inspect.signature(get_object(spec._target_)).parameters
    return {
        name: getattr(data, name)
        for name in _FROM_DATA
        if name in accepted and spec.get(name) is None and hasattr(data, name)
    }

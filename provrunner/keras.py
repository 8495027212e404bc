"""The callback that records a Keras 3 model, on whatever backend.

    model.fit(x, y, callbacks=[provrunner.keras.ProvenanceCallback("logs", name="mine")])

It needs the extra `keras`. Any other use of Keras is recorded by `provrunner.run`.
"""
# ruff: noqa: ARG002 - Keras gives every hook its arguments by name

from __future__ import annotations

import functools
import importlib.util
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, cast

from provrunner.capture import CaptureOptions
from provrunner.capture.keras_model import learning_rate, scheduler
from provrunner.errors import ProvrunnerError
from provrunner.run.loop import LoopRun, open_run

__all__ = ["ProvenanceCallback"]


class ProvenanceCallback:
    """Record what `fit`, `evaluate` and `predict` of a Keras model do, as a sweep of one run.

    The run is sealed when the program ends, or by `close()`; an exception that ends the program
    ends it as `failed`. Learning rate and early stopping are looked at twice an epoch.

    Attributes:
        run: logs further values, files and changes, as `provrunner.run` gives it.
    """

    # Keras sets these two.
    model: Any
    params: Mapping[str, Any]

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self:
        """Make an instance that is a `keras.callbacks.Callback`; Keras is loaded only now.

        Raises:
            ProvrunnerError: Keras is not installed.
        """
        instance: Self = object.__new__(_keras_class(cast("type", cls)))
        return instance

    def __init__(
        self,
        folder: str | Path = "outputs",
        *,
        config: object = None,
        name: str = "script",
        objective: str = "val_loss",
        direction: str = "minimize",
        options: CaptureOptions = CaptureOptions(),  # noqa: B008 - frozen
    ) -> None:
        """Open the run.

        Args:
            folder: parent of the sweep folder.
            config: hyperparameters: a mapping, a dataclass or an `argparse.Namespace`.
            name: what the sweep is called.
            objective: the metric that the run is judged by, as Keras names it.
            direction: `minimize` or `maximize`.
            options: how much is captured.

        Raises:
            ConfigError: no such direction.
            LogError: the folder cannot be made.
        """
        super().__init__()
        self.run: LoopRun = open_run(
            config,
            name=name,
            folder=folder,
            objective=objective,
            direction=direction,
            options=options,
        )
        self._described: weakref.ref[Any] | None = None
        self._rate: float | None = None
        self._in_fit = False
        self._epoch = 0
        self._first_step = 0
        self._step: int | None = None

    @property
    def folder(self) -> Path:
        """The sweep folder, `<folder>/<name>/<date_time>-<6 hex>/`."""
        return self.run.folder

    def close(self) -> None:
        """End the run as finished and seal its log; a second call does nothing."""
        self.run.finish()

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Note how long Keras means to train."""
        self._in_fit = True
        self.run.log_params({"fit": {name: self.params[name] for name in ("epochs", "steps")}})

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Note the epoch's number and first step."""
        self._epoch = epoch
        self._first_step = 0 if self._step is None else self._step + 1

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Log the values of a batch: means over the epoch so far, as Keras gives them."""
        is_first = self._step is None or self._step < self._first_step
        self._step = self._first_step + batch
        if is_first:
            self._describe()
        self.run.log(logs or {}, step=self._step, epoch=self._epoch, stage="train")
        if is_first:
            self.run.guarded(self._look)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Log what the validation gave; the epoch's own values are those of its last batch."""
        given = logs or {}
        self.run.guarded(self._look)
        validated = {name: value for name, value in given.items() if name.startswith("val_")}
        self.run.log(validated, step=self._step, epoch=epoch, stage="validate")

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Note what changed last, and whether training was stopped early."""
        self._in_fit = False
        self.run.guarded(self._look)
        if self.model.stop_training:
            self.run.log_adaptation("fit.stop_training", False, True, cause="callback")

    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Log the values of an `evaluate`; those of a validation in `fit` come with its epoch."""
        if not self._in_fit:
            self._describe()
            self.run.log(logs or {}, step=self._step, stage="test")

    def on_predict_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Describe a model that only predicts."""
        self._describe()

    def _describe(self) -> None:
        """Describe a model that was not yet; by now Keras has built it."""
        if self._described is None or self._described() is not self.model:
            self._described = weakref.ref(self.model)
            self._rate = None
            self.run.watch(self.model)

    def _look(self) -> None:
        """Write a learning rate that is another than at the last look."""
        rate = learning_rate(self.model)
        if self._rate not in (None, rate):
            cause, agent = self._cause()
            self.run.log_adaptation("optimizer.lr", self._rate, rate, cause=cause, agent=agent)
        self._rate = rate

    def _cause(self) -> tuple[str, str]:
        schedule = scheduler(self.model)
        if schedule is not None:
            return "scheduler", schedule
        # LearningRateScheduler and ReduceLROnPlateau tell it among the values of each epoch.
        told = getattr(self.model.history, "history", {})
        return ("callback" if "learning_rate" in told else "manual"), "unknown"


@functools.cache
def _keras_class(cls: type[Any]) -> type[Any]:
    if importlib.util.find_spec("keras") is None:
        raise ProvrunnerError(
            "provrunner.keras needs Keras 3, which is not installed: "
            "pip install 'provrunner[keras]'"
        )
    from keras.callbacks import Callback

    return type(cls.__name__, (cls, Callback), {"__module__": cls.__module__})

"""Follows a trainer's steps: metrics, adaptations, epochs and stages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch

from provrunner.capture.gathering import gathers_for_nobody
from provrunner.capture.guard import Guard
from provrunner.capture.metrics import Logged, MetricReader, Number, is_number
from provrunner.capture.optimizers import Change, OptimizerWatch
from provrunner.capture.recorder import Recorder, shorten
from provrunner.capture.resources import overhead_data, read_resources
from provrunner.capture.settings import steered_settings
from provrunner.capture.steering import SteeringWatch, explain_stop
from provrunner.capture.wrapping import wrap_method

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

__all__ = ["TrainingWatch"]

_TENSOR = torch.Tensor
_NOTHING: Mapping[str, Number] = MappingProxyType({})


class TrainingWatch:
    """Looks at a trainer whenever it hands values to its loggers.

    Lightning does so after each batch and epoch, with or without a logger, once the hooks of all
    callbacks and of the model have run: nothing logged is missed, and nothing is computed for us.
    The step is the one that Lightning's loggers write: batches that stepped, from 0.

    Args:
        recorder: takes the events.
        guard: keeps failures away from training.
        each_step: look for adaptations after each step; else after each epoch.

    Attributes:
        after_batch: is called after each batch, unless None.
        optimizers: the settings to compare with; None until training starts.
        step: the last training step done; None before the first one.
        epoch: the trainer's epoch when last looked at; None before the first look.
        steering: the settings of trainer and model as last seen.
    """

    def __init__(self, recorder: Recorder, guard: Guard, *, each_step: bool) -> None:
        self.after_batch: Callable[[], None] | None = None
        self.optimizers: OptimizerWatch | None = None
        self.step: int | None = None
        self.epoch: int | None = None
        self.steering = SteeringWatch()
        self._recorder = recorder
        self._guard = guard
        self._each_step = each_step
        self._reader = MetricReader(lambda name: recorder.keeps("metric", name))
        self._started_ns: dict[tuple[str, str], int] = {}
        self._batches: dict[str, int] = {}
        self._returned: Mapping[str, Number] = _NOTHING
        self._stop_told = False
        self._trainer: Any = None
        self._strategy: Any = None
        self._callback: object = None
        self._undo: list[Callable[[], None]] = []

    def attach(self, trainer: Trainer, callback: object) -> None:
        """Begin to look at a trainer.

        Args:
            trainer: to look at.
            callback: what is told of the trainer's hooks. A tuner sends its trial steps through the
                same trainer and takes all callbacks away meanwhile: those steps are not the run's.
        """
        self.detach()
        self._trainer, self._callback, self._strategy = trainer, callback, trainer.strategy
        self._stop_told = trainer.should_stop  # by the fit before a test, which told of it
        wrap, connector = self._guard.wrap, trainer._logger_connector
        self._undo = [
            *(
                wrap_method(
                    connector, method, after=wrap(look), idle=gathers_for_nobody(trainer, method)
                )
                for method, look in (
                    ("update_train_step_metrics", self._train_step),
                    ("update_eval_step_metrics", self._eval_step),
                )
            ),
            # Lightning forgets the epoch's values at the end of this one.
            wrap_method(connector, "update_train_epoch_metrics", before=wrap(self._train_epoch)),
            wrap_method(connector, "update_eval_epoch_metrics", after=wrap(self._eval_epoch)),
            *(
                wrap_method(trainer.strategy, hook, returned=self._listener(hook))
                for hook in ("training_step", "validation_step", "test_step")
            ),
        ]

    def detach(self) -> None:
        """Leave the trainer as it was found."""
        if self.optimizers is not None:
            self.steering.remember(self.optimizers.settings())
        for undo in self._undo:
            undo()
        self._undo = []
        self._trainer = self.optimizers = None

    def start(self, kind: str, subject: str) -> None:
        """Write that a stage or an epoch starts.

        Args:
            kind: `stage` or `epoch`.
            subject: fit, train, validate, test or predict.
        """
        self.epoch = self._trainer.current_epoch
        self._started_ns[kind, subject] = time.monotonic_ns()
        if kind == "epoch":
            self._batches[subject] = 0
        self._event(f"{kind}_start", subject, {})

    def end(self, kind: str, subject: str) -> None:
        """Write that a stage or an epoch ended; nothing when it had not started."""
        started_ns = self._started_ns.pop((kind, subject), None)
        if started_ns is None:
            return
        data: dict[str, Any] = {"duration_s": (time.monotonic_ns() - started_ns) / 1e9}
        if kind == "epoch":
            data["batches"] = self._batches[subject]
        self._event(f"{kind}_end", subject, data)

    def end_all(self) -> None:
        """Write the end of every epoch and stage that has not ended, the innermost first."""
        for kind, subject in reversed(list(self._started_ns)):
            self.end(kind, subject)

    def count_batch(self, subject: str) -> None:
        """Count a batch of an epoch."""
        self._batches[subject] = self._batches.get(subject, 0) + 1
        if self.after_batch is not None:
            self.after_batch()

    def compare(self, settings: Iterable[tuple[str, Any]]) -> None:
        """Write which settings are no longer what they were when last compared."""
        for change in self.steering.changes(settings, self._trainer):
            self._write_change(change)

    def look_for_changes(self) -> None:
        """Write what changed in the optimizers, and whether training was stopped."""
        if self.optimizers is not None and self._trainer is not None:
            for change in self.optimizers.changes(self._trainer.optimizers):
                self._write_change(change)
        if self._trainer is not None and self._trainer.should_stop and not self._stop_told:
            self._stop_told = True
            cause = explain_stop(self._trainer)
            self._write_change(Change("trainer.should_stop", False, True, *cause))

    def write_own(self, name: str, value: object, step: int | None) -> None:
        """Write a value of the user's own, at the current step, epoch and stage.

        Args:
            name: of the metric.
            value: a number, or a tensor of one element, becomes a metric; the rest a `value`.
            step: another step than the current one.
        """
        if step is None:
            step = self._current_step() if self._trainer is not None else self.step or 0
        epoch = self._trainer.current_epoch if self._trainer is not None else self.epoch or 0
        if not is_number(value):
            self._recorder.event("value", name, {"value": value}, step=step, epoch=epoch)
        elif self._recorder.keeps("metric", name):
            number = value.detach().clone() if isinstance(value, torch.Tensor) else float(value)  # type: ignore[arg-type]
            stage = self._stage() if self._trainer is not None else ""
            self._recorder.metrics({shorten(name): number}, step=step, epoch=epoch, stage=stage)

    def _listener(self, hook: str) -> Callable[[object], None]:
        """Return what keeps the numbers that a step of the model returned, until it is counted."""

        def heed(returned: object) -> None:
            self._returned = _NOTHING
            if returned.__class__ is not _TENSOR and returned is not None:
                self._guard.call(self._keep, hook, returned)

        return heed

    def _keep(self, hook: str, returned: object) -> None:
        self._returned = self._reader.read_returned(hook, returned, self._trainer._results)

    def _train_step(self) -> None:
        trainer = self._trainer
        if self._callback not in trainer.callbacks:
            return
        if ("epoch", "train") not in self._started_ns:
            # Lightning calls no hook for an epoch that it resumes in its middle.
            self.start("epoch", "train")
        if not self._batches["train"]:
            # What a callback set for this epoch, whichever callback was asked first.
            self._guard.call(self.compare, steered_settings(trainer))
        # not by way of the trainer's properties, each of which costs as much as writing a value
        fit_loop = trainer.fit_loop
        epoch_loop = fit_loop.epoch_loop
        self.step = step = epoch_loop._batches_that_stepped
        self.epoch = epoch = fit_loop.epoch_progress.current.completed
        numbers, others = self._reader.read_step(epoch_loop._results)
        if self._returned:
            numbers = self._with_returned(numbers)
        self._recorder.metrics(numbers, step=step, epoch=epoch, stage="train")
        if others:
            self._write_others(others, step)
        self._batches["train"] += 1
        if self.after_batch is not None:
            self.after_batch()
        optimizers = self.optimizers
        if self._each_step and (
            (trainer.should_stop and not self._stop_told)
            or (optimizers and not optimizers.is_as_it_was(self._strategy._optimizers))
        ):
            self._guard.call(self.look_for_changes)

    def _train_epoch(self) -> None:
        if self.is_trial():
            return
        self._write(self._reader.read_epoch(self._trainer._results or {}), self._current_step())
        self._guard.call(self.look_for_changes)
        self.end("epoch", "train")
        self._event("resources", "train", read_resources())
        self._event("overhead", "train", overhead_data(self._guard.seconds, self._recorder))

    def _eval_step(self, step: int) -> None:
        stage = self._stage()
        if ("epoch", stage) in self._started_ns:
            numbers, others = self._reader.read_step(self._trainer._results or {})
            self._write((self._with_returned(numbers), others), step)
            self.count_batch(stage)

    def _eval_epoch(self) -> None:
        # No epoch was started for a sanity check, or by a tuner.
        if ("epoch", self._stage()) in self._started_ns:
            logged = self._reader.read_epoch(self._trainer._results or {})
            self._write(logged, self._current_step())

    def _with_returned(self, numbers: Mapping[str, Number]) -> Mapping[str, Number]:
        """Add what the step returned: the user's own `log` of a name counts."""
        returned, self._returned = self._returned, _NOTHING
        return {**returned, **numbers} if returned and numbers else returned or numbers

    def _write(self, logged: Logged, step: int) -> None:
        self.epoch = epoch = self._trainer.current_epoch
        numbers, others = logged
        if numbers:
            self._recorder.metrics(numbers, step=step, epoch=epoch, stage=self._stage())
        self._write_others(others, step)

    def _write_others(self, others: Mapping[str, list[Any]], step: int) -> None:
        for name, value in others.items():
            self._recorder.event("value", name, {"value": value}, step=step, epoch=self.epoch)

    def is_trial(self) -> bool:
        """Say whether a tuner has borrowed the trainer."""
        return self._callback not in self._trainer.callbacks

    def _write_change(self, change: Change) -> None:
        data = {"old": change.old, "new": change.new, "cause": change.cause}
        data["agent"] = change.agent
        if change.numbers is not None:
            data["numbers"] = change.numbers
        self._event("adaptation", change.name, data)

    def _event(self, kind: str, subject: str, data: dict[str, Any]) -> None:
        self._recorder.event(kind, subject, data, step=self.step, epoch=self.epoch)

    def _current_step(self) -> int:
        return int(self._trainer.fit_loop.epoch_loop._batches_that_stepped)

    def _stage(self) -> str:
        stage = self._trainer.state.stage
        return stage.value if stage is not None else ""

"""Holds what one run's capture keeps open, from its first event to its seal."""

from __future__ import annotations

import functools
import os
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provrunner.capture.artifacts import CheckpointWatch
from provrunner.capture.beginning import begin_run
from provrunner.capture.code import CodeReader
from provrunner.capture.data import DataDescriber
from provrunner.capture.guard import Guard
from provrunner.capture.loggers import LoggerWatch
from provrunner.capture.model import ShapeProbe, describe_layers, describe_model, loss_settings
from provrunner.capture.optimizers import OptimizerWatch, scheduler_settings
from provrunner.capture.options import CaptureOptions, RunContext
from provrunner.capture.recorder import Recorder, read_clocks
from provrunner.capture.resources import overhead_data, read_resources
from provrunner.capture.settings import hyperparameters, object_data, trainer_settings
from provrunner.capture.sources import SourceFinder
from provrunner.capture.watch import TrainingWatch
from provrunner.redaction import secret_values
from provrunner.schema import RunStatus, Sink

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer

__all__ = ["Recording"]

# A little more than git itself is given.
_GIT_PATIENCE_S = 2.5


class Recording:
    """The open log of one process of a run.

    Rank 0 describes the run; the others write what differs between ranks: metrics, epochs, stages,
    resources and exceptions.

    Attributes:
        recorder: writes events.
        guard: keeps failures away from training.
        watch: follows the trainer's steps.
        context: what the runner knows.
        is_open: whether the sink was opened.
    """

    def __init__(self, sink: Sink, options: CaptureOptions, context: RunContext) -> None:
        self.recorder = Recorder(sink, options, secret_values(os.environ) | context.secrets)
        self.guard = Guard(self._report_failure, strict=options.strict)
        self.watch = TrainingWatch(
            self.recorder,
            self.guard,
            each_step=options.level != "light",
        )
        self.is_open = False
        self._options = options
        self.context = context
        self._rank = 0
        self._code: CodeReader | None = None
        self._checkpoints: CheckpointWatch | None = None
        self._loggers = LoggerWatch(self._write_logged)
        self._data: DataDescriber | None = None
        self._sources: SourceFinder | None = None
        self._shapes: ShapeProbe | None = None
        self._pending_model: LightningModule | None = None
        self._described: weakref.ref[LightningModule] | None = None

    def open(self, trainer: Trainer, model: LightningModule) -> None:
        """Open the sink, and describe what is known before the first batch."""
        self._rank = trainer.global_rank
        self.recorder.open(self._rank, trainer.world_size)
        self.is_open = True
        if self._rank > 0:
            return
        self._start_code()
        described = begin_run(
            trainer, model, context=self._seeded(), options=self._options, environ=os.environ
        )
        # that it began is on the disk before what takes longer to find
        self.recorder.event(*next(described))
        self.recorder.events(described)
        folder = self.context.folder or Path(trainer.default_root_dir)
        self._checkpoints = CheckpointWatch(
            folder,
            self.event,
            emit_later=self._at_this_moment,
            keeps=lambda name: self.recorder.keeps("metric", name),
            known=self.context.checkpoints,
        )
        if self.recorder.keeps("source"):
            root = self.context.code_root or Path.cwd()
            self._sources = SourceFinder([root], text=self._options.level == "full")

    def open_early(self) -> None:
        """Open the sink for a run that ends before there is a trainer."""
        if not self.is_open:
            self.recorder.open(0)
            self.is_open = True

    def attach(self, trainer: Trainer, model: LightningModule, callback: object) -> None:
        """Follow a trainer's steps, loggers and checkpoints.

        Args:
            trainer: to follow.
            model: what it runs.
            callback: what is told of the trainer's hooks.
        """
        self.watch.attach(trainer, callback)
        self._loggers.attach(trainer, self.guard.wrap)
        if self._checkpoints is not None:
            self._checkpoints.attach(trainer, self.guard.wrap)
        self.guard.call(self.compare_settings, trainer, model)

    def compare_settings(self, trainer: Trainer, model: LightningModule) -> None:
        """Write what has changed in the settings of trainer, model and data module."""
        self.watch.compare(trainer_settings(trainer))
        for prefix, owner in (("model", model), ("data", trainer.datamodule)):  # type: ignore[attr-defined]
            self.watch.compare((leaf.name, leaf.value) for leaf in hyperparameters(prefix, owner))

    def detach(self) -> None:
        """Leave the trainer as it was found; its checkpoints are followed until the end."""
        self.watch.detach()
        self._loggers.detach()

    def describe_optimizers(self, trainer: Trainer) -> None:
        """Write the settings of optimizers and schedulers, and watch them from now on."""
        optimizers = OptimizerWatch(trainer.optimizers, trainer.lr_scheduler_configs)
        self.watch.optimizers = optimizers
        settings = [*optimizers.settings(), *scheduler_settings(trainer.lr_scheduler_configs)]
        # An earlier fit of this run may have left them otherwise.
        self.watch.compare(settings)
        if self._rank == 0:
            self._events("param", ((name, object_data(name, value)) for name, value in settings))

    def describe(
        self, trainer: Trainer, model: LightningModule, loaders: Mapping[str, Any]
    ) -> None:
        """Write data, sources and, once its first batch has passed, the model.

        Args:
            trainer: whose data module is asked.
            model: whose layers are watched for one batch.
            loaders: by split, what the trainer iterates.
        """
        if self._rank > 0:
            return
        self.guard.call(self._describe_model, model)
        self.guard.call(self._describe_data, trainer, loaders)
        self.guard.call(self._find_sources, [model, trainer.datamodule])  # type: ignore[attr-defined]

    def event(self, kind: str, subject: str, data: Mapping[str, Any]) -> None:
        """Write an event at the last step and epoch seen."""
        self.recorder.event(kind, subject, data, step=self.watch.step, epoch=self.watch.epoch)

    def finish_stage(self) -> None:
        """Write what waited for the end of a stage, and put all on disk."""
        self._settle()
        self.recorder.flush()

    def close(self, status: RunStatus, reason: str | None) -> None:
        """Write what is left, leave the trainer as it was found, and seal the log."""
        self.open_early()
        try:
            self.guard.call(self._finish)
        finally:
            self.recorder.close(status, reason)

    def _write_logged(self, name: str, value: object, step: int | None) -> None:
        if not self.watch.is_trial():
            self.watch.write_own(name, value, step)

    def _seeded(self) -> RunContext:
        """Return the context with the seed that the program gave `seed_everything`."""
        given = os.environ.get("PL_GLOBAL_SEED", "")
        if self.context.seed is not None or not given.isdecimal():
            return self.context
        return replace(self.context, seed=int(given))

    def _at_this_moment(self) -> Callable[[str, str, Mapping[str, Any]], None]:
        return functools.partial(
            self.recorder.event,
            step=self.watch.step,
            epoch=self.watch.epoch,
            moment=read_clocks(),
        )

    def _report_failure(self, hook: str, error: Exception) -> None:
        data = {"error": f"{type(error).__name__}: {error}", "hook": hook}
        self.event("capture_failed", hook, data)

    def _finish(self) -> None:
        self.detach()
        if self._checkpoints is not None:
            self._checkpoints.detach()
        # the seal puts all on disk
        self.guard.call(self._settle)
        self.guard.call(self._find_sources, [])
        self.event("resources", "", read_resources())
        self.event("overhead", "", overhead_data(self.guard.seconds, self.recorder))

    def _settle(self) -> None:
        """Write what waited for the end of a stage."""
        self.guard.call(self._finish_model)
        self.guard.call(self._finish_code)
        if self._checkpoints is not None:
            self.guard.call(self._checkpoints.settle)
        self.watch.end_all()

    def _after_batch(self) -> None:
        if self._pending_model is not None:
            self._finish_model()
        if self._code is not None and self._code.poll() is not None:
            self._finish_code()
        if self._code is None:
            self.watch.after_batch = None

    def _start_code(self) -> None:
        if not self.recorder.keeps("code"):
            return
        with_patch = self._options.level != "light"
        if self.context.code is not None:
            left_out = {} if with_patch else {"patch": None, "patch_sha256": None}
            self.event("code", "", {**self.context.code, **left_out})
            return
        self._code = CodeReader(self.context.code_root or Path.cwd(), patch=with_patch)
        self.watch.after_batch = self._after_batch

    def _finish_code(self) -> None:
        if self._code is not None:
            code, self._code = self._code.wait(_GIT_PATIENCE_S), None
            self.event("code", "", code)

    def _describe_model(self, model: LightningModule) -> None:
        if self._described is not None and self._described() is model:
            return
        self._described = weakref.ref(model)
        self._pending_model = model
        self.watch.after_batch = self._after_batch
        losses = loss_settings(model)
        self._events("param", ((name, object_data(name, value)) for name, value in losses))
        if self.recorder.keeps("layer"):
            self._shapes = ShapeProbe(model)

    def _finish_model(self) -> None:
        model, self._pending_model = self._pending_model, None
        probe, self._shapes = self._shapes, None
        if probe is not None:
            probe.remove()
        if model is None:
            return
        self.event("model", type(model).__name__, describe_model(model))
        if self.recorder.keeps("layer"):
            self._events("layer", describe_layers(model, probe.shapes if probe else {}))

    def _describe_data(self, trainer: Trainer, loaders: Mapping[str, Any]) -> None:
        kinds = ("dataset", "split", "transform", "loader")
        if not any(map(self.recorder.keeps, kinds)):
            return
        if self._data is None:
            limit: dict[str, Any] = {"limit_bytes": None} if self._options.level == "full" else {}
            self._data = DataDescriber(trainer.datamodule, **limit)  # type: ignore[attr-defined]
        self._data.follow(trainer.datamodule)  # type: ignore[attr-defined]
        for kind, subject, data in self._data.describe(loaders):
            self.event(kind, subject, data)

    def _find_sources(self, objects: list[object]) -> None:
        if self._sources is not None:
            self._events("source", self._sources.find(objects))

    def _events(self, kind: str, named: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Write events of one kind, each a subject and its data, as one batch."""
        described = ((kind, subject, data) for subject, data in named)
        self.recorder.events(described, step=self.watch.step, epoch=self.watch.epoch)

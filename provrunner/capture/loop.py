"""Records a training loop of one's own: what its program logs and hands over."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provrunner.capture.arrays import as_datasets
from provrunner.capture.artifacts import CheckpointWatch
from provrunner.capture.beginning import begin_process
from provrunner.capture.data import DataDescriber
from provrunner.capture.ending import exception_data
from provrunner.capture.environment import user_name
from provrunner.capture.estimator import describe_estimator
from provrunner.capture.guard import Guard
from provrunner.capture.keras_model import describe_keras
from provrunner.capture.loaded import is_single_number, is_tensor, uses_cuda
from provrunner.capture.options import CaptureOptions, Leaf, RunContext
from provrunner.capture.program import ProgramCode
from provrunner.capture.recorder import Described, Moment, Recorder, read_clocks, shorten
from provrunner.capture.resources import overhead_data, read_resources
from provrunner.capture.settings import leaf_data, object_data
from provrunner.redaction import secret_values
from provrunner.schema import RunStatus, Sink, stage_of

if TYPE_CHECKING:
    from provrunner.capture.networks import ModelWatch, Optimizers

__all__ = ["LoopRecording"]

_Describe = Callable[[Any, str | None], Iterator[Described]]


class LoopRecording:
    """The open log of one process whose loop is no Trainer's.

    Rank 0 describes the run; the others write their metrics, epochs and ends. No method raises into
    the program, unless the options are strict.

    Args:
        sink: where events and metrics go.
        options: how much is captured.
        context: what the runner knows of the run; its folder is that of the checkpoints.

    Attributes:
        recorder: writes events.
        guard: keeps failures away from the program.
        step: the last step logged; None before the first one.
        epoch: the epoch that is under way; None before the first one.
    """

    def __init__(self, sink: Sink, options: CaptureOptions, context: RunContext) -> None:
        self.recorder = Recorder(sink, options, secret_values(os.environ) | context.secrets)
        self.guard = Guard(self._report_failure, strict=options.strict)
        self.step: int | None = None
        self.epoch: int | None = None
        self._options = options
        self._context = context
        self._describes = False
        self._counts: Counter[str] = Counter()
        self._names: dict[str, str | None] = {}
        self._counted_by_program = False
        self._epoch_started = self._last_logged = read_clocks()
        self._code: ProgramCode | None = None
        self._data: DataDescriber | None = None
        self._models: list[ModelWatch] = []
        self._optimizers: Optimizers | None = None
        self._checkpoints = CheckpointWatch(context.folder or Path.cwd(), self.event)

    def open(self, rank: int, world_size: int) -> None:
        """Open the sink, and describe who runs what and where."""
        self.recorder.open(rank, world_size)
        if rank > 0:
            return
        self._describes = True
        self.guard.call(self._begin, world_size)

    def event(self, kind: str, subject: str, data: Mapping[str, Any]) -> None:
        """Write an event at the current step and epoch."""
        self.recorder.event(kind, subject, data, step=self.step, epoch=self.epoch)

    def params(self, values: Mapping[str, Any]) -> None:
        """Write hyperparameters, nested mappings flat."""
        if self._describes:
            params = (("param", leaf.name, leaf_data(leaf)) for leaf in _leaves(values))
            self.recorder.events(params, step=self.step, epoch=self.epoch)

    def write(
        self, values: Mapping[str, Any], step: int | None, epoch: int | None, stage: str | None
    ) -> None:
        """Write values, and what changed in optimizers since the last ones.

        Args:
            values: a number becomes a metric, anything else a `value` event.
            step: None stands for the last step given, or where none ever was, for the number of
                values of that name before.
            epoch: None stands for the current one.
            stage: None stands for what the name says, else `train`.
        """
        if epoch is not None and epoch != self.epoch:
            self._enter(epoch)
        steps = self._steps(values, step)
        self.step = max(steps.values(), default=self.step)
        self.guard.call(self.look)
        self._write_values(values, steps, stage)
        self._last_logged = read_clocks()

    def watch_model(self, model: Any) -> None:
        """Describe a torch model once its layers' shapes are known."""
        if self._describes:
            from provrunner.capture.networks import ModelWatch

            self._models.append(ModelWatch(model, layers=self.recorder.keeps("layer")))
            self._find_sources(model)

    def watch_estimator(self, estimator: Any) -> None:
        """Describe an estimator's parameters and steps."""
        self._write_described(describe_estimator, estimator)

    def watch_keras(self, model: Any) -> None:
        """Describe a Keras model's optimizer and layers."""
        self._write_described(describe_keras, model)

    def adapt(self, name: str, old: object, new: object, cause: str, agent: str) -> None:
        """Write that a setting changed."""
        self.event("adaptation", name, {"old": old, "new": new, "cause": cause, "agent": agent})

    def watch_optimizers(self, optimizers: Sequence[Any], schedulers: Sequence[Any]) -> None:
        """Write settings of torch optimizers and schedulers, and watch them from now on."""
        from provrunner.capture.networks import Optimizers

        self.guard.call(self.look)
        self._optimizers = self._optimizers or Optimizers()
        for name, value in self._optimizers.add(optimizers, schedulers):
            if self._describes:
                self.event("param", name, object_data(name, value))

    def watch_data(self, data: Any) -> None:
        """Describe data sets, by split where they are named."""
        if not self._describes:
            return
        if self._data is None:
            limit: dict[str, Any] = {"limit_bytes": None} if self._options.level == "full" else {}
            self._data = DataDescriber(None, **limit)
        datasets = as_datasets(data)
        for kind, subject, told in self._data.describe(datasets):
            if kind != "loader" or hasattr(datasets[subject], "dataset"):
                self.event(kind, subject, told)

    def save(self, path: Path, *, metric: str | None, value: float | None, role: str) -> None:
        """Record a checkpoint that the program has written."""
        if self._describes:
            self._checkpoints.record(path, metric=metric, value=value, role=role)

    def look(self) -> None:
        """Write what changed in optimizers, and what is known of models and code by now."""
        for change in self._optimizers.changes() if self._optimizers else ():
            self.adapt(change.name, change.old, change.new, change.cause, change.agent)
        for model in [model for model in self._models if model.is_ready()]:
            self._describe(model)
        if self._code is not None:
            self._code.look()

    def fail(self, exception: BaseException) -> None:
        """Write what was raised."""
        self.event("exception", "", exception_data(exception))

    def close(self, status: RunStatus, reason: str | None) -> None:
        """Write what is left, and seal the log."""
        try:
            self.guard.call(self._finish)
        finally:
            self.recorder.close(status, reason)

    def _begin(self, world_size: int) -> None:
        self._code = ProgramCode(self._options, self._context, self.event)
        described = begin_process(
            world_size=world_size,
            cuda=uses_cuda(),
            context=self._context,
            options=self._options,
            environ=os.environ,
        )
        # that it began is on the disk before what takes longer to find
        self.recorder.event(*next(described))
        self.recorder.events(described)

    def _finish(self) -> None:
        self.guard.call(self.look)
        for model in list(self._models):
            self.guard.call(self._describe, model)
        if self.epoch is not None:
            self._end_epoch()
        self.guard.call(self._checkpoints.settle)
        if self._code is not None:
            self.guard.call(self._code.finish)
            self.guard.call(self._code.find_sources)
        self.event("resources", "", read_resources())
        self.event("overhead", "", overhead_data(self.guard.seconds, self.recorder))

    def _enter(self, epoch: int) -> None:
        if self.epoch is not None:
            self._end_epoch()
        self.epoch = epoch
        self._epoch_event("epoch_start", {}, self._epoch_started)

    def _end_epoch(self) -> None:
        """End an epoch where its last value was logged: the next one began there."""
        start, end = self._epoch_started, max(self._epoch_started, self._last_logged)
        data = {"duration_s": (end[1] - start[1]) / 1e9, "batches": None}
        self._epoch_event("epoch_end", data, end)
        self._epoch_started = end
        self.event("resources", "train", read_resources())
        self.event("overhead", "train", overhead_data(self.guard.seconds, self.recorder))

    def _epoch_event(self, kind: str, data: Mapping[str, Any], moment: Moment) -> None:
        self.recorder.event(kind, "train", data, step=self.step, epoch=self.epoch, moment=moment)

    def _steps(self, values: Mapping[str, Any], step: int | None) -> dict[str, int]:
        if step is not None:
            self._counted_by_program = True
            return dict.fromkeys(values, step)
        if self._counted_by_program:
            return dict.fromkeys(values, self.step or 0)
        steps = {name: self._counts[name] for name in values}
        self._counts.update(values.keys())
        return steps

    def _write_values(
        self, values: Mapping[str, Any], steps: Mapping[str, int], stage: str | None
    ) -> None:
        epoch = self.epoch or 0
        numbers: dict[tuple[int, str], dict[str, Any]] = {}
        for name, value in values.items():
            if not is_single_number(value):
                self.recorder.event("value", name, {"value": value}, step=steps[name], epoch=epoch)
            elif (kept := self._kept_name(name)) is not None:
                number = value.detach().clone() if is_tensor(value) else _number(value)
                place = (steps[name], stage or stage_of(name))
                numbers.setdefault(place, {})[kept] = number
        for (step, told), logged in numbers.items():
            self.recorder.metrics(logged, step=step, epoch=epoch, stage=told)

    def _kept_name(self, name: str) -> str | None:
        """Return a metric's name as it is written, or None where it is left out."""
        if name not in self._names:
            self._names[name] = shorten(name) if self.recorder.keeps("metric", name) else None
        return self._names[name]

    def _describe(self, model: ModelWatch) -> None:
        self._models.remove(model)
        for kind, subject, data in model.describe():
            self.event(kind, subject, data)

    def _write_described(self, describe: _Describe, model: Any) -> None:
        if not self._describes:
            return
        user = user_name() if self._options.identity else None
        self.recorder.events(describe(model, user), step=self.step, epoch=self.epoch)
        self._find_sources(model)

    def _find_sources(self, *objects: object) -> None:
        if self._code is not None:
            self._code.find_sources(objects)

    def _report_failure(self, hook: str, error: Exception) -> None:
        data = {"error": f"{type(error).__name__}: {error}", "hook": hook}
        self.event("capture_failed", hook, data)


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[Leaf]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield Leaf(f"{prefix}{key}", value)


def _number(value: Any) -> float:
    return float(value.item() if hasattr(value, "item") else value)

"""A training loop of one's own, recorded with one line: `provrunner.run(...)`."""

from __future__ import annotations

import atexit
import dataclasses
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, overload

from provrunner.capture.ending import Outcome, exit_outcome, program_outcome
from provrunner.capture.estimator import is_estimator
from provrunner.capture.keras_model import is_keras_model
from provrunner.capture.loop import LoopRecording
from provrunner.capture.options import CaptureOptions
from provrunner.errors import nearest
from provrunner.log import ArrowSink
from provrunner.own_values import forget, listen
from provrunner.plan import Objective
from provrunner.run.seeding import seed_loaded
from provrunner.run.signals import StopListener
from provrunner.run.single import SingleRun, agree_on_folder, begin_run, create_single, current_rank
from provrunner.schema import RunStatus

__all__ = ["LoopRun", "open_run"]

_STAGES = ("train", "validate", "test", "predict")
_ROLES = ("best", "last", "epoch", "manual")
_UNSET = object()


def open_run(
    config: object = None,
    *,
    name: str = "script",
    folder: str | Path = "outputs",
    objective: str = "val/loss",
    direction: str = "minimize",
    seed: int | None = None,
    options: CaptureOptions = CaptureOptions(),  # noqa: B008 - frozen
) -> LoopRun:
    """Record a program's own loop, of torch, Fabric, scikit-learn or plain Python.

    This is `provrunner.run`. The result is a sweep of one run, as every verb reads it.

    Args:
        config: hyperparameters: a mapping (nested ones become dotted names), a dataclass or an
            `argparse.Namespace`.
        name: what the sweep is called.
        folder: parent of the sweep folder.
        objective: the metric that the run is judged by.
        direction: `minimize` or `maximize`.
        seed: seeds Python, NumPy, and torch where the program has imported it by now; None leaves
            seeding to the program.
        options: how much is captured.

    Returns:
        The run, open: leave its `with` block, or call `finish`, to seal it.

    Raises:
        ConfigError: no such direction; or a further rank that cannot know the first one's folder.
        LogError: the folder cannot be made.

    Example:
        >>> import tempfile
        >>> with open_run({"lr": 0.1}, folder=tempfile.mkdtemp()) as run:
        ...     for epoch in range(3):
        ...         run.log({"val/loss": 1.0 / (epoch + 1)}, epoch=epoch)
        >>> run.log("val/loss", 0.0)  # it is sealed: nothing happens
    """

    def make() -> Path:
        return create_single(Path(folder), name, Objective(objective, direction), seed=seed)

    rank, world_size = current_rank()
    single = begin_run(lambda: agree_on_folder(make), rank, seed=seed)
    if seed is not None:
        seed_loaded(seed)
    run = LoopRun(single, options, rank=rank, world_size=world_size)
    if config is not None:
        run.log_params(config)
    return run


class LoopRun:
    """A run whose values the program logs itself; `provrunner.run(...)` opens one.

    What a method is given wrongly raises at once; what cannot be captured becomes an event, and the
    program goes on. A run that is never finished is sealed when the program ends.

    Args:
        single: the run.
        options: how much is captured.
        rank: of this process.
        world_size: processes that take part.

    Attributes:
        folder: the sweep folder.
        run_folder: the run's own folder in it, for checkpoints.
    """

    def __init__(
        self, single: SingleRun, options: CaptureOptions, *, rank: int = 0, world_size: int = 1
    ) -> None:
        sink: ArrowSink = single.make_sink()
        self.folder = single.sweep
        self.run_folder = single.folder
        self._recording = LoopRecording(sink, options, single.make_context())
        self._recording.open(rank, world_size)
        self._pid = os.getpid()
        self._outcome: Outcome | None = None
        self._listener = StopListener(self, sink.after_write)
        self._listener.listen()
        listen(self)
        atexit.register(self._close_at_exit)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if error is None or program_outcome(error)[0] is RunStatus.FINISHED:
            self.close()
        else:
            self.fail(error)

    @overload
    def log(
        self,
        values: Mapping[str, object],
        /,
        *,
        step: int | None = None,
        epoch: int | None = None,
        stage: str | None = None,
    ) -> None: ...

    @overload
    def log(
        self,
        values: str,
        value: object,
        /,
        *,
        step: int | None = None,
        epoch: int | None = None,
        stage: str | None = None,
    ) -> None: ...

    def log(
        self,
        values: Mapping[str, object] | str,
        value: object = _UNSET,
        /,
        *,
        step: int | None = None,
        epoch: int | None = None,
        stage: str | None = None,
    ) -> None:
        """Log one value by name, or several.

        Learning rates and other optimizer settings that have changed since are noticed here.

        Args:
            values: a name, or values by name.
            value: what a name stands for: a number becomes a metric, anything else an event.
            step: left out, the last step given; where none ever was, how many values of that name
                came before.
            epoch: left out, the current one. A new number ends the epoch before.
            stage: `train`, `validate`, `test` or `predict`; left out, what the name's first word
                says (`val/loss`, `test_accuracy`), else `train`.

        Raises:
            TypeError: a name without a value, or a mapping with one.
            ValueError: no such stage.
        """
        if isinstance(values, str) is (value is _UNSET):
            raise TypeError("log: give a name and a value, or one mapping of values by name")
        if stage is not None and stage not in _STAGES:
            raise ValueError(
                f"stage: {stage!r} is none of {', '.join(_STAGES)}{nearest(stage, _STAGES)}"
            )
        named = {values: value} if isinstance(values, str) else dict(values)
        self.guarded(self._recording.write, named, step, epoch, stage)

    def log_value(self, name: str, value: object, *, step: int | None = None) -> None:
        """Write what `provrunner.log` was given anywhere in the program."""
        self.guarded(self._recording.write, {name: value}, step, None, None)

    def log_params(self, params: object) -> None:
        """Write hyperparameters, as `config` of `provrunner.run` takes them.

        Raises:
            TypeError: they are no mapping, dataclass or namespace.
        """
        self.guarded(self._recording.params, _mapping(params))

    def watch(
        self,
        model: object = None,
        *,
        optimizer: object = None,
        scheduler: object = None,
        data: object = None,
    ) -> None:
        """Capture what the loop works with; call it again for what comes later.

        Args:
            model: a torch module: its layers, once a batch has shown their shapes, and its
                architecture hash. Or a Keras model that is built: its optimizer and layers. Or a
                scikit-learn estimator: its parameters and steps.
            optimizer: one of torch's, or several: their settings now, and each change of them.
            scheduler: one of torch's, or several, so that a change of theirs bears their name.
            data: a loader, data set, array, table, or pair of features and targets; or a dict of
                them by split: `{"train": ..., "val": ...}`. Sizes, classes and digests are taken
                without drawing a batch.
        """
        if is_keras_model(model):
            self.guarded(self._recording.watch_keras, model)
        elif is_estimator(model):
            self.guarded(self._recording.watch_estimator, model)
        elif model is not None:
            self.guarded(self._recording.watch_model, model)
        if optimizer is not None or scheduler is not None:
            self.guarded(self._recording.watch_optimizers, _listed(optimizer), _listed(scheduler))
        if data is not None:
            self.guarded(self._recording.watch_data, data)

    def log_adaptation(
        self, name: str, old: object, new: object, *, cause: str = "manual", agent: str = "unknown"
    ) -> None:
        """Record that a setting was changed in flight; those of watched optimizers are noticed.

        Args:
            name: of the setting, such as `data.batch_size`.
            old: its value before.
            new: its value from now on.
            cause: in one word, such as `scheduler` or `manual`.
            agent: who or what changed it.
        """
        self.guarded(self._recording.adapt, name, old, new, cause, agent)

    def log_estimator(
        self,
        estimator: object,
        scores: Mapping[str, object] | None = None,
        *,
        step: int | None = None,
        stage: str | None = None,
    ) -> None:
        """Capture a scikit-learn estimator's parameters and steps, and its scores as metrics.

        Args:
            estimator: anything with `get_params`.
            scores: values by name.
            step: as in `log`.
            stage: as in `log`.

        Raises:
            TypeError: it has no `get_params`.
        """
        if not is_estimator(estimator):
            raise TypeError(f"log_estimator: a {type(estimator).__name__} has no get_params")
        self.watch(estimator)
        if scores:
            self.log(scores, step=step, stage=stage)

    def save(
        self,
        path: str | Path,
        *,
        metric: str | None = None,
        value: float | None = None,
        role: str = "manual",
    ) -> None:
        """Record a checkpoint that the program has written, by its hash; it stays where it is.

        Args:
            path: of the file or folder. Only below `run_folder` does `verify` read it again.
            metric: what it was chosen by.
            value: of that metric.
            role: `best`, `last`, `epoch` or `manual`.

        Raises:
            ValueError: no such role.
        """
        if role not in _ROLES:
            raise ValueError(
                f"role: {role!r} is none of {', '.join(_ROLES)}{nearest(role, _ROLES)}"
            )
        guard, record = self._recording.guard, self._recording.save
        if self._is_open():
            guard.call(record, Path(path), metric=metric, value=value, role=role)

    def guarded(self, function: Callable[..., object], *args: Any) -> None:
        """Call a further probe's function: what it raises becomes an event; sealed, do nothing."""
        if self._is_open():
            self._recording.guard.call(function, *args)

    def finish(self) -> None:
        """End the run as finished and seal its log; a second call does nothing."""
        self.close()

    def fail(self, error: BaseException) -> None:
        """End the run with what was raised: interrupted by a stop signal, else failed."""
        self.guarded(self._recording.fail, error)
        self.close(*(self._outcome or program_outcome(error)))

    def interrupt(self, number: int) -> None:
        """Write that a stop signal came: whatever ends the run now, it was interrupted."""
        name = signal.Signals(number).name
        self._outcome = (RunStatus.INTERRUPTED, name)
        self.guarded(self._recording.event, "signal", "", {"number": int(number), "name": name})

    def close(self, status: RunStatus | None = None, reason: str | None = None) -> None:
        """Write how the run ended and seal the log; a second call does nothing.

        Args:
            status: None stands for the stop signal that came, or `finished`.
            reason: in one line.
        """
        if not self._is_open():
            return
        if status is None:
            status, reason = self._outcome or (RunStatus.FINISHED, None)
        self._recording.guard.call(self._recording.close, status, reason)
        self._listener.leave()
        forget(self)
        atexit.unregister(self._close_at_exit)

    def _close_at_exit(self) -> None:
        self.close(*(self._outcome or exit_outcome()))

    def _is_open(self) -> bool:
        # A forked child has a copy, which it must not close.
        return not self._recording.recorder.closed and self._pid == os.getpid()


def _mapping(config: object) -> Mapping[str, Any]:
    if isinstance(config, Mapping):
        return config
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        return dataclasses.asdict(config)
    if type(config).__name__ == "Namespace":
        return vars(config)
    raise TypeError(f"config: a {type(config).__name__} is no mapping, dataclass or namespace")


def _listed(held: object) -> Sequence[object]:
    if held is None:
        return ()
    return held if isinstance(held, list | tuple) else (held,)

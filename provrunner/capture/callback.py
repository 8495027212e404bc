"""Turns Lightning's hooks into events."""
# ruff: noqa: ARG002 - Lightning gives every hook its arguments by position

from __future__ import annotations

import atexit
import functools
import multiprocessing
import os
import signal
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, cast

from provrunner.capture.bases import accepted_class, callback_classes
from provrunner.capture.ending import Outcome, exception_data, exit_outcome, outcome_of
from provrunner.capture.options import CaptureOptions, RunContext
from provrunner.capture.recording import Recording
from provrunner.capture.wrapping import wrap_method
from provrunner.own_values import forget, listen
from provrunner.schema import RunStatus, Sink

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.callbacks import Callback as _Callback
else:
    # `__new__` adds the Callback class of whichever package makes the Trainer.
    _Callback = object

__all__ = ["ProvenanceCallback"]

P = ParamSpec("P")
_Hook = Callable[Concatenate["ProvenanceCallback", P], None]


def _guarded(hook: _Hook[P]) -> _Hook[P]:
    """Make a hook that never raises and does nothing once the log is closed."""

    @functools.wraps(hook)
    def guarded(self: ProvenanceCallback, /, *args: P.args, **kwargs: P.kwargs) -> None:
        if not self._recording.recorder.closed:
            self._recording.guard.call(hook, self, *args, **kwargs)

    return guarded


class ProvenanceCallback(_Callback):
    """Records what a Trainer does, for the Trainers of `lightning` and of `pytorch_lightning`.

    It works alone in any Trainer: the log stays open over `fit` and `test`, and is closed when the
    interpreter ends, when `close` is called, or when training raises. It changes nothing that
    training computes and draws no random number, and what fails in it becomes an event.

    Args:
        sink: where events and metrics go.
        options: how much is captured.
        context: what the runner knows of the run.
    """

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self:
        """Make an instance that is a `Callback` of every Lightning package loaded."""
        instance: Self = object.__new__(accepted_class(cast("type", cls), callback_classes()))
        return instance

    def __init__(
        self,
        sink: Sink,
        *,
        options: CaptureOptions = CaptureOptions(),  # noqa: B008 - frozen
        context: RunContext = RunContext(),  # noqa: B008 - frozen
    ) -> None:
        self._made_of = (sink, options, context)
        self._recording = Recording(sink, options, context)
        self._outcome: Outcome | None = None
        self._stopped: Outcome | None = None
        self._untold: BaseException | None = None
        self._pid: int | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to another process as a fresh callback: an open log belongs to one process."""
        sink, options, context = self._made_of
        make = functools.partial(ProvenanceCallback, options=options, context=context)
        return make, (sink,)

    @property
    def is_recording(self) -> bool:
        """Whether a log is open, and not closed yet."""
        return self._recording.is_open and not self._recording.recorder.closed

    @property
    def outcome(self) -> Outcome | None:
        """Status and reason of a training that was stopped or raised; None when none was."""
        told = None if self._untold is None else outcome_of(self._untold)
        return self._stopped or self._outcome or told

    @_guarded
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Open the log, and describe what is known before the first batch."""
        if not self._recording.is_open:
            self._recording.open(trainer, pl_module)
            self._close_at_exit()
            listen(self)
            self._recording.guard.call(self._warn_of_another, trainer)
        self._recording.attach(trainer, pl_module, self)
        self._recording.watch.start("stage", _plain(stage))

    @_guarded
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Describe optimizers, data and model as training finds them."""
        self._recording.guard.call(self._recording.compare_settings, trainer, pl_module)
        self._recording.describe_optimizers(trainer)
        loaders = {"train": trainer.train_dataloader, "val": trainer.val_dataloaders}
        self._recording.describe(trainer, pl_module, loaders)

    @_guarded
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write that a training epoch starts."""
        self._recording.watch.start("epoch", "train")

    @_guarded
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write that a validation starts; Lightning's sanity check is none."""
        if trainer.sanity_checking:
            return
        self._recording.watch.start("epoch", "validate")
        if _plain(trainer.state.fn) == "validate":
            self._recording.describe(trainer, pl_module, {"val": trainer.val_dataloaders})

    @_guarded
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write that a validation ended."""
        self._recording.watch.end("epoch", "validate")

    @_guarded
    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write that a test starts."""
        self._recording.watch.start("epoch", "test")
        self._recording.describe(trainer, pl_module, {"test": trainer.test_dataloaders})

    @_guarded
    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write that a test ended."""
        self._recording.watch.end("epoch", "test")

    @_guarded
    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write that a prediction starts."""
        self._recording.watch.start("epoch", "predict")
        self._recording.describe(trainer, pl_module, {"predict": trainer.predict_dataloaders})

    @_guarded
    def on_predict_batch_end(self, *_args: Any, **_kwargs: Any) -> None:
        """Count a predicted batch."""
        self._recording.watch.count_batch("predict")

    @_guarded
    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write that a prediction ended."""
        self._recording.watch.end("epoch", "predict")

    @_guarded
    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Write what was raised; alone, close the log once the other callbacks were told."""
        # first of all: a signal handler may raise in any of what follows
        self._untold = exception
        self._outcome = outcome_of(exception)
        if not self._recording.context.owns_end:
            self._close_after_teardown(trainer)
        self._tell_exception()
        self._recording.finish_stage()

    @_guarded
    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write that a stage ended; the log stays open for the next one."""
        self._recording.guard.call(self._recording.watch.look_for_changes)
        self._recording.guard.call(self._recording.compare_settings, trainer, pl_module)
        self._recording.finish_stage()
        self._recording.detach()

    @_guarded
    def record(self, kind: str, subject: str = "", data: Mapping[str, Any] | None = None) -> None:
        """Write an event of the runner's own, such as `signal`.

        Args:
            kind: a kind of `schema.EVENT_KINDS`.
            subject: what it is about.
            data: the fields that the kind has.
        """
        self._recording.event(kind, subject, data or {})

    @_guarded
    def log_value(self, name: str, value: object, *, step: int | None = None) -> None:
        """Write a value of the user's own, at the current step, epoch and stage.

        Args:
            name: as a metric's.
            value: a number becomes a metric, anything else a `value` event.
            step: another step than the current one.
        """
        self._recording.watch.write_own(name, value, step)

    def tell_reads(self, reads: Mapping[str, int]) -> None:
        """Say how often each leaf of the configuration was read, before a trainer sets it up.

        Args:
            reads: by the leaf's name; of a leaf that is not named, it is not known.
        """
        context = self._recording.context
        config = tuple(replace(leaf, reads=reads.get(leaf.name)) for leaf in context.config)
        self._recording.context = replace(context, config=config)

    def interrupt(self, number: int) -> None:
        """Write that a stop signal came: whatever ends the run now, it was interrupted.

        A signal handler may call this.
        """
        if not self._recording.is_open or self._pid not in (None, os.getpid()):
            return
        name = signal.Signals(number).name
        self._stopped = (RunStatus.INTERRUPTED, name)
        self.record("signal", "", {"number": int(number), "name": name})

    def finish(self, status: RunStatus, reason: str | None = None) -> None:
        """Close the log with the status that the runner decided."""
        self.close(status, reason)

    def fail(self, exception: BaseException) -> None:
        """Write what was raised, unless a trainer told so already, and close the log."""
        if self._outcome is None:
            self._untold, self._outcome = exception, outcome_of(exception)
            self._recording.open_early()
        self.close(*(self.outcome or self._outcome))

    def close(self, status: RunStatus | None = None, reason: str | None = None) -> None:
        """Write how the run ended and seal the log; a second call does nothing.

        Args:
            status: None stands for what training raised, or `finished`. A callback that no trainer
                has set up yet writes nothing unless a status is given.
            reason: in one line.
        """
        if self._recording.recorder.closed or self._pid not in (None, os.getpid()):
            return
        if status is None:
            status, reason = self.outcome or (RunStatus.FINISHED, None)
            if not self._recording.is_open:
                return
        # a signal handler may have raised while it was told: torch's does when a worker has died
        self._recording.guard.call(self._tell_exception)
        self._recording.guard.call(self._recording.close, status, reason)
        atexit.unregister(self._close_at_exit_of_program)
        forget(self)

    def _tell_exception(self) -> None:
        if self._untold is not None:
            self._recording.event("exception", "", exception_data(self._untold))
            self._untold = None

    def _warn_of_another(self, trainer: Trainer) -> None:
        others = [
            item
            for item in trainer.callbacks  # type: ignore[attr-defined]
            if isinstance(item, ProvenanceCallback) and item is not self and item.is_recording
        ]
        if others:
            warnings.warn(
                f"this Trainer has {len(others) + 1} ProvenanceCallbacks: each records the whole "
                "training in a log of its own; remove all but one",
                RuntimeWarning,
                stacklevel=2,
            )

    def _close_at_exit(self) -> None:
        self._pid = os.getpid()
        if self._recording.context.owns_end:
            return
        # Held until it is closed: a program may drop its Trainer long before it ends.
        atexit.register(self._close_at_exit_of_program)
        if multiprocessing.parent_process() is not None:
            # a child of multiprocessing leaves without what atexit holds
            Finalize(None, self._close_at_exit_of_program, exitpriority=0)

    def _close_at_exit_of_program(self) -> None:
        self.close(*(self.outcome or exit_outcome()))

    def _close_after_teardown(self, trainer: Trainer) -> None:
        """Close after the trainer's own teardown: checkpoints of the exception come before it."""

        def close() -> None:
            undo()
            self.close()

        undo = wrap_method(trainer, "_teardown", after=self._recording.guard.wrap(close))


def _plain(name: Any) -> str:
    return str(getattr(name, "value", name))

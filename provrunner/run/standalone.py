"""The callback for anyone's own script: a sweep of one run a Trainer, with no Hydra."""

from __future__ import annotations

import functools
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from provrunner import capture
from provrunner.capture import CaptureOptions
from provrunner.compose.environment import process_rank, recorded_sweep
from provrunner.log import ArrowSink
from provrunner.log.folder import run_number
from provrunner.plan import Objective
from provrunner.run.agreement import SharedSink
from provrunner.run.signals import StopListener
from provrunner.run.single import create_single, first_run, take_run
from provrunner.schema import RunStatus

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer

__all__ = ["ProvenanceCallback"]


class ProvenanceCallback(capture.ProvenanceCallback):
    """Record all that a Trainer does, below a folder, as a sweep of one run.

    Give it to any Trainer of `lightning` or `pytorch_lightning`; fit, validate, test and predict
    of that Trainer go to one log, which is sealed when the program ends, when a stage raises, or by
    `close()`. A further Trainer that is given it ends that run and begins the next one of the same
    sweep. Every verb of provrunner reads the result: `provrunner summary logs`.
    All ranks of a distributed training write one folder.
    """

    def __init__(
        self,
        folder: str | Path = "outputs",
        *,
        name: str = "script",
        objective: str = "val/loss",
        direction: str = "minimize",
        options: CaptureOptions = CaptureOptions(),  # noqa: B008 - frozen
    ) -> None:
        """Make the folder ready.

        Args:
            folder: parent of the sweep folder.
            name: what the sweep is called.
            objective: the metric that the run is judged by.
            direction: `minimize` or `maximize`.
            options: how much is captured.

        Raises:
            ConfigError: no such direction.
            LogError: the folder cannot be made.
        """
        target = Objective(objective, direction)
        self._sink: ArrowSink | SharedSink
        recorded = recorded_sweep()
        if recorded is None:
            make = functools.partial(create_single, Path(folder), name, target)
            self._sink = SharedSink(functools.partial(_begin, make), _make_sink)
            # A rank that knows no folder yet hears of it, or makes it, in `setup`.
            context = first_run(self._sink.folder or Path(folder)).make_context()
        else:
            run = take_run(recorded, process_rank()[0])
            self._sink, context = run.make_sink(), run.make_context()
        self._is_recorded, self._folder = recorded is not None, recorded
        self._options = options
        self._trainer: weakref.ref[Trainer] | None = None
        super().__init__(self._sink, options=options, context=context)
        self._listener = StopListener(self, self._sink.after_write)

    @property
    def folder(self) -> Path | None:
        """The sweep folder, `<folder>/<name>/<date_time>-<6 hex>/`.

        A rank above zero knows it once its Trainer has called `setup`; before, it is None.
        """
        return self._sink.folder if isinstance(self._sink, SharedSink) else self._folder

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Open the log, and seal it from now on when the program is stopped from outside."""
        if self._trainer is not None and self._trainer() is not trainer:
            self._begin_next(trainer)
        self._trainer = weakref.ref(trainer)
        self._listener.listen()
        if self.folder is None and trainer.global_rank == 0:
            self._recording.guard.call(self._begin_alone)
        super().setup(trainer, pl_module, stage)

    def _begin_alone(self) -> None:
        """Make the folder late, where the environment speaks of ranks and the Trainer has one."""
        if isinstance(self._sink, SharedSink):
            self._recording.context = first_run(self._sink.begin()).make_context()

    def _begin_next(self, trainer: Trainer) -> None:
        """End the run of the Trainer before, and take the next one of the sweep for this one."""
        self.close()
        folder, done = self.folder, self._recording.context.run_id
        if folder is None or done is None:
            return
        number = None if self._is_recorded else run_number(done) + 1
        try:
            run = take_run(folder, trainer.global_rank, number=number)
        except Exception as error:  # noqa: BLE001  what cannot be recorded still trains
            warnings.warn(f"provrunner records no run: {error}", RuntimeWarning, stacklevel=2)
            return
        self._folder, self._sink = folder, run.make_sink()
        super().__init__(self._sink, options=self._options, context=run.make_context())
        self._listener = StopListener(self, self._sink.after_write)

    def close(self, status: RunStatus | None = None, reason: str | None = None) -> None:
        """Write how the run ended and seal the log; a second call does nothing.

        Args:
            status: None stands for what ended the training, or `finished`.
            reason: in one line.
        """
        super().close(status, reason)
        self._listener.leave()


def _begin(make: Callable[[], Path]) -> Path:
    sweep = make()
    first_run(sweep).folder.mkdir(exist_ok=True)
    return sweep


def _make_sink(sweep: Path) -> ArrowSink:
    return first_run(sweep).make_sink()

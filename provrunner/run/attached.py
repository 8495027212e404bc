"""Records a Trainer that knows nothing of it, as a run of the sweep of its script."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from provrunner.capture.callback import ProvenanceCallback
from provrunner.capture.options import RunContext
from provrunner.compose.environment import is_further_rank, set_next_run
from provrunner.run.signals import StopListener
from provrunner.run.single import first_free, share_sweep, take_run
from provrunner.schema import Event, RunStatus, StepMetrics

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer

__all__ = ["AttachedCallback"]


class AttachedCallback(ProvenanceCallback):
    """Takes a run of the sweep when its Trainer first runs a stage; until then it does nothing.

    It stands aside for a callback of provrunner that the script itself has given the Trainer, and,
    in a further rank, for a Trainer of one process: the first rank has recorded that one.
    """

    def __init__(self) -> None:
        self._listener: StopListener | None = None
        super().__init__(_NoSink(), context=RunContext())
        self._recording.recorder.closed = True

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to the processes that a Trainer spawns: its first rank takes a run there."""
        try:
            set_next_run(first_free(share_sweep()))
        except Exception as error:  # noqa: BLE001  what cannot be recorded still trains
            warnings.warn(f"provrunner records no run: {error}", RuntimeWarning, stacklevel=2)
        return AttachedCallback, ()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Take a run, unless that is done, and describe what is known before the first batch."""
        if self._listener is None and not self._stands_aside(trainer):
            try:
                self._begin(trainer)
            except Exception as error:  # noqa: BLE001  what cannot be recorded still trains
                warnings.warn(f"provrunner records no run: {error}", RuntimeWarning, stacklevel=2)
        super().setup(trainer, pl_module, stage)
        if self._listener is not None:
            self._listener.listen()

    def close(self, status: RunStatus | None = None, reason: str | None = None) -> None:
        """Write how the run ended and seal the log; a second call does nothing.

        Args:
            status: None stands for what ended the training, or `finished`.
            reason: in one line.
        """
        super().close(status, reason)
        if self._listener is not None:
            self._listener.leave()

    def _begin(self, trainer: Trainer) -> None:
        run = take_run(share_sweep(), trainer.global_rank)
        sink = run.make_sink()
        super().__init__(sink, context=run.make_context())
        self._listener = StopListener(self, sink.after_write)

    def _stands_aside(self, trainer: Trainer) -> bool:
        others = (
            isinstance(callback, ProvenanceCallback) and callback is not self
            for callback in trainer.callbacks  # type: ignore[attr-defined]
        )
        return any(others) or (is_further_rank() and trainer.world_size == 1)


class _NoSink:
    """Takes nothing: there is no run yet."""

    def open(self, rank: int, ranks: int = 1) -> None:
        """Do nothing."""

    def write(self, records: Sequence[Event | StepMetrics]) -> None:
        """Do nothing."""

    def flush(self) -> None:
        """Do nothing."""

    def close(self, status: RunStatus, reason: str | None = None) -> None:
        """Do nothing."""

"""Sees the values that go straight to a trainer's loggers, past `self.log`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from provrunner.capture.wrapping import wrap_method

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

__all__ = ["LoggerWatch"]


class LoggerWatch:
    """Follows `log_metrics` of each logger, as user code and `LearningRateMonitor` call it.

    What the trainer itself hands to its loggers is known already and left out; so is the same value
    of the same step when it goes to a second logger.

    Args:
        write: is called with name, value and step (None: the current one).
    """

    def __init__(self, write: Callable[[str, object, int | None], None]) -> None:
        self._write = write
        self._from_trainer = False
        self._last: dict[str, tuple[object, object]] = {}
        self._undo: list[Callable[[], None]] = []

    def attach(
        self, trainer: Trainer, guard: Callable[[Callable[..., None]], Callable[..., None]]
    ) -> None:
        """Follow a trainer's loggers.

        Args:
            trainer: whose loggers are followed.
            guard: makes a function that never raises.
        """
        self.detach()
        self._from_trainer = False
        if not trainer.loggers:
            return
        connector = trainer._logger_connector
        self._undo = [
            wrap_method(connector, "log_metrics", before=self._enter, after=self._leave),
            *(
                wrap_method(logger, "log_metrics", before=guard(self._hearing(logger)))
                for logger in trainer.loggers
            ),
        ]

    def detach(self) -> None:
        """Leave trainer and loggers as they were found."""
        for undo in self._undo:
            undo()
        self._undo = []
        self._last = {}

    def _enter(self, *_args: Any, **_kwargs: Any) -> None:
        self._from_trainer = True

    def _leave(self, *_args: Any, **_kwargs: Any) -> None:
        self._from_trainer = False

    def _hearing(self, logger: object) -> Callable[..., None]:
        def hear(metrics: Mapping[str, Any], step: int | None = None, **_: Any) -> None:
            if self._from_trainer:
                return
            for name, value in metrics.items():
                self._take(str(name), value, step, logger)

        return hear

    def _take(self, name: str, value: object, step: int | None, logger: object) -> None:
        told = (step, _mark(value))
        before, told_to = self._last.get(name, (None, logger))
        if told == before and told_to is not logger:
            return
        self._last[name] = (told, logger)
        self._write(name, value, step)


def _mark(value: object) -> object:
    # The text of a tensor on a device would wait for it; loggers are handed the same object.
    return repr(value) if isinstance(value, int | float | str) else id(value)

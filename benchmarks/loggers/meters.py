"""What is measured inside a process that trains."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Callback

__all__ = ["Meter"]

_HOOKS = ("on_train_batch_start", "on_train_batch_end", "on_before_zero_grad", "on_after_backward")
_PAUSE_S = 0.5
_PAUSE_STEPS = 5
_TICKS = os.sysconf("SC_CLK_TCK")
_Timer = Callable[[], int]


class Meter(Callback):
    """Stands outside and inside of whatever a logger puts round a trainer's step, and takes times.

    CPU time is taken of the calls in which Lightning hands a step's metrics to loggers, of what
    was put round the model's step, and of the logger's own hooks; a run without a logger has its
    own, small, times there, which are to be subtracted.

    Args:
        others: callbacks whose hooks are counted.
        warm_up: steps that are left out; five before their end it waits for half a second, in
            which what a logger does at its start in the background comes to its end.
        turn: steps after which `rest` is called, the first time before the first step.
        rest: gives the turn to another process.

    Attributes:
        paused: the wall time waited and rested.
        started, ended: wall time at the first batch and when training has ended.
        steps: how many were measured.
        calls_ns: CPU of the training thread in calls into the logger.
        thread_ns: CPU of the training thread in all.
        other_ns: CPU of all other threads.
        child_ns: CPU of child processes.
    """

    def __init__(
        self,
        others: list[Callback],
        *,
        warm_up: int,
        turn: int,
        rest: Callable[[], None],
    ) -> None:
        self.started = self.ended = self.paused = 0.0
        self.steps = -warm_up
        self._warm_up, self._turn, self._rest = warm_up, turn, rest
        self.calls_ns = self.thread_ns = self.other_ns = self.child_ns = 0
        self._others = others
        self._inner_ns = 0
        self._counting = False

    def stand_inside(self, trainer: Any) -> None:
        """Time the model's own step, before anybody puts something round it."""
        step = trainer.strategy.training_step

        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.thread_time_ns()
            result = step(*args, **kwargs)
            self._inner_ns += time.thread_time_ns() - began
            return result

        trainer.strategy.training_step = timed

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
        """Stand outside of what has been put round the trainer's calls."""
        self._time(trainer._logger_connector, "update_train_step_metrics")
        self._time(trainer.strategy, "training_step")
        for callback in self._others:
            for hook in _HOOKS:
                if getattr(type(callback), hook) is not getattr(Callback, hook):
                    self._time(callback, hook)

    def on_train_batch_start(self, *_args: Any) -> None:
        """Take the time of the first batch, and begin to count after the warm-up."""
        if not self.started:
            self.started = time.perf_counter()
        if (self.steps + self._warm_up) % self._turn == 0:
            self._pause(self._rest)
        if self.steps == -_PAUSE_STEPS:
            self._pause(lambda: time.sleep(_PAUSE_S))
        if self.steps == 0:
            self._counting = True
            self._count(-1)
            self.calls_ns, self._inner_ns = 0, 0
        self.steps += 1

    def on_train_epoch_end(self, *_args: Any) -> None:
        """End the count."""
        if self._counting:
            self._count(1)
            self.calls_ns -= self._inner_ns
        self._counting = False

    def on_train_end(self, *_args: Any) -> None:
        """Take the time at which the logger's own ending begins."""
        self.ended = time.perf_counter()

    def per_step(self) -> dict[str, float]:
        """Return microseconds a step by name."""
        times = {
            "calls": self.calls_ns,
            "step": self.thread_ns,
            "elsewhere": self.other_ns + self.child_ns,
        }
        return {name: spent / 1e3 / max(1, self.steps) for name, spent in times.items()}

    def _pause(self, wait: Callable[[], None]) -> None:
        began = time.perf_counter()
        wait()
        self.paused += time.perf_counter() - began

    def _count(self, sign: int) -> None:
        thread = time.thread_time_ns()
        self.thread_ns += sign * thread
        self.other_ns += sign * (time.process_time_ns() - thread)
        self.child_ns += sign * _children_ns(os.getpid())

    def _time(self, owner: Any, name: str) -> None:
        call = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.thread_time_ns()
            result = call(*args, **kwargs)
            self.calls_ns += time.thread_time_ns() - began
            return result

        setattr(owner, name, timed)


def _children_ns(pid: int) -> int:
    """Return the CPU time of all living descendants of a process; 0 where there is no /proc."""
    spent = 0
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(child) for child in path.read_text().split()]
        except OSError:
            continue
        for child in children:
            spent += _cpu_ns(child) + _children_ns(child)
    return spent


def _cpu_ns(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:13])) * 1_000_000_000 // _TICKS

"""Signal handlers that raise in the midst of a write."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator

import pytest

from provrunner.log import read_log, run_status
from provrunner.log.journal import ARENA_BYTES
from provrunner.schema import Event, LogState, RunStatus, StepMetrics


class Alarm(BaseException):
    pass


@pytest.fixture
def alarms() -> Iterator[random.Random]:
    """A source of random delays; every alarm raises `Alarm`."""

    def ring(number: int, frame: object) -> None:
        raise Alarm

    before = signal.signal(signal.SIGALRM, ring)
    yield random.Random(0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_what_a_handler_raises_in_the_midst_of_a_write_costs_at_most_that_write(
    run, open_sink, alarms
):
    sink = open_sink()
    written, number, rung = [], 0, 0
    # However slow the machine: every alarm, and more steps than an arena holds.
    while rung < 150 or number * 99 * 8 <= ARENA_BYTES:
        rung += 1
        try:
            signal.setitimer(signal.ITIMER_REAL, alarms.uniform(1e-5, 2e-3))
            while True:
                number += 1
                sink.write(
                    [StepMetrics({f"m{n}": 1.0 * number for n in range(99)}, number, 0, "fit")]
                )
                sink.write([Event("value", str(number))])
                written.append(number)
        except Alarm:
            continue
    sink.close(RunStatus.FINISHED)

    metrics, state = read_log(run)
    events, event_state = read_log(run, "events")
    assert (state, event_state) == (LogState.COMPLETE, LogState.COMPLETE)
    rows = list(zip(metrics["step"].to_pylist(), metrics["value"].to_pylist(), strict=True))
    assert all(value == step for step, value in rows)
    steps = metrics["step"].to_pylist()[::99]
    assert steps == sorted(set(steps))
    assert set(written) <= set(steps)
    assert set(map(str, written)) <= set(events["subject"].to_pylist())
    assert events["seq"].to_pylist() == list(range(len(events)))


def test_an_action_of_a_handler_waits_for_the_write_it_interrupted(run, open_sink):
    sink = open_sink()

    class Interrupting(float):
        """A number that sends a signal while it is written."""

        def __float__(self) -> float:
            os.kill(os.getpid(), signal.SIGUSR1)
            return 2.0

    def raise_later(number: int, frame: object) -> None:
        sink.after_write(throw)

    def throw() -> None:
        raise Alarm

    before = signal.signal(signal.SIGUSR1, raise_later)
    try:
        with pytest.raises(Alarm):
            sink.write([StepMetrics({"a": 1.0, "b": Interrupting()}, 1, 0, "fit")])
        with pytest.raises(Alarm):
            os.kill(os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert read_log(run).table["value"].to_pylist() == [1.0, 2.0]
    sink.close(RunStatus.INTERRUPTED)
    assert run_status(run) == (RunStatus.INTERRUPTED, LogState.COMPLETE)

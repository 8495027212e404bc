import os
import signal

import pytest

from provrunner.capture.guard import Guard
from provrunner.capture.wrapping import wrap_method


def fail():
    raise ValueError("no")


def test_the_first_failure_warns_and_every_function_is_reported_once():
    reports = []
    guard = Guard(lambda name, error: reports.append((name, str(error))), strict=False)
    with pytest.warns(RuntimeWarning, match="fail: ValueError"):
        guard.call(fail)
    guard.call(fail)
    guard.call(Door().knock, 4)
    assert reports == [("fail", "no"), ("knock", "too loud")]


def test_a_report_that_fails_is_kept_in_too():
    def report(name, error):
        raise OSError("disk full")

    with pytest.warns(RuntimeWarning):
        Guard(report, strict=False).call(fail)


def test_strict_lets_it_through():
    with pytest.raises(ValueError, match="no"):
        Guard(lambda name, error: None, strict=True).call(fail)


def test_time_inside_another_call_counts_once(monkeypatch):
    ticks = iter([0.0, 5.0])
    monkeypatch.setattr("provrunner.capture.guard._clock", lambda: next(ticks))
    guard = Guard(lambda name, error: None, strict=True)
    guard.call(lambda: guard.call(lambda: None))
    assert guard.seconds == 5.0


def test_what_a_signal_handler_of_the_program_raises_is_not_held_back():
    def ring(number, frame):
        raise TimeoutError("five minutes are over")

    before = signal.signal(signal.SIGUSR1, ring)
    reports = []
    guard = Guard(lambda name, error: reports.append(name), strict=False)
    try:
        with pytest.raises(TimeoutError, match="five minutes"):
            guard.call(lambda: guard.call(os.kill, os.getpid(), signal.SIGUSR1))
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert reports == []


def test_an_interrupt_is_not_held_back():
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Guard(lambda name, error: None, strict=False).call(interrupt)


class Door:
    def knock(self, times):
        if times > 3:
            raise ValueError("too loud")
        return times


def test_before_comes_before_and_after_after():
    heard, door = [], Door()
    wrap_method(door, "knock", before=heard.append, after=heard.append)
    assert (door.knock(2), heard) == (2, [2, 2])
    assert Door().knock(1) == 1


def test_two_that_wrap_one_method_leave_each_other_alone():
    first, second, door = [], [], Door()
    undo_first = wrap_method(door, "knock", after=first.append)
    undo_second = wrap_method(door, "knock", after=second.append)
    undo_first()
    assert (door.knock(1), first, second) == (1, [], [1])
    undo_second()
    undo_second()
    assert (door.knock(2), first, second) == (2, [], [1])


def test_what_stood_round_a_method_before_stands_there_afterwards():
    others, heard, door = [], [], Door()
    wrap_method(door, "knock", before=others.append)
    undo = wrap_method(door, "knock", after=heard.append)
    undo()
    assert (door.knock(1), others, heard) == (1, [1], [])


def test_after_an_exception_nothing_comes_after():
    heard, door = [], Door()
    wrap_method(door, "knock", after=heard.append)
    with pytest.raises(ValueError, match="too loud"):
        door.knock(4)
    assert heard == []

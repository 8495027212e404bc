"""Stop signals, sent for real."""

import os
import signal

import pytest

from provrunner.run.signals import Stopped, raise_on_stop


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        (signal.SIGTERM, 143),
        (signal.SIGHUP, 129),
        (signal.SIGUSR1, 138),
        (signal.SIGUSR2, 140),
    ],
)
def test_a_stop_signal_raises_stopped_with_the_exit_code_of_its_number(number, code):
    with pytest.raises(Stopped) as caught, raise_on_stop():
        os.kill(os.getpid(), number)
    assert caught.value.exit_code == code


def test_a_second_signal_does_not_disturb_the_cleaning_up():
    cleaned = False
    with raise_on_stop():
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except Stopped:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
            cleaned = True
    assert cleaned


def test_the_handlers_of_before_are_back_afterwards():
    before = signal.getsignal(signal.SIGTERM)
    with raise_on_stop():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_stopped_passes_through_a_handler_of_ordinary_exceptions():
    assert not issubclass(Stopped, Exception)

import pytest

from provrunner.capture import CaptureOptions
from provrunner.capture.options import _LIGHT
from provrunner.errors import ConfigError
from provrunner.schema import EVENT_KINDS


def test_an_unknown_level_is_refused_with_the_nearest_one():
    with pytest.raises(ConfigError, match=r"'defualt' is none of .*; did you mean 'default'"):
        CaptureOptions(level="defualt")


def test_default_keeps_every_kind():
    assert all(CaptureOptions().keeps(kind) for kind in EVENT_KINDS)


def test_light_names_kinds_that_exist():
    assert set(EVENT_KINDS) | {"metric"} >= _LIGHT


def test_names_count_only_where_the_user_gave_them():
    options = CaptureOptions(exclude=("out",))
    assert options.keeps("layer", "out")
    assert not options.keeps("metric", "out")


def test_exclude_wins_over_include():
    options = CaptureOptions(include=("val/*",), exclude=("val/secret",))
    assert options.keeps("metric", "val/loss")
    assert not options.keeps("metric", "val/secret")
    assert not options.keeps("metric", "train/loss")


def test_only_exclude_takes_what_a_log_needs():
    assert CaptureOptions(include=("val/*",)).keeps("exception")
    assert not CaptureOptions(exclude=("exception",)).keeps("exception")

from __future__ import annotations

import json

import pytest
from support.written import PACKAGES, Written

from provrunner.errors import LogError
from provrunner.report import data_changes, open_sweep, verify_rerun
from provrunner.report.verdict import Agreement
from provrunner.schema import RunStatus


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return open_sweep(Written().write(tmp_path_factory.mktemp("w") / "original"))


def repeat(tmp_path, **changes):
    return open_sweep(Written(**changes).write(tmp_path / "rerun"))


def test_the_same_values_are_equal_bit_for_bit(original, tmp_path):
    verdict = verify_rerun(original, 0, repeat(tmp_path))
    assert verdict.agreement is Agreement.EQUAL
    assert verdict.exit_code == 0
    assert [(one.name, one.values, one.equal) for one in verdict.metrics] == [
        ("val/acc", 2, 2),
        ("val/loss", 2, 2),
    ]
    assert verdict.differences == ()


def test_a_difference_below_the_noise_floor_is_within_tolerance(original, tmp_path):
    verdict = verify_rerun(original, 0, repeat(tmp_path, shift=1e-4))
    assert verdict.agreement is Agreement.WITHIN
    assert verdict.exit_code == 0
    assert "Nothing else that was captured differs." in verdict.to_text()


def test_a_difference_beyond_the_noise_floor_is_different_and_says_what_differs(original, tmp_path):
    verdict = verify_rerun(
        original, 0, repeat(tmp_path, shift=0.5, packages={**PACKAGES, "torch": "2.14.0"})
    )
    assert verdict.agreement is Agreement.DIFFERENT
    assert verdict.exit_code == 1
    assert [(one.name, one.a, one.b) for one in verdict.differences] == [
        ("package torch", "2.13.0", "2.14.0")
    ]
    assert "environment  package torch: 2.13.0 → 2.14.0" in verdict.to_text()
    assert json.loads(verdict.to_json())["agreement"] == "different"


def test_without_a_noise_floor_only_equal_values_agree(tmp_path):
    alone = open_sweep(Written(seeds=1, rates=(0.1,)).write(tmp_path / "alone"))
    verdict = verify_rerun(alone, 0, repeat(tmp_path, shift=1e-9))
    assert verdict.agreement is Agreement.DIFFERENT
    assert verdict.metrics[0].tolerance is None


def test_a_run_that_failed_is_no_repetition_of_one_that_finished(original, tmp_path):
    verdict = verify_rerun(original, 0, repeat(tmp_path, status=RunStatus.FAILED))
    assert verdict.agreement is Agreement.DIFFERENT
    assert verdict.statuses == ("finished", "failed")


def test_of_an_interrupted_run_what_it_had_logged_counts(tmp_path):
    cut = open_sweep(Written(status=RunStatus.INTERRUPTED).write(tmp_path / "cut"))
    assert verify_rerun(cut, 0, repeat(tmp_path)).agreement is Agreement.EQUAL


def test_a_run_that_still_runs_has_nothing_to_compare_with(tmp_path):
    live = open_sweep(Written(status=None).write(tmp_path / "live"))
    with pytest.raises(LogError, match="nothing to compare with yet"):
        verify_rerun(live, 0, live)


def test_other_data_are_named(original, tmp_path):
    changed = repeat(tmp_path, data="f" * 64)
    assert data_changes(original, 0, original) == ()
    (told,) = data_changes(original, 0, changed)
    assert told.startswith("data differ: digits: digest was ")
    assert told.endswith("f" * 64)

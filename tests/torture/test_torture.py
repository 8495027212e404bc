"""A little of `python -m benchmarks.torture`, which does it a thousand times."""

from __future__ import annotations

import pytest

from benchmarks.torture.damage import cut, damage_at_random, flip, make_logs
from benchmarks.torture.kills import kill_at_random


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return make_logs(tmp_path_factory.mktemp("logs"))


@pytest.mark.parametrize("change", [cut, flip])
def test_what_is_cut_or_flipped_is_never_complete_and_never_read_wrong(runs, change):
    found = damage_at_random(runs, change, 48, seed=3)
    assert found.wrong == []
    assert found.outcomes.total() >= 48


@pytest.mark.slow
def test_random_kills_of_a_sweep_lose_nothing_that_was_told(tmp_path):
    found = kill_at_random(tmp_path, 3, seed=0, parents=0.0, runs=4)
    assert found.wrong == []
    assert found.told > 0

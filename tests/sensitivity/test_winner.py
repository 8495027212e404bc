"""Whether the best trial beats the runner-up, against scipy's t tests."""

import numpy as np
import pytest
from scipy import stats
from sweeps_for_tests import make_runs, make_study, make_table

from provrunner.sensitivity.analysis import analyse
from provrunner.sensitivity.sample import draw_sample
from provrunner.sensitivity.winner import find_winner

AXES = {"a": (0, 1)}


def _winner(groups, *, seeds):
    rows = make_runs(AXES, groups.shape[1], lambda v, r: groups[v["a"], r])
    sample = draw_sample(make_table(rows), make_study(AXES, seeds=seeds))
    return _find(sample)


def _find(sample):
    noise = analyse(sample.design, sample.y).noise
    blocked = sample.design.blocks is not None
    return find_winner(sample.trials, noise, 1.0, common_seeds=blocked)


@pytest.mark.parametrize("seeds", ["common", "independent"])
def test_two_trials_are_compared_by_students_test(seeds):
    rng = np.random.default_rng(2)
    groups = rng.normal(size=(2, 6)) * 0.2 + rng.normal(size=6) + np.array([[0.0], [0.5]])
    found = _winner(groups, seeds=seeds)
    test = stats.ttest_rel if seeds == "common" else stats.ttest_ind
    assert found.p == pytest.approx(test(groups[0], groups[1]).pvalue, rel=1e-6)
    assert found.difference == pytest.approx(groups[1].mean() - groups[0].mean())


def test_unequal_noise_makes_it_welchs():
    rng = np.random.default_rng(3)
    groups = np.stack([rng.normal(size=8) * 0.01, 3 + rng.normal(size=8)])
    assert groups[1].min() > groups[0].min()
    found = _winner(groups, seeds="independent")
    expected = stats.ttest_ind(groups[0], groups[1], equal_var=False).pvalue
    assert found.p == pytest.approx(expected, rel=1e-6)


def test_few_null_sweeps_have_a_winner():
    rng = np.random.default_rng(5)
    axes = {"a": tuple(range(4)), "b": (0, 1)}
    won = 0
    for _ in range(100):
        y = rng.normal(size=(4, 2, 3))
        rows = make_runs(axes, 3, lambda v, r, y=y: y[v["a"], v["b"], r])
        sample = draw_sample(make_table(rows), make_study(axes))
        won += bool(_find(sample).better)
    assert won <= 7

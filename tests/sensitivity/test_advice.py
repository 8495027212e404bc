"""How many more runs, against an independent power calculation."""

import numpy as np
import pytest
from statsmodels.stats.power import FTestAnovaPower
from sweeps_for_tests import full_grid, make_design

from provrunner.sensitivity.advice import power_of_test, runs_for_effect, runs_for_noise
from provrunner.sensitivity.anova import fit_model


def test_power_equals_statsmodels():
    # one way, 4 groups of 10, f = 0.4: noncentrality 40 * 0.4^2, df 3 and 36
    expected = FTestAnovaPower().power(0.4, nobs=40, alpha=0.05, k_groups=4)
    assert power_of_test(3, 36, 40 * 0.16, 0.05) == pytest.approx(expected, abs=1e-9)


def test_runs_for_one_sigma_over_two_levels():
    # d = 1: 17 runs a level have power 0.8 at 0.05 (Cohen 1988, table 2.4.1)
    columns, _ = full_grid((2,), 8)
    design = make_design(columns)
    fit = fit_model(design, np.random.default_rng(0).normal(size=16))
    need = runs_for_effect(design, fit, 0)
    assert need.replicates == 17
    assert need.more_runs == 34 - 16


def test_runs_suffice_when_there_are_many():
    columns, seeds = full_grid((2, 2), 30)
    design = make_design(columns, seeds)
    fit = fit_model(design, np.random.default_rng(0).normal(size=120))
    assert runs_for_effect(design, fit, 0).more_runs == 0


def test_runs_for_noise_are_a_seed_more_for_every_trial():
    columns, _ = full_grid((3, 3), 1)
    assert runs_for_noise(make_design(columns)).more_runs == 9
    columns, _ = full_grid((2,), 1)
    assert runs_for_noise(make_design(columns)).replicates == 4


def test_a_lone_trial_gets_no_advice():
    from provrunner.sensitivity.design import build_design

    assert runs_for_noise(build_design((), None, n_runs=9)) is None

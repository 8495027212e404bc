"""The type III tests against hand-worked tables and statsmodels."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from sweeps_for_tests import full_grid, make_design

from provrunner.sensitivity.anova import ErrorTerm, component_test, fit_model, holm
from provrunner.sensitivity.noise import find_noise, welch

# Two factors, three replicates: battery life by material and temperature
# (Montgomery, Design and Analysis of Experiments, 5.3.1, four replicates).
BATTERY = {
    (0, 0): (130, 155, 74, 180),
    (0, 1): (34, 40, 80, 75),
    (0, 2): (20, 70, 82, 58),
    (1, 0): (150, 188, 159, 126),
    (1, 1): (136, 122, 106, 115),
    (1, 2): (25, 70, 58, 45),
    (2, 0): (138, 110, 168, 160),
    (2, 1): (174, 120, 150, 139),
    (2, 2): (96, 104, 82, 60),
}


def _battery():
    rows = [(a, b, y) for (a, b), values in BATTERY.items() for y in values]
    a, b, y = zip(*rows, strict=True)
    return make_design([a, b]), np.array(y, dtype=float)


def _statsmodels(columns, y, formula):
    frame = pd.DataFrame(dict(zip("abcdef", columns, strict=False)) | {"y": y})
    return anova_lm(ols(formula, frame).fit(), typ=3)


def test_battery_table_has_montgomerys_sums_of_squares():
    design, y = _battery()
    fit = fit_model(design, y)
    error = ErrorTerm(fit.rss / fit.df, fit.df)
    tests = {term: component_test(fit, error, span) for term, span in fit.spans.items()}
    squares = {term: test.f * test.df * error.variance for term, test in tests.items()}
    assert squares[(0,)] == pytest.approx(10683.7222, abs=1e-3)
    assert squares[(1,)] == pytest.approx(39118.7222, abs=1e-3)
    assert squares[(0, 1)] == pytest.approx(9613.7778, abs=1e-3)
    assert fit.rss == pytest.approx(18230.75)
    assert [round(tests[term].f, 2) for term in ((0,), (1,), (0, 1))] == [7.91, 28.97, 3.56]
    assert [round(tests[term].p, 4) for term in ((0,), (0, 1))] == [0.002, 0.0186]


def test_sums_of_squares_of_a_balanced_table_add_up():
    design, y = _battery()
    fit = fit_model(design, y)
    squares = [36 * float(np.sum(fit.coefficients[span] ** 2)) for span in fit.spans.values()]
    assert sum(squares) + fit.rss == pytest.approx(float(((y - y.mean()) ** 2).sum()), rel=1e-12)


@pytest.mark.parametrize("lost", [(), (7,), (0, 11, 12, 25)])
@pytest.mark.parametrize("blocked", [False, True])
def test_type_three_equals_statsmodels(lost, blocked):
    (a, b), s = full_grid((5, 2), 3)
    keep = np.setdiff1d(np.arange(30), lost)
    a, b, s = a[keep], b[keep], s[keep]
    y = np.random.default_rng(5).normal(size=30)[keep] + 0.4 * a - 0.3 * a * b + 0.5 * s
    design = make_design([a, b], s if blocked else None)
    fit = fit_model(design, y)
    error = find_noise(design, fit, y).error
    error = ErrorTerm(error.variance, error.df)
    formula = "y ~ C(a, Sum) * C(b, Sum)" + (" + C(c, Sum)" if blocked else "")
    table = _statsmodels([a, b, s], y, formula)
    assert error.df == table.loc["Residual", "df"]
    for term, name in (
        ((0,), "C(a, Sum)"),
        ((1,), "C(b, Sum)"),
        ((0, 1), "C(a, Sum):C(b, Sum)"),
    ):
        test = component_test(fit, error, fit.spans[term])
        assert test.f * test.df * error.variance == pytest.approx(
            table.loc[name, "sum_sq"], rel=1e-9
        )
        assert test.f == pytest.approx(table.loc[name, "F"], rel=1e-9)
        assert test.p == pytest.approx(table.loc[name, "PR(>F)"], rel=1e-9)
    if blocked:
        test = component_test(fit, error, fit.seeds)
        assert test.f == pytest.approx(table.loc["C(c, Sum)", "F"], rel=1e-9)


def test_three_factor_grid_without_replicates_has_the_squares_and_classical_f_of_statsmodels():
    (a, b, c), _ = full_grid((3, 2, 4), 1)
    y = np.random.default_rng(2).normal(size=24) + a - b * c
    design = make_design([a, b, c])
    fit = fit_model(design, y)
    table = _statsmodels([a, b, c], y, "y ~ (C(a, Sum) + C(b, Sum) + C(c, Sum)) ** 2")
    assert len(design.terms) == 6
    test = component_test(fit, ErrorTerm(fit.rss / fit.df, fit.df), fit.spans[(1, 2)])
    row = table.loc["C(b, Sum):C(c, Sum)"]
    assert test.squares == pytest.approx(row["sum_sq"], rel=1e-9)
    assert test.f == pytest.approx(row["F"], rel=1e-9)
    # with one run a trial, noise that may differ makes the test the cautious one
    error = find_noise(design, fit, y).error
    assert (error.variance, error.df) == (pytest.approx(fit.rss / fit.df), fit.df)
    assert component_test(fit, error, fit.spans[(1, 2)]).f == pytest.approx(3.28, abs=0.01)


@settings(max_examples=20, deadline=None)
@given(
    sizes=st.lists(st.integers(2, 4), min_size=1, max_size=3),
    replicates=st.integers(2, 3),
    seed=st.integers(0, 2**16),
)
def test_a_balanced_grids_components_are_classical_sums_of_squares(sizes, replicates, seed):
    columns, _ = full_grid(sizes, replicates)
    y = np.random.default_rng(seed).normal(size=columns[0].size)
    design = make_design(columns)
    fit = fit_model(design, y)
    cube = y.reshape(*sizes, replicates)
    for term in itertools.chain([(i,) for i in range(len(sizes))]):
        others = tuple(axis for axis in range(len(sizes) + 1) if axis not in term)
        means = cube.mean(axis=others)
        plain = float(((means - y.mean()) ** 2).mean())
        if term in fit.spans:
            assert float(np.sum(fit.coefficients[fit.spans[term]] ** 2)) == pytest.approx(plain)


def test_holm_never_lets_a_smaller_p_come_out_larger():
    assert holm([0.04, 0.01, 0.03, 1.0]) == pytest.approx([0.09, 0.04, 0.09, 1.0])
    assert holm([]) == []


def test_welch_equals_statsmodels():
    from statsmodels.stats.oneway import anova_oneway

    rng = np.random.default_rng(1)
    groups = [rng.normal(0, 1, 4), rng.normal(1, 3, 6), rng.normal(0, 9, 5)]
    y, codes = np.concatenate(groups), np.repeat([0, 1, 2], [4, 6, 5])
    found = welch(y, codes)
    expected = anova_oneway(groups, use_var="unequal")
    assert found == pytest.approx((expected.statistic, expected.df[1], expected.pvalue), rel=1e-9)


def test_welch_needs_two_different_runs_a_level():
    assert welch(np.array([1.0, 2, 3]), np.array([0, 0, 1])) is None
    assert welch(np.array([1.0, 1, 3, 4]), np.array([0, 0, 1, 1])) is None

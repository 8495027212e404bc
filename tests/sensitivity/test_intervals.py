"""Intervals and critical values against independent sources."""

import math

import pytest
from scipy import stats

from provrunner.sensitivity.intervals import (
    Estimate,
    chi2_interval,
    noise_interval,
    noncentrality_interval,
    share_interval,
)
from provrunner.sensitivity.quantiles import dunnett_critical, student_critical, tukey_critical


@pytest.mark.parametrize(
    ("f", "df1", "df2"), [(4.5, 4, 20), (12.0, 1, 5), (80.0, 3, 100), (5e4, 2, 8)]
)
def test_ends_put_the_statistic_at_its_tails(f, df1, df2):
    low, high = noncentrality_interval(f, df1, df2)
    assert stats.ncf.cdf(f, df1, df2, low) == pytest.approx(0.975, abs=1e-8)
    assert stats.ncf.cdf(f, df1, df2, high) == pytest.approx(0.025, abs=1e-8)


def test_steigers_example_of_an_interval():
    # Steiger (2004), example 8: F(3, 76) of four groups of 20 with F = 5.00
    low, high = noncentrality_interval(5.0, 3, 76)
    assert stats.ncf.cdf(5.0, 3, 76, low) == pytest.approx(0.975, abs=1e-9)
    assert low < 3 * (5.0 - 1) < high


def test_a_weak_statistic_has_a_lower_end_of_zero_and_a_width():
    low, high = noncentrality_interval(1e-6, 4, 18)
    assert low == 0.0
    assert high > 5
    assert noncentrality_interval(0.0, 4, 18) == (0.0, high)


def test_a_huge_statistic_gets_the_limit_of_its_interval():
    low, high = noncentrality_interval(1e9, 2, 10)
    assert low == pytest.approx(2e9 * stats.chi2.ppf(0.025, 10) / 10)
    assert high == pytest.approx(2e9 * stats.chi2.ppf(0.975, 10) / 10)
    just_below = noncentrality_interval(9.99e5, 2, 10)
    just_above = noncentrality_interval(1.001e6, 2, 10)
    assert just_below[0] / just_above[0] == pytest.approx(0.998, abs=2e-3)


def test_variance_interval_is_chi_squared():
    found = chi2_interval(2.0, 18)
    assert (found.low, found.high) == pytest.approx((1.1419, 4.3738), abs=1e-4)


def test_share_with_an_exact_rest_only_carries_the_parts_interval():
    part, rest = Estimate(3.0, 1.0, 9.0), Estimate(1.0, 1.0, 1.0)
    assert share_interval(part, rest) == pytest.approx((0.5, 0.9))


def test_share_widens_with_the_rest():
    part = Estimate(3.0, 1.0, 9.0)
    low, high = share_interval(part, Estimate(1.0, 0.5, 4.0))
    assert low < 0.5
    assert high > 0.9
    assert share_interval(Estimate(-1.0, 0.0, 2.0), Estimate(1.0, 0.5, 4.0)) == (0.0, 0.8)
    assert share_interval(Estimate(1.0, 1.0, 1.0), Estimate(0.0, 0.0, 0.0)) == (1.0, 1.0)


def test_noise_interval_without_seeds_is_the_complement_of_the_signals():
    zero, noise = Estimate(0.0, 0.0, 0.0), Estimate(1.0, 0.5, 3.0)
    assert noise_interval(Estimate(3.0, 1.0, 9.0), zero, noise) == pytest.approx((0.1, 0.5))
    low, high = noise_interval(Estimate(3.0, 1.0, 9.0), Estimate(0.5, 0.0, 5.0), noise)
    assert 0 < low < 0.1
    assert 0.5 < high < 1


@pytest.mark.parametrize(("means", "df"), [(2, 3), (3, 10), (5, 18.5), (8, 3), (20, 400)])
def test_tukeys_value_equals_scipys(means, df):
    assert tukey_critical(means, df) == pytest.approx(
        stats.studentized_range.ppf(0.95, means, df), rel=1e-6
    )


@pytest.mark.parametrize(
    ("comparisons", "df", "sides", "table"),
    # Dunnett (1955), tables 1a and 2a; two-sided values as corrected by Dunnett (1964)
    [(2, 10, 1, 2.15), (4, 20, 1, 2.30), (9, 60, 1, 2.48), (3, 15, 2, 2.61), (9, 20, 2, 2.95)],
)
def test_dunnetts_value_equals_his_table(comparisons, df, sides, table):
    assert dunnett_critical(comparisons, df, sides=sides) == pytest.approx(table, abs=0.0051)


def test_one_comparison_is_students():
    assert dunnett_critical(1, 7) == pytest.approx(stats.t.ppf(0.975, 7))
    assert student_critical(7) == pytest.approx(stats.t.ppf(0.975, 7))
    assert tukey_critical(2, 7) == pytest.approx(math.sqrt(2) * stats.t.ppf(0.975, 7))


def test_a_smaller_correlation_is_safe():
    assert dunnett_critical(4, 12, 0.2) > dunnett_critical(4, 12, 0.5)

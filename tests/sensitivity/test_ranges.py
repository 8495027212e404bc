"""Ranges: their unit coordinate, their scale, the basis of a conditional parameter."""

import numpy as np
import pytest

from provrunner.sensitivity import Parameter
from provrunner.sensitivity.axes import place_on_axis
from provrunner.sensitivity.basis import legendre
from provrunner.sensitivity.ranges import Range, display_points, find_range, infer_scale

GRID = (np.arange(100_000) + 0.5) / 100_000


def test_legendre_polynomials_are_orthonormal_under_the_uniform_measure():
    table = legendre(GRID, 8)
    assert table.T @ table / GRID.size == pytest.approx(np.eye(8), abs=1e-6)
    assert table.mean(axis=0) == pytest.approx(np.zeros(8), abs=1e-6)


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([0.0001, 0.1], "log"),
        ([1e-3, 1e-2, 1e-1], "log"),
        ([16, 32, 64, 128], "log"),
        ([16, 32, 48, 64], "linear"),
        ([0.0, 0.001, 10.0], "linear"),
        (np.linspace(0.0003, 1.0, 500).tolist(), "linear"),
        (np.geomspace(0.01, 1.0, 60).tolist(), "log"),
    ],
)
def test_log_axis_is_inferred_from_ratio_or_spacing(values, scale):
    assert infer_scale(values) == scale


def test_declared_ends_count_where_no_run_came_near():
    parameter = Parameter("lr", (), "log", low=1e-4, high=1.0)
    assert find_range(parameter, [0.01, 0.1]) == Range(1e-4, 1.0, is_log=True)
    assert find_range(parameter, [0.01, 10.0]).high == 10.0


def test_texts_and_truth_values_are_no_range():
    assert find_range(Parameter("a", ()), ["x", "y"]) is None
    assert find_range(Parameter("a", ()), [True, False]) is None


def test_an_empty_range_is_refused():
    with pytest.raises(ValueError, match=r"lr has the range 1\.0 to 0\.1; expected low < high"):
        Parameter("lr", (), low=1.0, high=0.1)


def test_curve_points_hold_ends_and_default():
    assert display_points(Range(1, 4, is_integer=True), 2) == (1, 2, 3, 4)
    points = display_points(Range(0.0, 1.0), 0.25)
    assert (points[0], points[-1], 0.25 in points, len(points)) == (0.0, 1.0, True, 12)


def test_a_conditional_parameter_is_a_basis_times_active():
    values = [None, *[float(u) for u in GRID[::1000]]] * 2
    placed = place_on_axis(values, Parameter("momentum", (), low=0.0, high=1.0), [])
    active = 200 / 202
    assert placed.axis.active == pytest.approx(active)
    assert placed.levels[0] is None
    indicator = placed.axis.table[:, 0]
    assert indicator.mean() == pytest.approx(0, abs=1e-12)
    assert (indicator**2).mean() == pytest.approx(1)
    assert placed.axis.table[0, 1:].tolist() == [0.0] * 8


def test_a_nested_parameter_leaves_null_to_the_factor_that_decides():
    optimizer = np.array([0, 1] * 20, dtype=np.intp)
    values = [None if code == 0 else i / 40 for i, code in enumerate(optimizer)]
    placed = place_on_axis(values, Parameter("momentum", ()), [(optimizer, 2)])
    assert placed.axis.is_nested
    assert placed.axis.active == 0.5
    assert None not in placed.levels
    assert placed.codes[0] == len(placed.levels)


def test_coverage_counts_stretches_with_three_runs():
    values = [0.05, 0.06, 0.07, 0.15, 0.95, 0.96, 0.97]
    placed = place_on_axis(values, Parameter("x", (), low=0.0, high=1.0), [])
    assert placed.axis.coverage == 0.2

"""Thousands of runs are fitted by trial, in a fraction of the time; the fit is the same."""

from __future__ import annotations

import numpy as np
import pytest
from sweeps_for_tests import make_runs, make_study, make_table

from provrunner.sensitivity import anova, build_summary
from provrunner.sensitivity.anova import _solve, _solve_many
from provrunner.sensitivity.basis import contrasts


def whole_grid():
    """Twelve trials of two factors, each with all of four seeds."""
    a, b, seed = (grid.ravel() for grid in np.indices((3, 4, 4)))
    return contrasts(4)[seed], crossed(contrasts(3)[a], contrasts(4)[b]), a * 4 + b


def some_of_it():
    """The same trials in another order, with from one to four seeds each."""
    seeds, shared, cells = whole_grid()
    kept = np.random.default_rng(0).permutation(cells.size)[:37]
    return seeds[kept], shared[kept], cells[kept]


def crossed(a, b):
    both = np.einsum("ij,ik->ijk", a, b).reshape(len(a), -1)
    return np.hstack([a, b, both])


@pytest.mark.parametrize("runs", [whole_grid, some_of_it])
def test_what_is_solved_by_trial_is_what_is_solved_by_run(runs):
    seeds, shared, cells = runs()
    own = np.hstack([np.ones((cells.size, 1)), seeds])
    expected = _solve(np.hstack([own, shared]))
    for found, told in zip(_solve_many(own, shared, cells), expected, strict=True):
        np.testing.assert_allclose(found, told, rtol=0, atol=1e-12)


@pytest.fixture
def solved(monkeypatch):
    """How many runs each fit by trial is of; nothing that was fitted otherwise is remembered."""
    sizes = []

    def solve(own, shared, cells):
        sizes.append(cells.size)
        return _solve_many(own, shared, cells)

    monkeypatch.setattr(anova, "_solve_many", solve)
    anova._system.cache_clear()
    yield sizes
    anova._system.cache_clear()


def summed_up():
    """The summary of a grid with common seeds, three runs of which are lost."""
    axes = {"lr": (0.001, 0.01, 0.1), "width": (8, 16, 32, 64)}
    noise = np.random.default_rng(0)

    def objective(values, seed):
        at = np.log10(values["lr"]) + 0.02 * values["width"] + 0.3 * seed
        return at + 0.1 * noise.normal()

    rows = make_runs(axes, 4, objective)
    for row in rows[5:8]:
        row["status"], row["objective"] = "failed", None
    return build_summary(make_table(rows), make_study(axes, planned=48)).to_dict()


def test_a_summary_of_many_runs_is_that_of_few(solved, monkeypatch):
    expected = summed_up()
    assert solved == []
    assert "seed" in [component["kind"] for component in expected["components"]]
    monkeypatch.setattr(anova, "MANY_ROWS", 0)
    anova._system.cache_clear()
    assert_alike(summed_up(), expected)
    assert 45 in solved


def assert_alike(found, expected):
    """Numbers may differ by rounding, all else not at all."""
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            assert_alike(found[key], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_alike(one, other)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-7, abs=1e-9, nan_ok=True)
    else:
        assert found == expected

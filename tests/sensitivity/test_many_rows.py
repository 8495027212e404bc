"""Thousands of runs are fitted by trial, in a fraction of the time; the fit is the same."""

from __future__ import annotations

import numpy as np
import pytest

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

"""Which design is seen, and which components it can tell."""

import numpy as np
from sweeps_for_tests import full_grid, make_design, make_factor

from provrunner.sensitivity.basis import contrasts
from provrunner.sensitivity.factors import merge_aliased


def test_contrasts_are_orthonormal_under_the_uniform_measure():
    for levels in range(2, 8):
        table = contrasts(levels)
        assert np.allclose(table.mean(axis=0), 0)
        assert np.allclose(table.T @ table / levels, np.eye(levels - 1))


def test_replicated_grid_gets_every_order():
    columns, _ = full_grid((2, 3, 2), 2)
    design = make_design(columns)
    assert design.kind == "full_grid"
    assert len(design.terms) == 7
    assert design.residual_df == design.pure_df == 12


def test_common_seeds_are_a_block_that_costs_their_degrees_of_freedom():
    columns, seeds = full_grid((5, 2), 3)
    design = make_design(columns, seeds)
    assert (design.n_blocks, design.pure_df) == (3, 18)


def test_seeds_that_no_trial_shares_are_no_block():
    columns, _ = full_grid((2, 2), 3)
    design = make_design(columns, np.arange(12))
    assert design.blocks is None
    assert design.pure_df == 8


def test_single_grid_of_two_factors_gets_mains_only():
    columns, _ = full_grid((4, 3), 1)
    design = make_design(columns)
    assert design.terms == ((0,), (1,))
    assert design.residual_df == 6
    assert not design.is_replicated


def test_single_grid_of_three_factors_gets_pairs():
    columns, _ = full_grid((3, 3, 2), 1)
    design = make_design(columns)
    assert len(design.terms) == 6
    assert design.residual_df == 4


def test_pairs_that_leave_no_residual_are_left_out():
    columns, _ = full_grid((2, 2, 2), 1)
    design = make_design(columns)
    assert design.terms == ((0,), (1,), (2,))
    assert design.residual_df == 4


def test_a_grid_with_a_hole_drops_the_pair_with_the_hole():
    columns, _ = full_grid((3, 2, 2), 2)
    keep = ~((columns[0] == 2) & (columns[1] == 1))
    design = make_design([column[keep] for column in columns])
    assert design.kind == "partial_grid"
    assert design.dropped_terms == ((0, 1),)
    assert (0, 2) in design.terms
    assert (1, 2) in design.terms


def test_both_pairs_of_an_alias_are_dropped_whatever_their_order():
    # the half fraction D = ABC: AB = CD, AC = BD, AD = BC
    (a, b, c), _ = full_grid((2, 2, 2), 2)
    design = make_design([a, b, c, (a + b + c) % 2])
    assert design.kind == "partial_grid"
    assert len(design.dropped_terms) == 6
    assert len(design.terms) == 4


def test_one_factor_at_a_time_is_recognised_by_its_hub():
    a = np.repeat([0, 1, 2, 0, 0, 0], 3)
    b = np.repeat([0, 0, 0, 1, 2, 3], 3)
    design = make_design([a, b])
    assert design.kind == "one_at_a_time"
    assert design.terms == ((0,), (1,))


def test_factors_that_change_together_are_merged():
    a = np.array([0, 0, 1, 1, 2, 2])
    c = np.array([0, 1, 0, 1, 0, 1])
    merged = merge_aliased([make_factor("a", a), make_factor("c", c), make_factor("b", 2 - a)])
    assert [factor.name for factor in merged] == ["a & b", "c"]
    assert merged[0].levels == ("0 & 2", "1 & 1", "2 & 0")
    assert merged[0].codes.tolist() == a.tolist()


def test_a_factor_that_another_one_implies_is_merged_with_it():
    wide = np.array([0, 1, 2, 3, 0, 1, 2, 3])
    merged = merge_aliased([make_factor("model", wide // 2), make_factor("depth", wide)])
    assert [factor.name for factor in merged] == ["model & depth"]


def test_seven_runs_are_not_conclusive():
    assert not make_design([np.array([0, 0, 0, 0, 1, 1, 1])]).is_conclusive
    assert make_design([np.array([0, 0, 0, 0, 1, 1, 1, 1])]).is_conclusive


def test_no_run_at_all_is_a_design_of_nothing():
    from provrunner.sensitivity.design import build_design

    design = build_design((), None, n_runs=0)
    assert (design.kind, design.n_runs, design.n_cells) == ("none", 0, 0)
    assert design.is_balanced
    assert not design.is_conclusive

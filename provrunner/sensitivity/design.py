"""Which design the finished runs make up, and which components it can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from math import comb, prod

import numpy as np

from provrunner.sensitivity.basis import Floats, Ints, confounded, contrasts, dummies, products
from provrunner.sensitivity.factors import Factor

__all__ = ["MIN_DF", "MIN_RUNS", "Design", "build_design"]

MIN_RUNS = 8
"""Fewer runs make a table of means and no conclusion."""

MIN_DF = 3
"""Fewer residual degrees of freedom make no estimate of noise."""

Term = tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """The shape of the analysed runs.

    Attributes:
        kind: none, single_factor, full_grid, one_at_a_time or partial_grid.
        cells: trial of each run, numbered from 0.
        blocks: common seed of each run, numbered from 0; None when seeds are no block.
        pure_df: degrees of freedom between runs of one trial, after the seeds.
        terms: the components of the model, each the positions of its factors; mains first.
        dropped_terms: interactions that the runs cannot tell apart from others.
        residual_df: degrees of freedom that the model leaves.
    """

    kind: str
    factors: tuple[Factor, ...]
    cells: Ints
    blocks: Ints | None
    pure_df: int
    terms: tuple[Term, ...]
    dropped_terms: tuple[Term, ...]
    residual_df: int

    @property
    def n_runs(self) -> int:
        """Number of analysed runs."""
        return self.cells.size

    @property
    def n_cells(self) -> int:
        """Number of trials that have an analysed run."""
        return int(self.cells.max(initial=-1)) + 1

    @property
    def n_blocks(self) -> int:
        """Number of common seeds; 0 when seeds are no block."""
        return 0 if self.blocks is None else int(self.blocks.max()) + 1

    @property
    def is_replicated(self) -> bool:
        """Whether runs of one trial can tell the noise."""
        return self.pure_df >= MIN_DF

    @property
    def is_balanced(self) -> bool:
        """Whether every trial has as many runs as any other."""
        counts = np.bincount(self.cells)
        return bool((counts == counts[0]).all()) if counts.size else True

    @property
    def is_conclusive(self) -> bool:
        """Whether there are runs and residual degrees of freedom enough to say anything."""
        error_df = max(self.residual_df, self.pure_df)
        return self.n_runs >= MIN_RUNS and error_df >= MIN_DF and bool(self.terms)

    @property
    def seed_columns(self) -> Floats:
        """The columns of the seed block, one row a run; none when seeds are no block."""
        if self.blocks is None:
            return np.zeros((self.n_runs, 0))
        return contrasts(self.n_blocks)[self.blocks]

    def term_name(self, term: Term) -> str:
        """Return the name of a component: its factors joined by ` × `."""
        return " × ".join(self.factors[i].name for i in term)

    def term_columns(self, term: Term) -> Floats:
        """Return a component's columns, one row a run."""
        return products([self.factors[i].columns for i in term])


def build_design(factors: Sequence[Factor], seeds: Ints | None, *, n_runs: int) -> Design:
    """Find the design that runs make up, from their levels and seeds.

    A full grid with replicates gets every order of interaction, one without gets orders up to two
    (k >= 3) or mains (k = 2), a partial one the pairs that can be estimated by rank, one factor at
    a time none. Pairs that would leave fewer than three degrees of freedom are left to the
    residual.

    Args:
        factors: at least two levels each, with main effects that can be told apart.
        n_runs: analysed runs.
        seeds: seed of each run, numbered from 0, where trials share their seeds; None otherwise.
    """
    factors = tuple(factors)
    cells = _cells(factors, n_runs)
    kind = _kind(factors, cells)
    blocks, pure_df = _blocks(cells, seeds)
    terms, dropped = _terms(factors, kind, n_runs, pure_df, blocks)
    rank = 1 + sum(_size(factors, term) for term in terms) + _block_df(blocks)
    return Design(kind, factors, cells, blocks, pure_df, terms, dropped, n_runs - rank)


def _cells(factors: Sequence[Factor], n: int) -> Ints:
    if not factors:
        return np.zeros(n, dtype=np.intp)
    table = np.stack([factor.codes for factor in factors], axis=1)
    return np.unique(table, axis=0, return_inverse=True)[1].reshape(-1).astype(np.intp)


def _kind(factors: Sequence[Factor], cells: Ints) -> str:
    n_cells = int(cells.max(initial=-1)) + 1
    if len(factors) < 2:
        return "single_factor" if factors else "none"
    if n_cells == prod(len(factor.levels) for factor in factors):
        return "full_grid"
    return "one_at_a_time" if _has_hub(factors, n_cells) else "partial_grid"


def _has_hub(factors: Sequence[Factor], n_cells: int) -> bool:
    if n_cells != 1 + sum(factor.df for factor in factors):
        return False
    points = np.unique(np.stack([factor.codes for factor in factors], axis=1), axis=0)
    distances = (points[:, None, :] != points[None, :, :]).sum(axis=2)
    return bool((distances.max(axis=1) == 1).any())


def _blocks(cells: Ints, seeds: Ints | None) -> tuple[Ints | None, int]:
    """Keep the seeds as a block where trials connect them all; count what is left within."""
    n_cells = int(cells.max(initial=-1)) + 1
    within_df = cells.size - n_cells
    if seeds is None or within_df == 0 or np.unique(seeds).size < 2:
        return None, within_df
    table = dummies(cells, n_cells)
    columns = dummies(seeds, int(seeds.max()) + 1)
    within = columns - table @ ((table.T @ columns) / table.sum(axis=0)[:, None])
    rank = int(np.linalg.matrix_rank(within, tol=1e-8))
    return (seeds, within_df - rank) if rank == seeds.max() else (None, within_df)


def _block_df(blocks: Ints | None) -> int:
    return 0 if blocks is None else int(blocks.max())


def _size(factors: Sequence[Factor], term: Term) -> int:
    return prod(factors[i].df for i in term)


def _terms(
    factors: Sequence[Factor], kind: str, n: int, pure_df: int, blocks: Ints | None
) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
    k = len(factors)
    mains = tuple((i,) for i in range(k))
    if kind == "full_grid" and pure_df >= MIN_DF:
        orders = (tuple(combinations(range(k), order)) for order in range(1, k + 1))
        return tuple(chain.from_iterable(orders)), ()
    if k < 2 or kind == "one_at_a_time" or (kind == "full_grid" and k == 2):
        return mains, ()
    pairs, dropped = _estimable_pairs(factors, blocks)
    left = n - 1 - _block_df(blocks) - sum(_size(factors, term) for term in (*mains, *pairs))
    enough = left >= MIN_DF or pure_df >= MIN_DF
    return (*mains, *(pairs if enough else ())), (dropped if enough else ())


def _estimable_pairs(
    factors: Sequence[Factor], blocks: Ints | None
) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
    pairs = list(combinations(range(len(factors)), 2))
    mains = [factor.columns for factor in factors]
    columns = [products([mains[i], mains[j]]) for i, j in pairs]
    seeds = [] if blocks is None else [contrasts(int(blocks.max()) + 1)[blocks]]
    lost = confounded([*columns, *mains, *seeds]).diagonal()[: comb(len(factors), 2)]
    kept = tuple(pair for pair, gone in zip(pairs, lost, strict=True) if not gone)
    return kept, tuple(pair for pair, gone in zip(pairs, lost, strict=True) if gone)

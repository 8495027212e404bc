"""Which design the finished runs make up, and which components it can tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, combinations
from math import comb, prod

import numpy as np

from provrunner.sensitivity.basis import (
    Floats,
    Ints,
    confounded,
    contrasts,
    dummies,
    group_means,
    products,
)
from provrunner.sensitivity.factors import Factor

__all__ = [
    "MIN_DF",
    "MIN_RUNS",
    "Design",
    "Term",
    "build_design",
    "count_pure",
    "find_kind",
    "number_trials",
]

MIN_RUNS = 8
"""Fewer runs make a table of means and no conclusion."""

MIN_DF = 3
"""Fewer residual degrees of freedom make no estimate of noise."""

Term = tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """The shape of the analysed runs.

    Attributes:
        kind: none, single_factor, full_grid, one_at_a_time or partial_grid; random or adaptive
            where a factor is a range.
        cells: trial of each run, numbered from 0.
        blocks: common seed of each run, numbered from 0; None when seeds are no block.
        pure_df: degrees of freedom between runs of one trial, after the seeds.
        terms: the components of the model, each the positions of its factors; mains first.
        dropped_terms: interactions that the runs cannot tell apart from others.
        residual_df: degrees of freedom that the model leaves.
        columns: of an interaction with a range, which columns of its factors are multiplied; all
            those of the main effects where it is not in here.
        fixed: the same runs with a model chosen before their objective was seen, for the tests of
            a model that was chosen by it; None elsewhere.
        searched: columns of the model that were chosen by the objective and may be luck.
    """

    kind: str
    factors: tuple[Factor, ...]
    cells: Ints
    blocks: Ints | None
    pure_df: int
    terms: tuple[Term, ...]
    dropped_terms: tuple[Term, ...]
    residual_df: int
    columns: Mapping[Term, tuple[tuple[int, ...], ...]] = field(default_factory=dict)
    fixed: Design | None = None
    searched: int = 0

    @property
    def is_scattered(self) -> bool:
        """Whether a surface is fitted and no levels are compared: of ranges, or of a search."""
        return self.kind in ("random", "adaptive")

    @property
    def has_ranges(self) -> bool:
        """Whether a factor is a range, whose degrees are chosen."""
        return any(factor.axis is not None for factor in self.factors)

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
        if self.has_ranges and 2 * self.model_size > self.n_cells:
            return False
        return self.n_runs >= MIN_RUNS and error_df >= MIN_DF and bool(self.terms)

    @property
    def model_size(self) -> int:
        """Number of coefficients beside the seeds', the constant among them."""
        return 1 + sum(self.term_size(term) for term in self.terms)

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
        return self.columns_of(term, [self.factors[i].table for i in term])

    def term_at(self, term: Term, codes: Sequence[Ints]) -> Floats:
        """Return a component's columns at levels of its factors, one row an entry of the codes."""
        tables = [self.factors[i].at_levels[code] for i, code in zip(term, codes, strict=True)]
        return self.columns_of(term, tables)

    def with_terms(
        self,
        factors: Sequence[Factor],
        terms: Sequence[Term],
        columns: Mapping[Term, tuple[tuple[int, ...], ...]],
    ) -> Design:
        """Return the same runs with another model of a surface."""
        design = replace(self, factors=tuple(factors), terms=tuple(terms), columns=dict(columns))
        size = design.model_size + self.seed_columns.shape[1]
        return replace(design, residual_df=self.n_runs - size)

    def term_size(self, term: Term) -> int:
        """Return the number of a component's columns."""
        return len(self.columns[term]) if term in self.columns else _size(self.factors, term)

    def columns_of(self, term: Term, tables: Sequence[Floats]) -> Floats:
        """Return a component's columns from those of its factors, one row a row of the tables."""
        if term not in self.columns:
            sizes = [self.factors[i].df for i in term]
            return products([table[:, :size] for table, size in zip(tables, sizes, strict=True)])
        picked = np.array(self.columns[term])
        return np.asarray(
            np.prod([table[:, picked[:, i]] for i, table in enumerate(tables)], axis=0)
        )


def build_design(
    factors: Sequence[Factor], seeds: Ints | None, *, n_runs: int, cells: Ints | None = None
) -> Design:
    """Find the design that runs make up, from their levels and seeds.

    A full grid with replicates gets every order of interaction, one without gets orders up to two
    (k >= 3) or mains (k = 2), a partial one the pairs that can be estimated by rank, one factor at
    a time none. Pairs that would leave fewer than three degrees of freedom are left to the
    residual.

    Args:
        factors: at least two levels each, with main effects that can be told apart.
        n_runs: analysed runs.
        seeds: seed of each run, numbered from 0, where trials share their seeds; None otherwise.
        cells: trial of each run, numbered from 0; None where the factors' levels tell.
    """
    factors = tuple(factors)
    cells = number_trials(factors, n_runs) if cells is None else cells
    if any(factor.axis is not None for factor in factors):
        kind = "random"
    else:
        kind = find_kind(factors, cells)
    blocks, pure_df = count_pure(cells, seeds)
    terms, dropped = _terms(factors, kind, n_runs, pure_df, blocks)
    rank = 1 + sum(_size(factors, term) for term in terms) + _block_df(blocks)
    return Design(kind, factors, cells, blocks, pure_df, terms, dropped, n_runs - rank)


def number_trials(factors: Sequence[Factor], n: int) -> Ints:
    """Number the trials of `n` runs by the factors' levels, from 0."""
    if not factors:
        return np.zeros(n, dtype=np.intp)
    table = np.stack([factor.codes for factor in factors], axis=1)
    return np.unique(table, axis=0, return_inverse=True)[1].reshape(-1).astype(np.intp)


def find_kind(factors: Sequence[Factor], cells: Ints) -> str:
    """Name the design that trials make up when every factor has levels; see `Design.kind`."""
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


def count_pure(cells: Ints, seeds: Ints | None) -> tuple[Ints | None, int]:
    """Keep the seeds as a block where trials connect them all; count what is left within."""
    n_cells = int(cells.max(initial=-1)) + 1
    within_df = cells.size - n_cells
    if seeds is None or within_df == 0 or np.unique(seeds).size < 2:
        return None, within_df
    columns = dummies(seeds, int(seeds.max()) + 1)
    within = columns - group_means(columns, cells)[cells]
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
    if k < 2 or kind in ("one_at_a_time", "random") or (kind == "full_grid" and k == 2):
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

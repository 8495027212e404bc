"""Which columns a surface over ranges needs: degrees and products chosen by PRESS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import scipy

from provrunner.sensitivity.anova import press_residuals
from provrunner.sensitivity.basis import Floats, confounded, group_means
from provrunner.sensitivity.design import Design, Term
from provrunner.sensitivity.factors import Factor

__all__ = ["choose_surface", "fixed_surface"]

_LEAST_PRICE = 2.0
"""What a column must lower log PRESS by, in units of 1/n, where few models are tried."""

_LUCK = 0.01
"""Columns that luck explains less often than this, in all models tried, cost no extra freedom."""

_CLOSE_LOOKS = 12
"""Blocks whose PRESS is computed at each step, the most promising ones."""

_TOLERANCE = 1e-7

Columns = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class _Block:
    """Columns that may join the model, in an order whose beginnings are models of their own.

    Attributes:
        term: the component that they belong to.
        start: position of the first among all candidates.
        stops: numbers of columns at which the block may be cut.
        columns: which columns of the factors each one multiplies.
    """

    term: Term
    start: int
    stops: tuple[int, ...]
    columns: Columns


@dataclass(frozen=True, slots=True)
class _Step:
    score: float
    block: int
    size: int


def choose_surface(design: Design, y: Floats) -> Design:
    """Choose the degrees and interactions of a surface by the error of leaving a trial out.

    Begins with every factor's first column (all contrasts of one with levels) and adds the block
    of columns, a factor's next degrees or a pair's products up to a total degree, that lowers PRESS
    most, until none does by more than the price of its columns. Parameters stay below half the
    trials.

    Args:
        design: scattered, with main effects of the smallest size.
        y: (n_runs,) in the order of the design's runs.

    Returns:
        The design with the chosen model, `fixed` among its fields.
    """
    search = _Search(design, y)
    while search.step():
        pass
    factors = [factor.with_size(search.sizes[i]) for i, factor in enumerate(design.factors)]
    mains = [(i,) for i in range(len(factors))]
    pairs = sorted(search.pairs)
    chosen = design.with_terms(factors, [*mains, *pairs], search.pairs)
    return replace(chosen, fixed=fixed_surface(design), searched=search.lucky)


def fixed_surface(design: Design) -> Design:
    """Return the model that is tested whatever the objective: degree 2 and bilinear products.

    Products that the runs cannot tell apart, or that would take more than half the trials, are left
    out; then degree 2 is.
    """
    budget = design.n_cells // 2
    first = np.unique(design.cells, return_index=True)[1]
    factors = [factor.with_size(_second(factor)) for factor in design.factors]
    size = 1 + sum(factor.df for factor in factors)
    if size > budget:
        return design
    mains: list[Term] = [(i,) for i in range(len(factors))]
    pairs: dict[Term, Columns] = {
        pair: _bilinear(design.factors, pair) for pair in combinations(range(len(factors)), 2)
    }
    blocks = [_product(design.factors, pair, pairs[pair])[first] for pair in pairs]
    lost = confounded([*blocks, *(factor.columns[first] for factor in factors)]).diagonal()
    kept = {
        pair: columns
        for (pair, columns), gone in zip(pairs.items(), lost, strict=False)
        if not gone
    }
    if size + sum(map(len, kept.values())) > budget:
        kept = {}
    return design.with_terms(factors, [*mains, *kept], kept)


class _Search:
    """The model as it grows; what is left of all candidate columns beside it."""

    def __init__(self, design: Design, y: Floats) -> None:
        first = np.unique(design.cells, return_index=True)[1]
        factors = design.factors
        self.y = group_means(y[:, None], design.cells)[:, 0]
        self.n = first.size
        self.budget = self.n // 2
        self.sizes = [factor.df for factor in factors]
        self.pairs: dict[Term, Columns] = {}
        mains = [factor.columns[first] for factor in factors]
        q, _ = np.linalg.qr(np.hstack([np.ones((self.n, 1)), *mains]))
        self.width = q.shape[1]
        self.leverage = (q**2).sum(axis=1)
        self.residuals = self.y - q @ (q.T @ self.y)
        self.blocks, tables = _candidates(factors, first)
        self.norms = np.concatenate([[0.0], *((table**2).sum(axis=0) for table in tables)])[1:]
        # the best of many models lowers PRESS by luck (risk inflation: Foster and George 1994)
        self.models = max(sum(len(block.stops) for block in self.blocks), 1)
        self.price = max(_LEAST_PRICE, float(np.log(self.models)))
        self.lucky = 0
        self.rest = np.hstack(tables) if tables else np.zeros((self.n, 0))
        self.rest -= q @ (q.T @ self.rest)
        self.score = self._score(self.residuals, self.leverage, 0)

    def step(self) -> bool:
        """Add the best block; tell whether there was one."""
        steps = [step for i in self._promising() for step in self._looks(i)]
        best = min(steps, key=lambda step: (step.score, step.block, step.size), default=None)
        if best is None or best.score >= self.score:
            return False
        self._take(best)
        return True

    def _score(self, residuals: Floats, leverage: Floats, extra: int) -> float:
        press = float((press_residuals(residuals, leverage) ** 2).sum())
        return float(np.log(max(press, 1e-300))) + self.price * extra / self.n

    def _promising(self) -> list[int]:
        """Order the blocks by what their columns, taken as orthogonal, would explain."""
        left = (self.rest**2).sum(axis=0)
        usable = left > _TOLERANCE * self.norms
        explained = np.where(
            usable, (self.rest.T @ self.residuals) ** 2 / np.where(usable, left, 1), 0
        )
        unit = float(self.residuals @ self.residuals) / max(self.n - self.width, 1)
        ranks = []
        for i, block in enumerate(self.blocks):
            sums = np.cumsum(explained[block.start : block.start + block.stops[-1]])
            gains = [sums[stop - 1] - 2 * unit * stop for stop in block.stops]
            ranks.append((-max(gains), i))
        return [i for _, i in sorted(ranks)[:_CLOSE_LOOKS]]

    def _looks(self, position: int) -> list[_Step]:
        block = self.blocks[position]
        room = [stop for stop in block.stops if self.width + stop <= self.budget]
        q, independent = self._orthonormal(block, room[-1] if room else 0)
        room = [stop for stop in room if stop <= independent]
        parts = q.T @ self.residuals
        steps = []
        for stop in room:
            part = q[:, :stop]
            residuals = self.residuals - part @ parts[:stop]
            leverage = self.leverage + (part**2).sum(axis=1)
            steps.append(_Step(self._score(residuals, leverage, stop), position, stop))
        return steps

    def _orthonormal(self, block: _Block, size: int) -> tuple[Floats, int]:
        """Return what columns add to the model, and how many come before one that adds nothing."""
        span = slice(block.start, block.start + size)
        q, r = np.linalg.qr(self.rest[:, span])
        adds = np.abs(r.diagonal()) > np.sqrt(_TOLERANCE * self.norms[span])
        return q, size if adds.all() else int(np.argmin(adds))

    def _take(self, step: _Step) -> None:
        block = self.blocks[step.block]
        q, _ = self._orthonormal(block, step.size)
        gain = float(((q.T @ self.residuals) ** 2).sum())
        self.lucky += step.size * self._may_be_luck(gain, step.size)
        self.residuals = self.residuals - q @ (q.T @ self.residuals)
        self.leverage = self.leverage + (q**2).sum(axis=1)
        self.rest -= q @ (q.T @ self.rest)
        self.width += step.size
        self.score = self._score(self.residuals, self.leverage, 0)
        if len(block.term) == 1:
            self.sizes[block.term[0]] += step.size
        else:
            taken = self.pairs.get(block.term, ())
            self.pairs[block.term] = (*taken, *block.columns[: step.size])
        self._shorten(step)

    def _may_be_luck(self, gain: float, size: int) -> bool:
        """Tell whether the best of so many models would explain as much of mere noise."""
        df = self.n - self.width - size
        left = float(self.residuals @ self.residuals) - gain
        if df < 1 or left <= 0:
            return bool(df < 1)
        p = float(scipy.special.fdtrc(size, df, gain / size / (left / df)))
        return bool(p * self.models > _LUCK)

    def _shorten(self, step: _Step) -> None:
        block = self.blocks[step.block]
        stops = tuple(stop - step.size for stop in block.stops if stop > step.size)
        if not stops:
            del self.blocks[step.block]
            return
        rest = block.columns[step.size :]
        self.blocks[step.block] = _Block(block.term, block.start + step.size, stops, rest)


def _candidates(factors: Sequence[Factor], first: np.ndarray) -> tuple[list[_Block], list[Floats]]:
    blocks: list[_Block] = []
    tables: list[Floats] = []
    start = 0
    for i, factor in enumerate(factors):
        if factor.axis is None or factor.axis.most == factor.df:
            continue
        table = factor.table[first][:, factor.df :]
        degrees: Columns = tuple((j,) for j in range(factor.df, factor.axis.most))
        blocks.append(_Block((i,), start, tuple(range(1, table.shape[1] + 1)), degrees))
        tables.append(table)
        start += table.shape[1]
    most = _most_degrees(len(factors))
    for pair in combinations(range(len(factors)), 2):
        columns, stops = _pair_columns(factors, pair, most)
        table = _product(factors, pair, columns)[first]
        if not stops or not (np.abs(table).max(axis=0) > _TOLERANCE).all():
            continue
        blocks.append(_Block(pair, start, stops, columns))
        tables.append(table)
        start += table.shape[1]
    return blocks, tables


def _most_degrees(k: int) -> int:
    """Total degree up to which pairs are tried: fewer where there are many of them."""
    return 7 if k <= 8 else 5 if k <= 12 else 4


def _degrees(factor: Factor) -> list[tuple[int, tuple[int, ...]]]:
    """Return the columns of a factor by degree; contrasts of levels are of degree 1 together."""
    if factor.axis is None:
        return [(1, tuple(range(factor.df)))]
    skipped = int(factor.axis.has_indicator)
    found: list[tuple[int, tuple[int, ...]]] = [
        (j + 1, (j + skipped,)) for j in range(factor.axis.most - skipped)
    ]
    return [(1, (0, 1)), *found[1:]] if skipped and found else found


def _pair_columns(
    factors: Sequence[Factor], pair: Term, most: int
) -> tuple[Columns, tuple[int, ...]]:
    a, b = (_degrees(factors[i]) for i in pair)
    columns: list[tuple[int, ...]] = []
    stops: list[int] = []
    for total in range(2, most + 1):
        for da, left in a:
            for db, right in b:
                if da + db == total:
                    columns += [(i, j) for i in left for j in right]
        if columns and (not stops or stops[-1] < len(columns)):
            stops.append(len(columns))
    return tuple(columns), tuple(stops)


def _bilinear(factors: Sequence[Factor], pair: Term) -> Columns:
    return _pair_columns(factors, pair, 2)[0]


def _product(factors: Sequence[Factor], pair: Term, columns: Columns) -> Floats:
    picked = np.array(columns)
    tables = [factors[i].table[:, picked[:, side]] for side, i in enumerate(pair)]
    return np.asarray(tables[0] * tables[1])


def _second(factor: Factor) -> int:
    if factor.axis is None:
        return factor.df
    return min(factor.axis.most, 2 + int(factor.axis.has_indicator))

"""The shares at each epoch, and from when on the final ranking stood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from provrunner.sensitivity.anova import Fit, fit_model
from provrunner.sensitivity.basis import Floats, Ints, rank_correlation
from provrunner.sensitivity.design import Design, count_pure
from provrunner.sensitivity.noise import within_residuals
from provrunner.sensitivity.trials import Run

__all__ = ["Moment", "OverTime", "over_time", "point_shares", "select_runs"]

MOST_EPOCHS = 50
STABLE = 0.9
"""Rank correlation with the final ranking from which on the ranking is called stable."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One epoch.

    Attributes:
        runs: analysed runs that have a value.
        shares: of each component and of `seed`, `unresolved` and `noise`, cut to 0..1.
        agreement: rank correlation of the trials' means with those at the end; None with fewer than
            three trials.
    """

    epoch: int
    runs: int
    shares: Mapping[str, float]
    agreement: float | None


@dataclass(frozen=True, slots=True)
class OverTime:
    """The course of a sweep.

    Attributes:
        moments: at most fifty epochs, evenly chosen, first and last among them.
        stable_from: the epoch from which on the ranking of trials stayed that of the end.
        leader_from: the epoch from which on the hyperparameter that explains most at the end did.
        leader: its name.
    """

    moments: tuple[Moment, ...]
    stable_from: int | None
    leader_from: int | None
    leader: str | None


def over_time(
    design: Design, runs: Sequence[Run], epochs: pa.Table, sign: float
) -> OverTime | None:
    """Follow the shares through training; None with fewer than two epochs.

    Each epoch is analysed with the model of the final objective, on the runs that have a finite
    value then, so that only the shares change. An epoch with too few runs for it is left out.

    Args:
        design: of the analysed runs, with the model that their objective was given.
        runs: analysed, in the order of the design.
        epochs: columns run, epoch and value, the objective's metric; one row a run and epoch.
        sign: 1 where lower is better, else -1.
    """
    table = _by_epoch(runs, epochs)
    if len(table) < 2:
        return None
    final = _final(table)
    moments = []
    for epoch in _chosen(sorted(table)):
        values = sign * table[epoch]
        found = _moment(design, epoch, values, sign * final)
        if found is not None:
            moments.append(found)
    if len(moments) < 2:
        return None
    mains = {design.term_name(term) for term in design.terms if len(term) == 1}
    leaders = [_leader(moment, mains) for moment in moments]
    return OverTime(
        tuple(moments),
        _since(moments, [(moment.agreement or -1.0) >= STABLE for moment in moments]),
        _since(moments, [leader == leaders[-1] for leader in leaders]),
        leaders[-1],
    )


def point_shares(design: Design, y: Floats) -> dict[str, float] | None:
    """Return the shares alone, without tests or intervals; None where the model cannot be fitted.

    They add to 1 before negative estimates are cut to 0.

    Example:
        >>> from provrunner.sensitivity.design import build_design
        >>> point_shares(build_design([], None, n_runs=2), np.zeros(2)) is None
        True
    """
    if design.residual_df < 1 or np.ptp(y) == 0:
        return None
    fit = fit_model(design, y)
    error = fit.rss / fit.df
    noise = error
    if design.is_replicated:
        within = within_residuals(design, y)
        noise = float(within @ within) / design.pure_df
    left = (fit.rss - noise * fit.df) / design.n_runs if design.is_replicated else 0.0
    parts = {
        design.term_name(term): _variance(fit, span, error) for term, span in fit.spans.items()
    }
    if design.blocks is not None:
        seeds = design.n_blocks
        parts["seed"] = _variance(fit, fit.seeds, noise) * seeds / (seeds - 1)
    if design.is_replicated and fit.df > design.pure_df:
        parts["unresolved"] = left
    parts["noise" if design.is_replicated else "unresolved"] = noise
    total = sum(parts.values())
    if total <= 0:
        return None
    return {name: min(max(value / total, 0.0), 1.0) for name, value in parts.items()}


def select_runs(design: Design, kept: Ints) -> Design | None:
    """Return the design of some of the runs, with the same model; None where it cannot be fitted.

    Args:
        design: of all runs.
        kept: positions of the runs.
    """
    factors = tuple(
        replace(
            factor,
            codes=factor.codes[kept],
            axis=None
            if factor.axis is None
            else replace(factor.axis, unit=factor.axis.unit[kept], table=factor.axis.table[kept]),
        )
        for factor in design.factors
    )
    cells = np.unique(design.cells[kept], return_inverse=True)[1].reshape(-1).astype(np.intp)
    seeds = None
    if design.blocks is not None:
        seeds = np.unique(design.blocks[kept], return_inverse=True)[1].reshape(-1).astype(np.intp)
    blocks, pure_df = count_pure(cells, seeds)
    chosen = replace(design, factors=factors, cells=cells, blocks=blocks, pure_df=pure_df)
    size = chosen.model_size + chosen.seed_columns.shape[1]
    if size >= kept.size:
        return None
    columns = [
        np.ones((kept.size, 1)),
        chosen.seed_columns,
        *map(chosen.term_columns, chosen.terms),
    ]
    if np.linalg.matrix_rank(np.hstack(columns), tol=1e-8) < size:
        return None
    return replace(chosen, residual_df=kept.size - size)


def _moment(design: Design, epoch: int, values: Floats, final: Floats) -> Moment | None:
    kept = np.flatnonzero(np.isfinite(values))
    chosen = design if kept.size == values.size else select_runs(design, kept)
    shares = None if chosen is None else point_shares(chosen, values[kept])
    if chosen is None or shares is None:
        return None
    at_end = np.bincount(chosen.cells, final[kept]) / np.bincount(chosen.cells)
    now = np.bincount(chosen.cells, values[kept]) / np.bincount(chosen.cells)
    return Moment(epoch, kept.size, shares, rank_correlation(now, at_end))


def _by_epoch(runs: Sequence[Run], epochs: pa.Table) -> dict[int, Floats]:
    """Return each epoch's values in the order of the runs, NaN where there is none."""
    position = {run.number: i for i, run in enumerate(runs)}
    table: dict[int, Floats] = {}
    columns = (epochs[name].to_pylist() for name in ("run", "epoch", "value"))
    for run, epoch, value in zip(*columns, strict=True):
        if run in position and epoch is not None:
            row = table.setdefault(epoch, np.full(len(runs), np.nan))
            row[position[run]] = np.nan if value is None else value
    return {epoch: row for epoch, row in table.items() if np.isfinite(row).any()}


def _final(table: Mapping[int, Floats]) -> Floats:
    """Return each run's last value."""
    final = np.full(next(iter(table.values())).size, np.nan)
    for epoch in sorted(table):
        final = np.where(np.isfinite(table[epoch]), table[epoch], final)
    return final


def _chosen(epochs: Sequence[int]) -> list[int]:
    if len(epochs) <= MOST_EPOCHS:
        return list(epochs)
    picked = np.unique(np.linspace(0, len(epochs) - 1, MOST_EPOCHS).round().astype(int))
    return [epochs[i] for i in picked]


def _variance(fit: Fit, span: slice, error: float) -> float:
    b = fit.coefficients[span]
    return float(b @ b) - error * float(np.trace(fit.inverse[span, span]))


def _leader(moment: Moment, mains: set[str]) -> str | None:
    found = [(share, name) for name, share in moment.shares.items() if name in mains]
    return max(found)[1] if found else None


def _since(moments: Sequence[Moment], holds: Sequence[bool]) -> int | None:
    """Return the epoch from which on something holds until the end."""
    since = None
    for moment, is_so in zip(reversed(moments), reversed(holds), strict=True):
        if not is_so:
            break
        since = moment.epoch
    return since

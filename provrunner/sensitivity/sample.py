"""What of a sweep enters the analysis, with a reason for all that does not."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from provrunner.schema import RunStatus
from provrunner.sensitivity.adaptivity import is_adaptive, is_declared_adaptive
from provrunner.sensitivity.basis import Floats, Ints
from provrunner.sensitivity.design import Design, build_design, find_kind, number_trials
from provrunner.sensitivity.factors import Factor, build_factors, merge_aliased, place_factors
from provrunner.sensitivity.levels import level_key, order_named
from provrunner.sensitivity.numbers import format_level
from provrunner.sensitivity.study import Parameter, Study
from provrunner.sensitivity.trials import (
    Run,
    Trial,
    collapse_reruns,
    group_trials,
    is_failure,
    is_usable,
    levels_of,
    read_runs,
)

__all__ = ["Dropped", "Sample", "design_of", "draw_sample"]


@dataclass(frozen=True, slots=True)
class Dropped:
    """A hyperparameter or level that is left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The runs of a sweep and the design that the usable ones make up.

    Attributes:
        runs: all, sorted by number.
        analysed: those whose variance is analysed, in the order of `design`.
        trials: all trials, with their analysed runs.
        y: objective of the analysed runs, turned so that lower is better.
        reruns: bit-identical reruns left out.
        seeds_have_no_effect: whether every trial gave one value with all its seeds.
    """

    study: Study
    runs: tuple[Run, ...]
    analysed: tuple[Run, ...]
    trials: tuple[Trial, ...]
    design: Design
    y: Floats
    dropped: tuple[Dropped, ...]
    reruns: int
    seeds_have_no_effect: bool


def draw_sample(table: pa.Table, study: Study) -> Sample:
    """Read the runs of a sweep, and keep what can be analysed.

    Reruns that repeat a value bit for bit count once; so do the seeds of every trial when no seed
    ever changed a value, since they tell nothing about noise. Hyperparameters with one level are
    dropped, those that always change together merged.
    """
    runs = read_runs(table, study)
    analysed, reruns = collapse_reruns([run for run in runs if is_usable(run)])
    no_effect = _seeds_have_no_effect(analysed)
    if no_effect:
        analysed = tuple(trial.runs[0] for trial in group_trials(analysed, analysed))
    values = [run.objective for run in analysed if run.objective is not None]
    y = study.sign * np.array(values, dtype=np.float64)
    factors = build_factors(analysed, study.parameters)
    placed, dropped = _place([factor for factor in factors if factor.df > 0], analysed, study)
    design = _build(placed, analysed, study)
    if _was_adaptive(runs, study, design):
        design = replace(design, kind="adaptive")
    drawn = {factor.name for factor in placed if factor.axis is not None}
    return Sample(
        study=study,
        runs=runs,
        analysed=analysed,
        trials=group_trials(runs, analysed),
        design=design,
        y=y,
        dropped=(*_dropped(runs, factors, study.parameters, drawn), *dropped),
        reruns=reruns,
        seeds_have_no_effect=no_effect,
    )


def _place(
    factors: Sequence[Factor], runs: Sequence[Run], study: Study
) -> tuple[tuple[Factor, ...], list[Dropped]]:
    """Place on an axis what was drawn from a range, unless the runs make up a grid of levels."""
    cells = number_trials(factors, len(runs))
    n_trials = int(cells.max(initial=-1)) + 1
    kind = find_kind(factors, cells)
    if kind in ("none", "full_grid", "one_at_a_time"):
        return tuple(factors), []
    if kind == "single_factor" and not _is_range(
        factors[0], study, is_repeated=n_trials < len(runs)
    ):
        return tuple(factors), []
    placed = place_factors(factors, runs, study.parameters, n_trials)
    if all(factor.axis is None for factor in placed):
        return placed, []
    kept = [factor for factor in placed if factor.axis is not None or 2 * factor.df < n_trials]
    lost = [factor for factor in placed if factor not in kept]
    reason = "too many values for so few trials: a choice must come back to be compared"
    return tuple(kept), [Dropped(factor.name, reason) for factor in lost]


def _is_range(factor: Factor, study: Study, *, is_repeated: bool) -> bool:
    """Tell whether a lone factor is a range: declared as one, or neither declared nor repeated."""
    parameter = next(p for p in study.parameters if p.name == factor.name)
    if parameter.low is not None or parameter.high is not None:
        return True
    return not parameter.levels and not is_repeated


def _was_adaptive(runs: Sequence[Run], study: Study, design: Design) -> bool:
    """Tell whether points depended on results, failed runs and their points among them.

    Levels alone are taken for a search's only where the sweep says so: whoever lists points by hand
    may go through them in any order.
    """
    if not design.factors:
        return False
    if design.is_scattered and any(run.status == RunStatus.PRUNED for run in runs):
        return True
    if study.design or not design.is_scattered:
        return is_declared_adaptive(study)
    ended = [run for run in runs if is_usable(run) or is_failure(run)]
    factors = [factor for factor in build_factors(ended, study.parameters) if factor.df > 0]
    placed = place_factors(factors, ended, study.parameters, len({run.key for run in ended}))
    values = [run.objective if is_usable(run) else None for run in ended]
    y = np.array([math.inf if value is None else study.sign * value for value in values])
    return is_adaptive(ended, placed, y)


def _build(factors: Sequence[Factor], runs: Sequence[Run], study: Study) -> Design:
    cells = None
    if any(factor.axis is not None for factor in factors):
        keys = {key: i for i, key in enumerate(dict.fromkeys(run.key for run in runs))}
        cells = np.array([keys[run.key] for run in runs], dtype=np.intp)
    varying = merge_aliased(factors)
    return build_design(varying, _seed_codes(runs, study), n_runs=len(runs), cells=cells)


def design_of(runs: Sequence[Run], study: Study) -> Design:
    """Return the design that some of a sweep's usable runs make up.

    Args:
        runs: usable, sorted by number.
        study: what the sweep declared.
    """
    factors = build_factors(runs, study.parameters)
    placed, _ = _place([factor for factor in factors if factor.df > 0], runs, study)
    return _build(placed, runs, study)


def _seeds_have_no_effect(runs: Sequence[Run]) -> bool:
    values = {(run.key, run.objective) for run in runs}
    trials = {run.key for run in runs}
    is_constant = len({run.objective for run in runs}) < 2
    return len(values) == len(trials) < len(runs) and not is_constant


def _seed_codes(runs: Sequence[Run], study: Study) -> Ints | None:
    seeds = [run.seed for run in runs if run.seed is not None]
    if study.seeds != "common" or len(seeds) < len(runs) or not runs:
        return None
    return np.unique(seeds, return_inverse=True)[1].reshape(-1).astype(np.intp)


def _dropped(
    runs: Sequence[Run],
    factors: Sequence[Factor],
    parameters: Sequence[Parameter],
    drawn: Collection[str],
) -> list[Dropped]:
    found = []
    for factor, parameter in zip(factors, parameters, strict=True):
        name = parameter.name
        used = () if name in drawn else {level_key(level) for level in factor.levels}
        planned = {} if name in drawn else order_named(levels_of(runs, name)[1], parameter.levels)
        found += [
            Dropped(
                f"{name}={format_level(level)}", "no run with it finished with a finite objective"
            )
            for key, level in planned.items()
            if key not in used
        ]
        if factor.df == 0:
            found.append(
                Dropped(name, f"constant: {format_level(factor.levels[0])} in all finished runs")
            )
        if factor.df < 0:
            found.append(Dropped(name, "no run finished with a finite objective"))
    return found

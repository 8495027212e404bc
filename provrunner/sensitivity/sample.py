"""What of a sweep enters the analysis, with a reason for all that does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from provrunner.sensitivity.basis import Floats, Ints
from provrunner.sensitivity.design import Design, build_design
from provrunner.sensitivity.factors import Factor, build_factors, merge_aliased
from provrunner.sensitivity.levels import level_key, order_levels
from provrunner.sensitivity.numbers import format_level
from provrunner.sensitivity.study import Parameter, Study
from provrunner.sensitivity.trials import (
    Run,
    Trial,
    collapse_reruns,
    group_trials,
    is_usable,
    read_runs,
)

__all__ = ["Dropped", "Sample", "draw_sample"]


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
    factors = build_factors(analysed, study.parameters)
    varying = merge_aliased([factor for factor in factors if factor.df > 0])
    design = build_design(varying, _seed_codes(analysed, study), n_runs=len(analysed))
    values = [run.objective for run in analysed if run.objective is not None]
    return Sample(
        study=study,
        runs=runs,
        analysed=analysed,
        trials=group_trials(runs, analysed),
        design=design,
        y=study.sign * np.array(values, dtype=np.float64),
        dropped=tuple(_dropped(runs, factors, study.parameters)),
        reruns=reruns,
        seeds_have_no_effect=no_effect,
    )


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
    runs: Sequence[Run], factors: Sequence[Factor], parameters: Sequence[Parameter]
) -> list[Dropped]:
    found = []
    for factor, parameter in zip(factors, parameters, strict=True):
        name = parameter.name
        used = {level_key(level) for level in factor.levels}
        planned = order_levels([run.values[name] for run in runs], parameter.levels)
        found += [
            Dropped(
                f"{name}={format_level(level)}", "no run with it finished with a finite objective"
            )
            for level in planned
            if level_key(level) not in used
        ]
        if factor.df == 0:
            found.append(
                Dropped(name, f"constant: {format_level(factor.levels[0])} in all finished runs")
            )
        if factor.df < 0:
            found.append(Dropped(name, "no run finished with a finite objective"))
    return found

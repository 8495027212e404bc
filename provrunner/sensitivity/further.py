"""The same analysis of other columns: costs, further objectives, the better half of the runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from provrunner.sensitivity.analysis import Analysis, analyse
from provrunner.sensitivity.basis import Floats
from provrunner.sensitivity.design import MIN_RUNS, Design
from provrunner.sensitivity.sample import Sample, design_of
from provrunner.sensitivity.trials import Run, Trial

__all__ = ["Half", "Side", "Sides", "better_half", "duration_cost", "front", "further_objectives"]


@dataclass(frozen=True, slots=True, eq=False)
class Half:
    """The analysis of the better half of the trials.

    Attributes:
        limit: the worst mean of a trial among them, as logged.
        runs: theirs.
    """

    analysis: Analysis
    limit: float
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """The analysis of another column.

    Attributes:
        metric: its name.
        direction: `minimize` or `maximize`.
        best: the trial with the best mean, and this mean.
    """

    metric: str
    direction: str
    analysis: Analysis
    runs: tuple[Run, ...]
    best: Trial
    best_mean: float


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """Several objectives together.

    Attributes:
        objectives: the further ones, in the order declared.
        front: trials that no other trial beats in all objectives, with their means, the first
            objective's best first.
    """

    objectives: tuple[Side, ...]
    front: tuple[tuple[Trial, tuple[float, ...]], ...]


def better_half(sample: Sample) -> Half | None:
    """Analyse the better half of the trials, so that one ruinous range does not hide the rest.

    Shares are of the variance within that half, whose limit is set by the objective itself: they
    say where differences among good runs come from, and are no test. None with too few runs.
    """
    trials = [trial for trial in sample.trials if trial.runs]
    sign = sample.study.sign
    means = np.array([sign * (trial.mean or 0.0) for trial in trials])
    if means.size < 2:
        return None
    limit = float(np.sort(means)[(means.size + 1) // 2 - 1])
    kept = {trial.runs[0].key for trial, mean in zip(trials, means, strict=True) if mean <= limit}
    inside = np.array([run.key in kept for run in sample.analysed])
    runs = tuple(run for run in sample.analysed if run.key in kept)
    if len(runs) < MIN_RUNS or len(runs) == len(sample.analysed):
        return None
    y = sample.y[inside]
    analysis = analyse(_design_of_some(sample, runs), y)
    return None if analysis.noise is None else Half(analysis, sign * limit, runs)


def duration_cost(sample: Sample) -> Side | None:
    """Analyse the logarithm of the runs' durations; None where they are not all known."""
    seconds = [run.duration_s for run in sample.analysed]
    if not seconds or any(value is None or value <= 0 for value in seconds):
        return None
    y = np.log(np.array(seconds, dtype=np.float64))
    analysis = analyse(sample.design, y)
    if analysis.noise is None:
        return None
    best, mean = _best(
        sample.trials, {r.number: float(r.duration_s or 0) for r in sample.analysed}, 1
    )
    return Side("duration_s", "minimize", analysis, sample.analysed, best, mean)


def further_objectives(sample: Sample) -> Sides | None:
    """Analyse the study's further objectives on the runs that have them; None where none can be."""
    sides: list[Side] = []
    tables: list[tuple[Mapping[int, float], str]] = []
    for metric, direction in sample.study.others:
        values = _values(sample.analysed, metric)
        side = _side(sample, metric, direction, values)
        if side is not None:
            sides.append(side)
            tables.append((values, direction))
    if not sides:
        return None
    first = {run.number: run.objective or 0.0 for run in sample.analysed}
    tables.insert(0, (first, sample.study.direction))
    return Sides(tuple(sides), front(sample.trials, tables))


def front(
    trials: Sequence[Trial], tables: Sequence[tuple[Mapping[int, float], str]]
) -> tuple[tuple[Trial, tuple[float, ...]], ...]:
    """Return the trials that no other beats in all objectives, with their means.

    Args:
        trials: with their usable runs.
        tables: of each objective its values by run, and its direction.
    """
    found = []
    for trial in trials:
        means = tuple(_mean(trial, values) for values, _ in tables)
        if all(math.isfinite(mean) for mean in means):
            found.append((trial, means))
    if not found:
        return ()
    signs = np.array([1.0 if direction == "minimize" else -1.0 for _, direction in tables])
    points = np.array([means for _, means in found]) * signs
    order = sorted(range(len(found)), key=lambda i: (*points[i], found[i][0].trial_id))
    kept: list[int] = []
    for i in order:
        # whatever beats a point comes before it, and so does one of the front that beats it
        if not _is_beaten(points[kept], points[i]):
            kept.append(i)
    return tuple(found[i] for i in kept)


def _side(sample: Sample, metric: str, direction: str, values: Mapping[int, float]) -> Side | None:
    runs = tuple(run for run in sample.analysed if run.number in values)
    if len(runs) < MIN_RUNS:
        return None
    sign = 1.0 if direction == "minimize" else -1.0
    y = sign * np.array([values[run.number] for run in runs])
    whole = len(runs) == len(sample.analysed)
    design = sample.design if whole else _design_of_some(sample, runs)
    best, mean = _best(sample.trials, values, sign)
    return Side(metric, direction, analyse(design, y), runs, best, mean)


def _design_of_some(sample: Sample, runs: Sequence[Run]) -> Design:
    """Return the design of some of the runs; what followed results still did."""
    design = design_of(runs, sample.study)
    return replace(design, kind="adaptive") if sample.design.kind == "adaptive" else design


def _values(runs: Sequence[Run], metric: str) -> dict[int, float]:
    pairs = ((run.number, run.others.get(metric)) for run in runs)
    return {run: value for run, value in pairs if value is not None and math.isfinite(value)}


def _best(trials: Sequence[Trial], values: Mapping[int, float], sign: float) -> tuple[Trial, float]:
    means = [(sign * _mean(trial, values), i) for i, trial in enumerate(trials)]
    mean, position = min((mean, i) for mean, i in means if math.isfinite(mean))
    return trials[position], sign * mean


def _mean(trial: Trial, values: Mapping[int, float]) -> float:
    found = [values[run.number] for run in trial.runs if run.number in values]
    return math.fsum(found) / len(found) if found else math.nan


def _is_beaten(rivals: Floats, point: Floats) -> bool:
    no_worse = (rivals <= point).all(axis=1)
    better = (rivals < point).any(axis=1)
    return bool((no_worse & better).any())

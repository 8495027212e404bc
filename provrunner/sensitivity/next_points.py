"""Which points are worth running next, as a sweep that can be run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from provrunner.sensitivity.analysis import Analysis
from provrunner.sensitivity.anova import covariance
from provrunner.sensitivity.basis import Floats
from provrunner.sensitivity.design import Design
from provrunner.sensitivity.factors import Factor
from provrunner.sensitivity.findings import Finding
from provrunner.sensitivity.levels import level_key
from provrunner.sensitivity.numbers import format_level
from provrunner.sensitivity.ranges import infer_scale, is_number
from provrunner.sensitivity.sample import Sample

__all__ = ["NextPoints", "next_points", "sweep_text"]

MOST_POINTS = 6
_CANDIDATES = 512
_APART = 0.15
_BELOW = 2.0


@dataclass(frozen=True, slots=True)
class NextPoints:
    """Points worth running next.

    Attributes:
        points: values of all hyperparameters; best first.
        reason: why these.
        config: a sweep file that runs them.
    """

    points: tuple[Mapping[str, Any], ...]
    reason: str
    config: str


def next_points(
    sample: Sample, analysis: Analysis, findings: Sequence[Finding]
) -> NextPoints | None:
    """Return points that may beat the best one; None where none can be named.

    On a grid: halfway between the best level and a neighbour, and combinations of levels as good as
    the best; nothing beyond the levels at the ends, since nobody said that values there are
    allowed. On ranges: where the fitted polynomial is
    lowest, or not known well enough to be ruled out. What was run is never named again. A Gaussian
    process's surface, and merged and conditional hyperparameters, give none.
    """
    factors = analysis.design.factors
    has_condition = any(f.axis is not None and f.axis.active < 1 for f in factors)
    if analysis.noise is None or has_condition or any(len(f.parameters) > 1 for f in factors):
        return None
    tried: Iterable[Mapping[str, Any]]
    if analysis.design.is_scattered:
        tried = _of_surface(analysis)
        reason = "where the fitted surface is best, or too little known to rule it out"
    else:
        tried = _of_levels(findings)
        reason = "between the best levels and their neighbours, and good combinations not run yet"
        reason += "".join(map(_at_an_end, findings))
    points = _new_points(sample, analysis.design, tried)
    if not points:
        return None
    constants = _constants(sample, analysis.design)
    full = tuple({**constants, **point} for point in points)
    replicates = max((len(trial.runs) for trial in sample.trials), default=1)
    return NextPoints(full, reason, sweep_text(sample, full, replicates))


def sweep_text(sample: Sample, points: Sequence[Mapping[str, Any]], replicates: int) -> str:
    """Write a sweep file of a list of points."""
    study = sample.study
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", study.name).strip("_.-") or "sweep"
    metric, direction = _yaml(study.metric), study.direction
    lines = [
        "# @package _global_",
        f"# Points worth running after {name}. Save as conf/sweep/{name}_next.yaml, add what that",
        f"# sweep overrides besides, and run it with +sweep={name}_next",
        "sweep:",
        f"  name: {name}_next",
        f"  objective: {{metric: {metric}, direction: {direction}}}",
        "  design: list",
        "  points:",
    ]
    for point in points:
        pairs = (f"{_yaml_key(key)}: {_yaml(value)}" for key, value in point.items())
        lines.append(f"    - {{{', '.join(pairs)}}}")
    lines.append(f"  replicates: {replicates}")
    return "\n".join(lines) + "\n"


def _yaml_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][\w.]*", name) else _yaml(name)


def _yaml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _constants(sample: Sample, design: Design) -> dict[str, Any]:
    """Return the values of parameters that do not vary, in the order declared."""
    varying = {name for factor in design.factors for name in factor.parameters}
    values = sample.analysed[0].values if sample.analysed else {}
    return {
        parameter.name: values.get(parameter.name)
        for parameter in sample.study.parameters
        if parameter.name not in varying
    }


def _new_points(
    sample: Sample, design: Design, tried: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return the first points that were not run, each once, in the order of the parameters."""
    varying = {factor.name for factor in design.factors}
    order = [parameter.name for parameter in sample.study.parameters if parameter.name in varying]
    seen = {_key(run.values, order) for run in sample.runs}
    points: list[dict[str, Any]] = []
    for point in tried:
        key = _key(point, order)
        if key not in seen:
            seen.add(key)
            points.append({name: point[name] for name in order})
        if len(points) == MOST_POINTS:
            break
    return points


def _of_levels(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    best = {found.factor.name: found.best for found in findings}
    tried: list[dict[str, Any]] = []
    for found in findings:
        if found.is_significant:
            tried += [{**best, found.factor.name: value} for value in _beside(found)]
    good = {found.factor.name: found.as_good or (found.best,) for found in findings}
    sizes = int(np.prod([len(levels) for levels in good.values()], dtype=np.int64))
    if sizes <= _CANDIDATES:
        tried += [dict(zip(good, values, strict=True)) for values in product(*good.values())]
    return tried


def _at_an_end(found: Finding) -> str:
    numbers = _numbers(found)
    if not found.is_significant or found.best not in (numbers[:1] + numbers[-1:]):
        return ""
    best = format_level(found.best)
    return f"; {found.factor.name} is best at its end {best}: what lies beyond is not known"


def _numbers(found: Finding) -> list[Any]:
    """Return a factor's levels in order; none where one of them is no number."""
    levels = found.factor.levels
    return sorted(levels) if all(map(is_number, levels)) else []


def _beside(found: Finding) -> list[Any]:
    """Return the numbers halfway between the best level and those next to it."""
    factor = found.factor
    numbers = _numbers(found)
    if not numbers:
        return []
    is_log = (factor.scale if factor.scale != "categorical" else infer_scale(numbers)) == "log"
    whole = all(isinstance(level, int) for level in numbers)
    position = numbers.index(found.best)
    beside = [*numbers[max(position - 1, 0) : position], *numbers[position + 1 : position + 2]]
    values = [_between(found.best, level, is_log=is_log) for level in beside]
    rounded = [round(value) if whole else float(f"{value:.3g}") for value in values]
    return [value for value in rounded if numbers[0] < value < numbers[-1] and value not in numbers]


def _between(a: float, b: float, *, is_log: bool) -> float:
    return float(np.sqrt(a * b)) if is_log and min(a, b) > 0 else (a + b) / 2


def _of_surface(analysis: Analysis) -> Iterator[dict[str, Any]]:
    """Give the points with the lowest lower limit of the surface, apart from each other."""
    design, fit, noise = analysis.design, analysis.fit, analysis.noise
    if fit is None or noise is None or analysis.method != "linear_model":
        return
    units = _candidates(design)
    parts = [_columns_at(design, term, units) for term in design.terms]
    seeds = np.zeros((units.shape[0], fit.seeds.stop - fit.seeds.start))
    rows = np.hstack([np.ones((units.shape[0], 1)), seeds, *parts])
    table, _ = covariance(fit, noise.error, rows)
    spread = np.sqrt(np.maximum(table.diagonal(), 0.0))
    lower = rows @ fit.coefficients - _BELOW * spread
    chosen: list[int] = []
    for i in np.argsort(lower, kind="stable"):
        gaps = [np.abs(units[i] - units[j]).max() for j in chosen]
        if all(gap > _APART for gap in gaps):
            chosen.append(int(i))
            yield _point(design, units[i])


def _candidates(design: Design) -> Floats:
    """Return evenly spread points of the unit cube (Roberts 2018: powers of the plastic number)."""
    k = len(design.factors)
    root = 2.0
    for _ in range(60):
        root = (1 + root) ** (1 / (k + 1))
    steps = root ** -np.arange(1.0, k + 1)
    return np.asarray((0.5 + np.arange(1, _CANDIDATES + 1)[:, None] * steps) % 1.0)


def _columns_at(design: Design, term: tuple[int, ...], units: Floats) -> Floats:
    tables = [_table_at(design.factors[i], units[:, i]) for i in term]
    return design.columns_of(term, tables)


def _table_at(factor: Factor, units: Floats) -> Floats:
    if factor.axis is not None:
        return factor.axis.columns_at(units)
    return np.asarray(factor.at_levels[_level_at(factor, units)])


def _level_at(factor: Factor, units: Floats) -> Any:
    return np.minimum((units * len(factor.levels)).astype(np.intp), len(factor.levels) - 1)


def _point(design: Design, units: Floats) -> dict[str, Any]:
    point = {}
    for factor, unit in zip(design.factors, units, strict=True):
        if factor.axis is None:
            point[factor.name] = factor.levels[int(_level_at(factor, unit[None])[0])]
        else:
            point[factor.name] = factor.axis.span.value(float(unit))
    return point


def _key(values: Mapping[str, Any], names: Sequence[str]) -> tuple[str, ...]:
    return tuple(level_key(values[name]) for name in names)

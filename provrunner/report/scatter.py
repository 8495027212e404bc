"""How much two runs of one trial differ by chance: the floor that differences are read against."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provrunner.log.objective import STAGES
from provrunner.report.results import Sweep
from provrunner.schema import RunStatus

__all__ = ["Metric", "Scatter", "last_values", "objective_scatter", "scatter_of"]

_LEAST_DF = 3

Metric = tuple[str, str]
"""Stage and name."""


@dataclass(frozen=True, slots=True)
class Scatter:
    """The standard deviation between runs of one trial, with its degrees of freedom.

    Example:
        >>> round(Scatter(0.1, 5).tolerance, 3)
        0.364
    """

    sigma: float
    df: float

    @property
    def tolerance(self) -> float:
        """The difference that two runs of one trial exceed once in twenty times."""
        from provrunner.sensitivity.quantiles import student_critical

        return student_critical(self.df) * math.sqrt(2) * self.sigma


def scatter_of(sweep: Sweep) -> Mapping[Metric, Scatter]:
    """Return the scatter of every metric that can be told: with 3 degrees of freedom or more.

    Of a metric the last value of each finished run counts, pooled within trials; the objective has
    the noise of the sensitivity analysis.
    """
    runs = sweep.runs.filter(pc.equal(sweep.runs["status"], RunStatus.FINISHED.value))
    trials = dict(zip(runs["run"].to_pylist(), runs["trial_id"].to_pylist(), strict=True))
    values: dict[Metric, dict[str, list[float]]] = {}
    for (run, stage, name), value in last_values(sweep.table("metrics")).items():
        if run in trials and math.isfinite(value):
            values.setdefault((stage, name), {}).setdefault(trials[run], []).append(value)
    found = {metric: _pooled(list(groups.values())) for metric, groups in values.items()}
    known = {metric: scatter for metric, scatter in found.items() if scatter is not None}
    judged = ((stage, sweep.plan.objective.metric) for stage in STAGES)
    metric = next((metric for metric in judged if metric in values), None)
    noise = objective_scatter(sweep)
    return known if metric is None or noise is None else {**known, metric: noise}


def objective_scatter(sweep: Sweep) -> Scatter | None:
    """Return the noise of a sweep's objective, None where it cannot be estimated."""
    noise = sweep.sensitivity().to_dict()["noise"]
    return Scatter(noise["sigma"], noise["df"]) if noise["estimable"] else None


def last_values(metrics: pa.Table) -> dict[tuple[int, str, str], float]:
    """Return the last value that each run's first rank logged, by run, stage and name."""
    is_first = pc.equal(metrics["rank"], 0)
    metrics = metrics.filter(pc.and_(is_first, pc.not_equal(metrics["stage"], "sanity_check")))
    grouped = metrics.group_by(["run", "stage", "name"], use_threads=False)
    rows = grouped.aggregate([("value", "last")])
    columns = (rows[name].to_pylist() for name in ("run", "stage", "name", "value_last"))
    return {
        (run, stage, name): math.nan if value is None else value
        for run, stage, name, value in zip(*columns, strict=True)
    }


def _pooled(groups: list[list[float]]) -> Scatter | None:
    """Pool the variance within groups; the error mean square of a one-way analysis of variance."""
    df = sum(len(group) - 1 for group in groups)
    if df < _LEAST_DF:
        return None
    squares = sum(float(np.sum((np.array(group) - np.mean(group)) ** 2)) for group in groups)
    return Scatter(math.sqrt(squares / df), df)

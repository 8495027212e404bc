"""What differs between two runs, and how much of their results each difference may explain."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from provrunner.report.differences import Difference, differences_of
from provrunner.report.results import Sweep, open_sweep
from provrunner.report.rows import plain, render_rows
from provrunner.report.runref import RunRef, find_run
from provrunner.report.scatter import Metric, Scatter, last_values, objective_scatter, scatter_of

__all__ = ["Diff", "MetricDifference", "compare", "diff_runs"]

_SHOWN = 12


@dataclass(frozen=True, slots=True)
class MetricDifference:
    """What two runs reached of one metric.

    Attributes:
        stage: the stage that logged it; `objective` for the value that the runs are judged by.
        name: the metric.
        a: the first run's value, of other metrics than the objective the last one; None without.
        b: the second run's.
        difference: b - a.
        noise: what two runs of one trial exceed once in twenty times; None when unknown.
        beyond_noise: whether the difference is larger; None when unknown.
    """

    stage: str
    name: str
    a: float | None
    b: float | None
    difference: float | None
    noise: float | None
    beyond_noise: bool | None


@dataclass(frozen=True, slots=True)
class Diff:
    """Two runs compared.

    Attributes:
        a: sweep and id of the first run.
        b: of the second one.
        metrics: every metric that either logged, the objective first.
        differences: all that differs between them; what may explain most comes first.
    """

    a: str
    b: str
    metrics: tuple[MetricDifference, ...]
    differences: tuple[Difference, ...]

    @property
    def rows(self) -> pa.Table:
        """The differences as a table, in their order."""
        kinds = [pa.utf8()] * 4 + [pa.float64(), pa.bool_(), pa.float64(), pa.utf8()]
        return _table(self.differences, list(Difference.__dataclass_fields__), kinds)

    def to_json(self) -> str:
        """Write it as indented JSON; what is no number of JSON's is null."""
        return json.dumps(plain(asdict(self)), indent=1, ensure_ascii=False) + "\n"

    def to_text(self) -> str:
        """Write it as two aligned tables under a line that names the runs."""
        kinds = [pa.utf8()] * 2 + [pa.float64()] * 4 + [pa.bool_()]
        metrics = _table(self.metrics, list(MetricDifference.__dataclass_fields__), kinds)
        head = f"a {self.a}\nb {self.b}\n\n"
        if not self.differences:
            return f"{head}{render_rows(metrics)}\nNothing that was captured differs.\n"
        shown = self.rows.select(["aspect", "name", "a", "b", "why"])
        for position, name in ((2, "a"), (3, "b")):
            short = pa.array([_short(value) for value in shown[name].to_pylist()], pa.utf8())
            shown = shown.set_column(position, name, short)
        return f"{head}{render_rows(metrics)}\n{render_rows(shown)}"


def diff_runs(a: int | str, b: int | str, sweep: Sweep | Path | str | None = None) -> Diff:
    """Compare two runs, of one sweep or of two.

    A difference in a swept hyperparameter is explained by its marginal means in the sweep that
    varied it, one in the seed by the noise floor; of all else the effect is unknown, and said to
    be. Nothing is claimed beyond that: two runs alone cannot tell causes apart.

    Args:
        a: number, id or `best`; in front of it, with a colon, another sweep's folder or id.
        b: as `a`.
        sweep: the sweep meant where `a` or `b` names none; None is the newest one.

    Raises:
        LogError: there is no such sweep or run.
    """
    if not isinstance(sweep, Sweep) and ":" not in f"{a}{b}":
        sweep = open_sweep(sweep)  # once for both
    return compare(find_run(a, sweep), find_run(b, sweep))


def compare(a: RunRef, b: RunRef) -> Diff:
    """Compare two runs; see `diff_runs`."""
    return Diff(a.label, b.label, tuple(_metrics(a, b)), differences_of(a, b))


def _metrics(a: RunRef, b: RunRef) -> Iterator[MetricDifference]:
    judged: Metric = ("objective", a.sweep.plan.objective.metric)
    reached = (a.row["objective"], b.row["objective"])
    yield _metric(judged, reached, objective_scatter(a.sweep))
    first, second = _last_values(a), _last_values(b)
    scatter = scatter_of(a.sweep)
    for metric in sorted({*first, *second}):
        yield _metric(metric, (first.get(metric), second.get(metric)), scatter.get(metric))


def _last_values(run: RunRef) -> dict[Metric, float]:
    return {
        (stage, name): value
        for (number, stage, name), value in last_values(run.sweep.table("metrics")).items()
        if number == run.point.run
    }


def _metric(
    metric: Metric, values: tuple[float | None, float | None], scatter: Scatter | None
) -> MetricDifference:
    a, b = values
    difference = None if a is None or b is None else b - a
    noise = scatter.tolerance if scatter else None
    beyond = None
    if difference is not None and noise is not None and math.isfinite(difference):
        beyond = abs(difference) > noise
    return MetricDifference(*metric, a, b, difference, noise, beyond)


def _table(rows: Sequence[Any], names: Sequence[str], kinds: Sequence[pa.DataType]) -> pa.Table:
    columns = {name: [getattr(row, name) for row in rows] for name in names}
    fields = zip(columns.items(), kinds, strict=True)
    return pa.table({name: pa.array(values, kind) for (name, values), kind in fields})


def _short(value: str | None) -> str | None:
    is_digest = value is not None and len(value) >= 40 and value.isalnum() and value.islower()
    return f"{value[:_SHOWN]}…" if value is not None and is_digest else value

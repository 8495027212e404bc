"""Whether a run that was run again gave the same numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provrunner.errors import LogError
from provrunner.report.differences import Difference, differences_of
from provrunner.report.escape import visible
from provrunner.report.results import Sweep
from provrunner.report.rows import plain, render_rows
from provrunner.report.runref import RunRef, find_run
from provrunner.report.scatter import Metric, Scatter, scatter_of
from provrunner.schema import RunStatus

__all__ = ["Agreement", "MetricVerdict", "Verdict", "check_ended", "data_changes", "verify_rerun"]

_UNFINISHED = (RunStatus.LOST, RunStatus.INTERRUPTED, RunStatus.FAILED, RunStatus.PRUNED)


class Agreement(StrEnum):
    """How near two series of one metric are, the nearest first."""

    EQUAL = "equal"
    WITHIN = "within tolerance"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class MetricVerdict:
    """One metric of a run and of its repetition.

    Attributes:
        stage: the stage that logged it.
        name: the metric.
        values: values that the run logged.
        equal: how many of these the repetition gave bit for bit.
        original: the run's last value.
        rerun: the repetition's value at the same place; None where it logged none.
        tolerance: the difference between two runs of one trial that is exceeded once in twenty
            times; None when the sweep cannot tell.
        verdict: `equal` when all values are; `within tolerance` when the last ones are no further
            apart than that; else `different`.
    """

    stage: str
    name: str
    values: int
    equal: int
    original: float | None
    rerun: float | None
    tolerance: float | None
    verdict: Agreement


@dataclass(frozen=True, slots=True)
class Verdict:
    """A run and its repetition compared.

    Attributes:
        original: sweep and id of the run.
        rerun: of the repetition.
        statuses: how the two ended.
        metrics: a verdict a metric, sorted by stage and name.
        differences: what else differs, where the metrics are not all equal.
    """

    original: str
    rerun: str
    statuses: tuple[str, str]
    metrics: tuple[MetricVerdict, ...]
    differences: tuple[Difference, ...]

    @property
    def agreement(self) -> Agreement:
        """The worst of all metrics; different where there are none or the runs ended otherwise."""
        verdicts = [one.verdict for one in self.metrics]
        if not verdicts or Agreement.DIFFERENT in verdicts or not self._ended_alike:
            return Agreement.DIFFERENT
        return Agreement.WITHIN if Agreement.WITHIN in verdicts else Agreement.EQUAL

    @property
    def exit_code(self) -> int:
        """1 where something is different, else 0."""
        return int(self.agreement is Agreement.DIFFERENT)

    @property
    def _ended_alike(self) -> bool:
        original, rerun = self.statuses
        return original == rerun or original in (RunStatus.LOST, RunStatus.INTERRUPTED)

    def to_json(self) -> str:
        """Write it as indented JSON; a value that is no number of JSON's is text."""
        document = {**asdict(self), "agreement": self.agreement}
        return json.dumps(plain(document), indent=1, ensure_ascii=False) + "\n"

    def to_text(self) -> str:
        """Write it as an aligned table under a line a run, and the verdict as the last line."""
        names = list(MetricVerdict.__dataclass_fields__)
        table = pa.table({name: [getattr(row, name) for row in self.metrics] for name in names})
        parts = [
            f"original {self.original} ({self.statuses[0]})\nrerun    {self.rerun} "
            f"({self.statuses[1]})\n\n",
            render_rows(table) if self.metrics else "No metric was logged.\n",
        ]
        if self.differences:
            parts.append("\nWhat differs:\n")
            parts += [
                f"  {one.aspect}  {visible(one.name)}: {visible(one.a or 'none')} → "
                f"{visible(one.b or 'none')}\n"
                for one in self.differences
            ]
        elif self.agreement is not Agreement.EQUAL:
            parts.append("\nNothing else that was captured differs.\n")
        return "".join([*parts, f"\n{self._sentence()}\n"])

    def _sentence(self) -> str:
        counts = [sum(one.verdict is kind for one in self.metrics) for kind in Agreement]
        told = ", ".join(
            f"{count} {kind}" for count, kind in zip(counts, Agreement, strict=True) if count
        )
        return f"{self.agreement}: of {len(self.metrics)} metrics {told or 'none'}"


def check_ended(run: RunRef) -> None:
    """Refuse a run that there is nothing to compare with yet.

    Raises:
        LogError: it still runs, or never began.
    """
    status = run.row["status"]
    if status in (RunStatus.RUNNING, RunStatus.PLANNED):
        raise LogError(f"run {run.point.run_id} is {status}: there is nothing to compare with yet")


def verify_rerun(original: Sweep, run: int | str, rerun: Sweep) -> Verdict:
    """Compare a run with its repetition, metric by metric.

    Values are compared in the order logged. Of a run that was lost or interrupted only what it had
    logged counts.

    Args:
        original: the sweep of the run.
        run: its number or id.
        rerun: the sweep of one that repeats it; of a script's several runs that of its number.

    Raises:
        LogError: there is no such run in either, or it still runs.
    """
    first = find_run(run, original)
    second = _repetition(first, rerun)
    check_ended(first)
    status = str(first.row["status"])
    metrics = tuple(_metrics(first, second, prefix=status in _UNFINISHED))
    statuses = (status, str(second.row["status"]))
    equal = all(one.verdict is Agreement.EQUAL for one in metrics)
    differences = () if equal else differences_of(first, second)
    return Verdict(first.label, second.label, statuses, metrics, differences)


def data_changes(original: Sweep, run: int | str, rerun: Sweep) -> tuple[str, ...]:
    """Name the data that a repetition found otherwise than the run had them.

    Raises:
        LogError: there is no such run.
    """
    first = find_run(run, original)
    found = differences_of(first, _repetition(first, rerun))
    return tuple(
        f"data differ: {one.name} was {one.a or 'unknown'}, is {one.b or 'unknown'}"
        for one in found
        if one.aspect == "data"
    )


def _repetition(run: RunRef, rerun: Sweep) -> RunRef:
    """Return what repeats a run: the only run of a sweep of one, or a script's of its number."""
    return find_run(run.point.run if rerun.runs.num_rows > 1 else 0, rerun)


def _metrics(a: RunRef, b: RunRef, *, prefix: bool) -> Iterator[MetricVerdict]:
    scatter = scatter_of(a.sweep)
    first, second = _series(a), _series(b)
    for metric in sorted({*first, *second}):
        if prefix and metric not in first:
            continue
        nothing = np.array([])
        then, now = first.get(metric, nothing), second.get(metric, nothing)
        yield _compare(metric, then, now[: len(then)] if prefix else now, scatter.get(metric))


def _series(run: RunRef) -> dict[Metric, np.ndarray[Any, Any]]:
    metrics = run.sweep.table("metrics")
    mine = metrics.filter(pc.equal(metrics["run_id"], run.point.run_id))
    found: dict[Metric, list[float]] = {}
    columns = (mine[name].to_pylist() for name in ("stage", "name", "rank", "value"))
    for stage, name, rank, value in zip(*columns, strict=True):
        if not rank:
            found.setdefault((stage, name), []).append(np.nan if value is None else value)
    return {metric: np.array(values) for metric, values in found.items()}


def _compare(
    metric: Metric,
    then: np.ndarray[Any, Any],
    now: np.ndarray[Any, Any],
    scatter: Scatter | None,
) -> MetricVerdict:
    size = min(len(then), len(now))
    equal = int(
        np.sum((then[:size] == now[:size]) | (np.isnan(then[:size]) & np.isnan(now[:size])))
    )
    tolerance = scatter.tolerance if scatter else None
    last = [float(values[-1]) if len(values) else None for values in (then, now)]
    verdict = Agreement.DIFFERENT
    if equal == len(then) == len(now):
        verdict = Agreement.EQUAL
    elif last[0] is not None and last[1] is not None and tolerance is not None:
        near = abs(last[0] - last[1]) <= tolerance
        verdict = Agreement.WITHIN if near else Agreement.DIFFERENT
    return MetricVerdict(*metric, len(then), equal, last[0], last[1], tolerance, verdict)

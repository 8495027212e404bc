"""What the builders of one graph share: the plan, the runs, their ids and their times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from provrunner.graph.records import RunRecord
from provrunner.graph.statements import Statements
from provrunner.ids import qualified_id
from provrunner.plan import GRANULARITIES, Plan, Point

__all__ = ["ENDED", "GRANULARITIES", "Context", "Span", "microseconds"]

ENDED = frozenset({"finished", "failed", "diverged", "pruned", "interrupted"})
"""The statuses of a run that saw its own end."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """When an activity began and ended, in microseconds since 1970 UTC; None when unknown.

    Clocks step, and rows arrive late: what happened inside an activity is moved into its span, so
    that times never contradict the order that the statements imply.
    """

    start: int | None = None
    end: int | None = None

    def clamp(self, time: int | None) -> int | None:
        """Move a time into the span.

        Example:
            >>> Span(10, 20).clamp(5), Span(10, None).clamp(25), Span().clamp(None)
            (10, 25, None)
        """
        if time is None:
            return None
        if self.start is not None and time < self.start:
            return self.start
        return self.end if self.end is not None and time > self.end else time

    def inner(self, start: int | None, end: int | None) -> Span:
        """Return the span of something that ran inside this one.

        Example:
            >>> Span(10, 20).inner(5, 25), Span(10, 20).inner(15, 12)
            (Span(start=10, end=20), Span(start=15, end=None))
        """
        first, last = self.clamp(start), self.clamp(end)
        return Span(
            first, None if first is not None and last is not None and last < first else last
        )


@dataclass
class Context:
    """The state of one build.

    Attributes:
        agents: ids of the agents that speak for a run, software first, by run number.
        objectives: id of the metric entity that a run is judged by, by run number.
        results: ids of the runs' results.
        shared: names of the settings that all runs have with one value.
        extensions: ids of what added a run to the sweep later, by run number.
        splits: ids of a run's data, by run number and split name.
        steps: ids of the steps of the plan, by name.
        collected: ids of the checkpoints that were removed after their run, as they are stated; by
            the run's id, the path and the time. Several are the same bytes written again.
        store: id of the store that the sweep was made from; None for one that ran here.
        importer: id of the software that made it; None likewise.
    """

    plan: Plan
    records: Sequence[RunRecord]
    granularity: str
    store: str | None = None
    importer: str | None = None
    statements: Statements = field(default_factory=Statements)
    agents: dict[int, tuple[str, ...]] = field(default_factory=dict)
    objectives: dict[int, str] = field(default_factory=dict)
    results: list[str] = field(default_factory=list)
    shared: frozenset[str] = frozenset()
    extensions: dict[int, str] = field(default_factory=dict)
    splits: dict[int, dict[str, str]] = field(default_factory=dict)
    steps: dict[str, str] = field(default_factory=dict)
    collected: dict[tuple[str, str, int], list[str]] = field(default_factory=dict)

    @cached_property
    def sweep(self) -> str:
        """Id of the sweep's activity."""
        return qualified_id("sweep", self.plan.sweep_id)

    @cached_property
    def sweep_config(self) -> str:
        """Id of the sweep's plan entity, addressed by what decides its points."""
        return f"sweepconfig-{self.plan.spec_sha256[:16]}"

    @cached_property
    def points(self) -> dict[int, Point]:
        """The planned runs by number."""
        return {point.run: point for point in self.plan.points}

    @cached_property
    def axes(self) -> frozenset[str]:
        """The names of the swept hyperparameters."""
        return frozenset(axis.name for axis in self.plan.hyperparameters)

    @cached_property
    def span(self) -> Span:
        """When the sweep ran: from its plan to the last end; open while a run has none."""
        rows = [record.row for record in self.records]
        begun = [record.begun for record in self.records]
        # what was imported had begun before anybody planned its import
        planned = None if self.plan.imported else microseconds(self.plan.created)
        start = _earliest([planned, *begun])
        ends = [row["end"] for row in rows]
        whole = len(rows) >= len(self.plan.points) and all(end is not None for end in ends)
        return Span(start, max([*ends, start or 0]) if rows and whole else None)

    @property
    def runner(self) -> str:
        """Name of the software that recorded the runs: another tool where they were imported."""
        imported = self.plan.imported
        if imported is None:
            return "provrunner"
        return imported.tool if imported.tool != "table" else "unknown"

    def hyperparameter(self, name: str) -> str:
        """Id of a swept hyperparameter of the plan."""
        return qualified_id("hyperparameter", self.plan.sweep_id, name)

    def run(self, record: RunRecord) -> str:
        """Id of a run's activity; all that the run alone has bears it as a prefix."""
        row = record.row
        return qualified_id("run", self.plan.sweep_id, row["run"], row["seed"], row["attempt"] or 0)

    def run_span(self, record: RunRecord) -> Span:
        """When a run ran, its first to its last attempt, inside the sweep's span."""
        return self.span.inner(record.begun, record.row["end"])

    def use(self, record: RunRecord, entity: str, what: str, *, role: str | None = None) -> str:
        """State that a run used an entity from its start on, and return the usage's id."""
        return self.statements.relate(
            *("used", self.run(record), entity, what),
            run=record.number,
            time=self.run_span(record).start,
            role=role or f"pr:{what}",
        )


def _earliest(times: Iterable[int | None]) -> int | None:
    return min((time for time in times if time is not None), default=None)


def microseconds(text: str) -> int | None:
    """Read ISO 8601 as microseconds since 1970 UTC; None where it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MICROSECOND

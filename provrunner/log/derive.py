"""The public tables of a sweep, each derived when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Protocol

import pyarrow as pa

from provrunner.log.epochs import build_epochs
from provrunner.log.events import mark_attempts
from provrunner.log.runs import RunState, build_runs
from provrunner.log.tables import (
    build_adaptations,
    build_artifacts,
    build_datasets,
    build_environment,
    build_layers,
    build_params,
    build_plan,
    build_sweep,
    build_transforms,
)
from provrunner.plan import Plan

__all__ = ["Logs", "SweepTables"]


class Logs(Protocol):
    """What the runs of a sweep logged; the rows of a run stand together."""

    @property
    def events(self) -> pa.Table:
        """The public table `events`."""

    @property
    def metrics(self) -> pa.Table:
        """The public table `metrics`."""

    @property
    def states(self) -> Sequence[RunState]:
        """How each run stands, planned or not, in the order of their numbers."""

    @property
    def notes(self) -> pa.Table:
        """The public table `notes`."""


class SweepTables(Mapping[str, pa.Table]):
    """The public tables of a sweep but nodes, edges and sensitivity; each is made when asked for.

    Args:
        plan: the sweep as declared.
        logs: what its runs logged; read when the first table needs it.
    """

    def __init__(self, plan: Plan, logs: Logs) -> None:
        self.plan = plan
        self._logs = logs
        self._made: dict[str, pa.Table] = {}

    def __getitem__(self, name: str) -> pa.Table:
        if name not in self._made:
            self._made[name] = _BUILDERS[name](self)
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        # as inherited it would make the table to see whether there is one
        return name in _BUILDERS

    def __iter__(self) -> Iterator[str]:
        return iter(_BUILDERS)

    def __len__(self) -> int:
        return len(_BUILDERS)

    @cached_property
    def _marked(self) -> pa.Table:
        return mark_attempts(self._logs.events)

    def _runs(self) -> pa.Table:
        return build_runs(self.plan, self._marked, self._logs.metrics, self._logs.states)


_BUILDERS: Mapping[str, Callable[[SweepTables], pa.Table]] = {
    "sweep": lambda tables: build_sweep(tables.plan),
    "plan": lambda tables: build_plan(tables.plan),
    "runs": SweepTables._runs,
    "params": lambda tables: build_params(tables._marked),
    "epochs": lambda tables: build_epochs(tables._marked, tables["metrics"]),
    "metrics": lambda tables: tables._logs.metrics,
    "events": lambda tables: tables._logs.events,
    "adaptations": lambda tables: build_adaptations(tables._marked),
    "layers": lambda tables: build_layers(tables._marked),
    "datasets": lambda tables: build_datasets(tables._marked),
    "transforms": lambda tables: build_transforms(tables._marked),
    "artifacts": lambda tables: build_artifacts(tables._marked),
    "environment": lambda tables: build_environment(tables._marked),
    "notes": lambda tables: tables._logs.notes,
}

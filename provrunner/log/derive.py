"""The public tables of a sweep, each derived when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Protocol, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provrunner.log.collected import removals_digest, with_collected
from provrunner.log.epochs import Epochs, find_epochs, label_epochs, metric_labels
from provrunner.log.events import mark_attempts
from provrunner.log.objective import judged_stage, stages_of
from provrunner.log.parts import DamagedPartError, Part, Sources
from provrunner.log.runs import RunState, build_runs, with_points
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
from provrunner.schema import LogState

T = TypeVar("T")

__all__ = ["STORED_TABLES", "Logs", "SweepTables"]


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

    @property
    def collected(self) -> pa.Table:
        """The public table `collected`."""

    @property
    def fingerprints(self) -> Mapping[str, str]:
        """The fingerprint of each log that was sealed before any was read, by run id."""

    def without(self, run_ids: Collection[str]) -> Logs:
        """Return the logs of the other runs."""

    def unchanged(self) -> Mapping[str, str]:
        """Return those of the fingerprints that are the same now."""


class SweepTables(Mapping[str, pa.Table]):
    """The public tables of a sweep but nodes, edges and sensitivity; each is made when asked for.

    Args:
        plan: the sweep as declared.
        logs: what its runs logged; read when the first table needs it.
        parts: stored tables of some runs, whose logs need not be read; one that turns out to be
            damaged is not used, and these logs are read.
    """

    def __init__(self, plan: Plan, logs: Logs, parts: Sequence[Part] = ()) -> None:
        self.plan = plan
        self._whole = logs
        self._made: dict[str, pa.Table] = {}
        self._use(parts)

    def __getitem__(self, name: str) -> pa.Table:
        while name not in self._made:
            try:
                self._made[name] = _BUILDERS[name](self)
            except _UselessPartError as error:
                self._use([part for part in self._parts if part is not error.part])
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        # as inherited it would make the table to see whether there is one
        return name in _BUILDERS

    def __iter__(self) -> Iterator[str]:
        return iter(_BUILDERS)

    def __len__(self) -> int:
        return len(_BUILDERS)

    @property
    def whole(self) -> Part | None:
        """The one part that tells of every run; None where there is none."""
        is_whole = len(self._parts) == 1 and not self._logs.states
        return self._parts[0] if is_whole else None

    def take(self, name: str) -> pa.Table:
        """Return a table that is not kept for who asks next; `sources` asks for two of them."""
        table = self[name]
        if name not in ("runs", "epochs"):
            del self._made[name]
        return table

    def sources(self) -> Sources:
        """Say what these tables were derived from; all of them have been made by then."""
        same = dict(self._logs.unchanged())
        for part in self._parts:
            same |= {run_id: part.sources.runs[run_id] for run_id in part.runs}
        runs = self["runs"]
        whole = runs.filter(pc.equal(runs["log_state"], LogState.COMPLETE))["run_id"].to_pylist()
        told = {run_id: same[run_id] for run_id in whole if run_id in same}
        logged = self._fresh_epochs.metrics.union(*(part.metrics for part in self._parts))
        labels = metric_labels(logged)
        known = set(self["epochs"].column_names)
        return Sources(
            objective=self.plan.objective,
            stages=self._stages,
            metrics={one: label if label in known else None for one, label in labels.items()},
            runs=told,
            holds_others=len(told) < runs.num_rows,
            removals=(self["collected"].num_rows, removals_digest(self["collected"])),
        )

    @property
    def _stages(self) -> frozenset[str]:
        own = stages_of(self._logs.metrics, self.plan.objective.metric)
        return own.union(*(_read(part, lambda part: part.stages) for part in self._parts))

    def _use(self, parts: Sequence[Part]) -> None:
        stored = frozenset[str]().union(*(part.runs for part in parts))
        self._parts = parts
        self._logs = self._whole.without(stored) if stored else self._whole
        for name in ("_marked", "_fresh_epochs"):
            self.__dict__.pop(name, None)

    @cached_property
    def _marked(self) -> pa.Table:
        return mark_attempts(self._logs.events)

    @cached_property
    def _fresh_epochs(self) -> Epochs:
        return find_epochs(self._marked, self._logs.metrics)

    def _joined(self, name: str, fresh: pa.Table) -> pa.Table:
        """Join stored rows with those of the other runs, in the order of their numbers."""
        return _by_run([*(_read(part, Part.read, name) for part in self._parts), fresh])

    def _runs(self) -> pa.Table:
        stage = judged_stage(self._stages)
        for part in self._parts:
            # that of few runs may have been another one
            if part.sources.stages and judged_stage(part.sources.stages) != stage:
                raise _UselessPartError(part)
        logs = self._logs
        fresh = build_runs(self.plan, self._marked, logs.metrics, logs.states, stage)
        return with_points(self._joined("runs", fresh), self.plan)

    def _artifacts(self) -> pa.Table:
        collected = self["collected"]
        for part in self._parts:
            rows, told = part.sources.removals
            # it only grows, unless somebody took from it what the stored rows still tell of
            if removals_digest(collected.slice(0, rows)) != told:
                raise _UselessPartError(part)
        logged = self._joined("artifacts", build_artifacts(self._marked))
        return with_collected(logged, collected)

    def _epochs(self) -> pa.Table:
        stored = [_read(part, Part.read_epochs) for part in self._parts]
        return label_epochs([*stored, self._fresh_epochs])


class _UselessPartError(Exception):
    """Stored tables that cannot be used; raised to begin anew without them."""

    def __init__(self, part: Part) -> None:
        super().__init__(part)
        self.part = part


def _read(part: Part, read: Callable[..., T], *args: str) -> T:
    try:
        return read(part, *args)
    except DamagedPartError as error:
        raise _UselessPartError(part) from error


def _by_run(tables: Sequence[pa.Table]) -> pa.Table:
    """Put rows of several tables in the order of run and run id; those of a run stay together."""
    whole = [table for table in tables if table.num_rows]
    if len(whole) < 2:
        return whole[0] if whole else tables[-1]
    pieces = sorted(piece for place, table in enumerate(whole) for piece in _pieces(place, table))
    slices: list[tuple[int, int, int]] = []
    for _, _, place, start, stop in pieces:
        goes_on = slices and slices[-1][0] == place and slices[-1][2] == start
        slices.append((place, slices.pop()[1] if goes_on else start, stop))
    return pa.concat_tables([whole[at].slice(start, stop - start) for at, start, stop in slices])


def _pieces(place: int, table: pa.Table) -> Iterator[tuple[int, str, int, int, int]]:
    """Yield number and id of each run of a table with the table's place and the run's rows."""
    ids = table["run_id"].combine_chunks()
    cuts = np.flatnonzero(pc.not_equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False)) + 1
    starts = [0, *cuts.tolist()]
    firsts = pa.array(starts, pa.int64())
    numbers, names = table["run"].take(firsts).to_pylist(), ids.take(firsts).to_pylist()
    stops = [*starts[1:], len(ids)]
    for number, name, start, stop in zip(numbers, names, starts, stops, strict=True):
        yield number, name, place, start, stop


_FROM_EVENTS: Mapping[str, Callable[[pa.Table], pa.Table]] = {
    "params": build_params,
    "adaptations": build_adaptations,
    "layers": build_layers,
    "datasets": build_datasets,
    "transforms": build_transforms,
    "environment": build_environment,
}


def _from_events(name: str) -> Callable[[SweepTables], pa.Table]:
    return lambda tables: tables._joined(name, _FROM_EVENTS[name](tables._marked))


_BUILDERS: Mapping[str, Callable[[SweepTables], pa.Table]] = {
    "sweep": lambda tables: build_sweep(tables.plan),
    "plan": lambda tables: build_plan(tables.plan),
    "runs": SweepTables._runs,
    "params": _from_events("params"),
    "epochs": SweepTables._epochs,
    "metrics": lambda tables: tables._joined("metrics", tables._logs.metrics),
    "events": lambda tables: tables._joined("events", tables._logs.events),
    **{name: _from_events(name) for name in _FROM_EVENTS if name != "params"},
    "artifacts": SweepTables._artifacts,
    "notes": lambda tables: tables._whole.notes,
    "collected": lambda tables: tables._whole.collected,
}

_OF_THE_SWEEP = ("sweep", "plan", "notes", "collected")
STORED_TABLES = tuple(name for name in _BUILDERS if name not in _OF_THE_SWEEP)
"""Tables of which a run's rows depend on its own log, and can be stored."""

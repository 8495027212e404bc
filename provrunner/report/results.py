"""A sweep as its readers hold it: tables, questions, sensitivity, provenance."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from provrunner.errors import LogError, nearest
from provrunner.ids import digest
from provrunner.log.folder import log_folder, run_folder, sealed_name, unplanned_runs
from provrunner.log.objective import find_further
from provrunner.log.parts import Sources
from provrunner.log.plan_file import plan_digest
from provrunner.log.reader import Log, read_log
from provrunner.log.runs import level_column, level_type
from provrunner.log.sweep import read_tables
from provrunner.log.sweep_folders import find_sweep
from provrunner.log.views import Views
from provrunner.plan import Hyperparameter, Plan, Point
from provrunner.report.about import about_lines
from provrunner.report.lazy import LAZY_TABLES, project_runs, summary_rows
from provrunner.schema import TABLES

if TYPE_CHECKING:
    import duckdb

    from provrunner.graph import Graph
    from provrunner.sensitivity import Parameter, Study, Summary

__all__ = ["RUN_COLUMNS", "Sweep", "build_study", "open_sweep", "trials_table"]

RUN_COLUMNS = (
    "run",
    "run_id",
    "trial_id",
    "replicate",
    "seed",
    "status",
    "reason",
    "objective",
    "objective_epoch",
    "duration_s",
)
"""What the sensitivity analysis is told of a run; no hyperparameter of a study has such a name."""

MANY_RUNS = 1000
"""From so many on a summary that was written is read, for to make it anew takes seconds."""

_UNTOLD = ("list", "single")
"""Designs that do not say how their points were chosen."""


def open_sweep(
    path: Path | str | None = None, *, granularity: str | None = None, stored: bool = True
) -> Sweep:
    """Open a sweep to read it, also while it runs.

    Args:
        path: its folder, or a folder above it for the newest sweep there; None is `outputs`.
        granularity: how finely its graph tells training: `run`, `stage`, `epoch` or
            `checkpointed`; None is as configured.
        stored: take from `tables/` what was derived of logs that are sealed as they were then; else
            all is derived from the logs anew.

    Raises:
        LogError: there is no sweep.
    """
    folder = find_sweep(None if path is None else Path(path))
    return Sweep(folder, granularity=granularity, stored=stored)


class Sweep:
    """A sweep on disk; what it holds is read when first asked for, then kept.

    A sweep that still runs is seen as it was then: open it again for what came after.

    Args:
        folder: the sweep's folder, which holds `plan.json`.
        granularity: of its graph, as for `open_sweep`.
        stored: as for `open_sweep`.

    Raises:
        LogError: there is no plan in it, or a damaged one.
    """

    def __init__(
        self, folder: Path, *, granularity: str | None = None, stored: bool = True
    ) -> None:
        self.folder = folder
        self._granularity = granularity
        self._tables = read_tables(folder, stored=stored)

    @property
    def plan(self) -> Plan:
        """The sweep as declared."""
        return self._tables.plan

    @property
    def tables(self) -> Mapping[str, pa.Table]:
        """All public tables by name, with their columns as docs/tables.md lists them."""
        return self._all

    @property
    def runs(self) -> pa.Table:
        """The table `runs`: one row a run."""
        return self._tables["runs"]

    def table(self, name: str) -> pa.Table:
        """Return a public table.

        Raises:
            LogError: there is none of this name.
        """
        if name not in TABLES:
            raise LogError(f"there is no table {name!r}{nearest(name, TABLES)}")
        return self._all[name]

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """Ask the tables in DuckDB's SQL, such as `from epochs where run = 3`.

        The answer has `.df()`, `.pl()`, `.to_arrow_table()`, `.fetchall()`.

        Raises:
            ConfigError: the query cannot be answered; the message is one line.
        """
        return self._views.sql(query)

    def rows(self, query: str) -> pa.Table:
        """Ask as `sql` does and return the whole answer.

        Raises:
            ConfigError: the query cannot be answered; the message is one line.
        """
        return self._views.rows(query)

    def sensitivity(self) -> Summary:
        """Return what matters for the objective, by how much, and what cannot be concluded."""
        return self._summary

    def graph(self, *, analysis: bool = True) -> Graph:
        """Return the sweep's PROV graph.

        Args:
            analysis: with the summary's numbers and what they derive from; the graph is made in
                half the time without.
        """
        return self._graph if analysis else self._build_graph()

    def find_run(self, term: int | str) -> Point:
        """Return the run of a number, an id, or four or more first characters of an id.

        One outside the plan, such as a further Trainer of a script, has no trial and no values.

        Raises:
            LogError: there is none, or several; the message names the nearest.
        """
        return self.plan.find_point(term, unplanned_runs(self.folder, self.plan))

    def read_log(self, run: int | str, table: str = "metrics") -> Log:
        """Read the log of one run.

        Args:
            run: its number or id, as for `find_run`.
            table: `metrics` or `events`.

        Raises:
            LogError: there is no such run, or it has no log.
        """
        return read_log(run_folder(self.folder, self.find_run(run).run_id), table)

    def write(self) -> tuple[Path, ...]:
        """Write all derived files anew; return their paths in the order written.

        Each is replaced as a whole, and only when its bytes differ: whoever reads meanwhile, or
        finds the folder after a crash, sees no half file. The same logs give the same bytes.
        """
        from provrunner.report.files import write_files

        return write_files(self)

    def sources(self) -> Sources:
        """Return what the tables and the summary were derived from, for who stores them."""
        return replace(
            self._tables.sources(),
            plan=plan_digest(self.folder),
            summary=digest(self._summary.to_json()),
        )

    def about(self) -> tuple[str, ...]:
        """Return lines on why it was run, what it repeats, which runs no plan knows, and notes."""
        return about_lines(self.plan, self.runs, self.table("notes"))

    def paths(self) -> dict[str, str]:
        """Return what lies where, as the summary on the terminal lists it."""
        best = self._summary.document["best"] or {}
        run_id = best.get("run_id") or next((point.run_id for point in self.plan.points), None)
        paths = {"report": str(self.folder / "report.html"), "tables": str(self.folder / "tables")}
        if run_id is not None:
            log = log_folder(run_folder(self.folder, run_id)) / sealed_name("metrics")
            paths["log"] = f'pandas.read_feather("{log}")'
        return paths

    @cached_property
    def _all(self) -> Mapping[str, pa.Table]:
        return _AllTables(self, self._tables)

    @cached_property
    def _views(self) -> Views:
        return Views(_Askable(self), {**TABLES, **LAZY_TABLES})

    @cached_property
    def _summary(self) -> Summary:
        return self._stored_summary() or self._build_summary()

    def _stored_summary(self) -> Summary | None:
        """Return the summary that was made of these very runs, where there are many."""
        from provrunner.sensitivity import Summary

        part = self._tables.whole
        if part is None or len(part.runs) < MANY_RUNS:
            return None
        try:
            text = (self.folder / "summary.json").read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        told = (part.sources.plan, part.sources.summary)
        is_same = told == (plan_digest(self.folder), digest(text))
        return Summary(json.loads(text)) if is_same else None

    def _build_summary(self) -> Summary:
        from provrunner.report.analyze import with_passed_over
        from provrunner.report.stopped import flag_stopped
        from provrunner.report.unread import flag_unread
        from provrunner.sensitivity import build_summary

        summary = build_summary(
            with_further(
                trials_table(self.plan, self.runs), self.plan, lambda: self._tables["metrics"]
            ),
            build_study(self.plan),
            epochs=objective_by_epoch(self._tables["epochs"], self.plan.objective.metric),
        )
        if self.plan.imported is not None:
            summary = with_passed_over(summary, self.plan.imported.passed_over)
        summary = flag_unread(summary, self._tables["params"], self.plan)
        return flag_stopped(summary, self.plan)

    @cached_property
    def _graph(self) -> Graph:
        summary = self._summary
        return self._build_graph(
            sensitivity=summary.effects, method=summary.document.get("method", "linear_model")
        )

    def _build_graph(self, **analysis: Any) -> Graph:
        from provrunner.graph import build_graph

        return build_graph(self._tables, self.plan, granularity=self._granularity, **analysis)


def build_study(plan: Plan) -> Study:
    """Say of a plan what the sensitivity analysis must know; seeds are no hyperparameter."""
    from provrunner.sensitivity import Study

    return Study(
        name=plan.name,
        metric=plan.objective.metric,
        direction=plan.objective.direction,
        parameters=tuple(
            _parameter(plan, axis) for axis in plan.hyperparameters if axis.name not in RUN_COLUMNS
        ),
        seeds=plan.seeds,
        planned=len(plan.points),
        design=_design(plan),
        others=_further(plan),
    )


def _design(plan: Plan) -> str:
    from provrunner.sensitivity import PROGRAM

    if plan.is_program:
        return PROGRAM
    return "" if plan.design in _UNTOLD else plan.design


def _further(plan: Plan) -> tuple[tuple[str, str], ...]:
    """Return the objectives after the first; one named like a column of ours has another name."""
    taken = {*RUN_COLUMNS, *(axis.name for axis in plan.hyperparameters)}
    return tuple(
        (f"metric {one.metric}" if one.metric in taken else one.metric, one.direction)
        for one in plan.further
    )


def _parameter(plan: Plan, axis: Hyperparameter) -> Parameter:
    from provrunner.sensitivity import Parameter

    if plan.imported is None:
        return Parameter(
            axis.name, axis.levels, axis.scale, axis.default, low=axis.low, high=axis.high
        )
    # Nobody declared the values that another tool's runs happened to have.
    low, high = plan.imported.ranges.get(axis.name, (None, None))
    return Parameter(axis.name, (), axis.scale, low=low, high=high)


def trials_table(plan: Plan, runs: pa.Table) -> pa.Table:
    """Return the planned rows of `runs` as the sensitivity analysis takes them.

    Unlike `runs` it has a column for every hyperparameter of the study, whatever its name. What an
    import counted as replicates are no seeds, so that exact repeats can be told; nor are those of a
    program.
    """
    points = {point.run_id: point for point in plan.points}
    planned = pc.is_in(runs["run_id"], pa.array(list(points), pa.utf8()))
    table = runs.filter(planned).select(list(RUN_COLUMNS))
    rows = [points[run_id].values for run_id in table["run_id"].to_pylist()]
    for parameter in build_study(plan).parameters:
        values = [row.get(parameter.name) for row in rows]
        kind = level_type([*values, *parameter.levels])
        table = table.append_column(parameter.name, level_column(values, kind))
    counts_seeds = plan.imported is None and not plan.is_program
    return table if counts_seeds else table.drop_columns("replicate")


def with_further(trials: pa.Table, plan: Plan, metrics: Callable[[], pa.Table]) -> pa.Table:
    """Add a column for each further objective, at the epoch at which the first one counts.

    Args:
        trials: what `trials_table` gave.
        plan: of the sweep.
        metrics: gives the public table, which is read where there is such an objective alone.
    """
    for (name, _), one in zip(_further(plan), plan.further, strict=True):
        found = find_further(metrics(), plan.objective, one)
        values = [found.get(run_id) for run_id in trials["run_id"].to_pylist()]
        trials = trials.append_column(name, pa.array(values, pa.float64()))
    return trials


def objective_by_epoch(epochs: pa.Table, metric: str) -> pa.Table | None:
    """Return the objective through training: columns run, epoch and value; None when not logged.

    Args:
        epochs: the public table.
        metric: name of the objective.
    """
    if metric not in epochs.column_names or metric in TABLES["epochs"].names:
        return None
    own = epochs.filter(pc.equal(epochs["rank"], 0)).select(["run", "epoch", metric])
    return own.rename_columns(["run", "epoch", "value"])


class _AllTables(Mapping[str, pa.Table]):
    """Every public table by name, those of graph and sensitivity among them."""

    def __init__(self, sweep: Sweep, logged: Mapping[str, pa.Table]) -> None:
        self._sweep = sweep
        self._logged = logged

    def __getitem__(self, name: str) -> pa.Table:
        if name == "sensitivity":
            return self._sweep.sensitivity().effects
        if name in ("nodes", "edges"):
            graph = self._sweep.graph()
            return graph.nodes if name == "nodes" else graph.edges
        return self._logged[name]

    def __contains__(self, name: object) -> bool:
        # as inherited it would make the table to see whether there is one
        return name in TABLES

    def __iter__(self) -> Iterator[str]:
        return iter(TABLES)

    def __len__(self) -> int:
        return len(TABLES)


class _Askable(_AllTables):
    """What a query may name: the public tables, and those that are made for questions alone."""

    def __init__(self, sweep: Sweep) -> None:
        super().__init__(sweep, sweep.tables)

    def __getitem__(self, name: str) -> pa.Table:
        if name == "summary":
            return summary_rows(self._sweep.sensitivity().to_dict())
        if name == "project_runs":
            return project_runs(self._sweep.folder)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        return name in LAZY_TABLES or super().__contains__(name)

    def __iter__(self) -> Iterator[str]:
        return iter((*TABLES, *LAZY_TABLES))

    def __len__(self) -> int:
        return len(TABLES) + len(LAZY_TABLES)

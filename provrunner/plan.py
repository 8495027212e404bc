"""What a sweep promises before its first run: its points, objective and space."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from provrunner.errors import LogError, nearest
from provrunner.ids import canonical_json, digest

__all__ = [
    "GRANULARITIES",
    "Extension",
    "Hyperparameter",
    "Imported",
    "Objective",
    "Origin",
    "Plan",
    "Point",
    "matching_runs",
]

GRANULARITIES = ("run", "stage", "epoch", "checkpointed")
"""How finely a provenance graph may tell training."""

_FORMAT = 1
_NOT_OF_THE_SPEC = (
    *("sweep_id", "created", "command", "base_iri", "granularity"),
    *("extensions", "imported", "origin", "reason"),
)
_SHORTEST_ID = 4


def matching_runs(term: int | str, runs: Mapping[str, int]) -> list[str]:
    """Return the ids of the runs that a number, an id or its first four characters may mean.

    Args:
        term: what a person says.
        runs: numbers by id.

    Example:
        >>> runs = {"0003-9f2c41d8": 3, "0004-1b7de0aa": 4}
        >>> matching_runs(3, runs), matching_runs("0004", runs), matching_runs("000", runs)
        (['0003-9f2c41d8'], ['0004-1b7de0aa'], [])
    """
    text = str(term)
    whole = [run_id for run_id, number in runs.items() if text in (str(number), run_id)]
    if whole or len(text) < _SHORTEST_ID:
        return whole
    return [run_id for run_id in runs if run_id.startswith(text)]


@dataclass(frozen=True, slots=True)
class Objective:
    """The metric that a sweep is judged by.

    Attributes:
        metric: the name it is logged under.
        direction: `minimize` or `maximize`.
        at: `best` takes the best epoch's value of a run, `last` the last one.
    """

    metric: str
    direction: str = "minimize"
    at: str = "best"


@dataclass(frozen=True, slots=True)
class Hyperparameter:
    """One swept setting.

    Attributes:
        name: its configuration path, such as `optimizer.lr`.
        levels: the values it takes, in the order declared; empty for a range.
        scale: `log` or `linear` for numbers, `categorical` for the rest.
        default: what the composed configuration holds without the sweep; None when unknown.
        grammar: the axis as the user wrote it.
        low: lower end of the range that it is drawn from; None where it has levels.
        high: upper end of that range.
    """

    name: str
    levels: tuple[Any, ...]
    scale: str = "categorical"
    default: Any = None
    grammar: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """One planned run: a trial's values and a seed, None where a script seeds itself."""

    run: int
    run_id: str
    trial_id: str
    replicate: int
    seed: int | None
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Origin:
    """The run that a sweep of one repeats.

    Attributes:
        sweep_id: of the sweep it belongs to.
        run_id: its id there.
        run: its number there.
        seed: what it was seeded with.
        attempt: number of the attempt that is repeated.
        config_sha256: digest of its resolved configuration, as the graph names configurations by.
        folder: where its sweep lay when it was repeated.
    """

    sweep_id: str
    run_id: str
    run: int
    seed: int | None = None
    attempt: int = 0
    config_sha256: str | None = None
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """The store of another tool, or table of runs, that a sweep was made from afterwards.

    Attributes:
        tool: that recorded the runs, such as `mlflow`; `table` for a table of runs.
        version: of the tool, where the store tells it.
        path: where the store lay.
        sha256: digest of its file; of several, of their paths and digests.
        by_version: of the provrunner that read it.
        ranges: lower and upper end of the hyperparameters for which the store declares them.
        skipped: of each run that could not be read, which and why.
        passed_over: columns that were taken for no hyperparameters, each with the reason.
        objectives: metrics that the sweep is judged by after the first, with their directions.
    """

    tool: str
    version: str | None
    path: str
    sha256: str
    by_version: str | None = None
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    passed_over: tuple[tuple[str, str], ...] = ()
    objectives: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Extension:
    """Runs that were added to a sweep after it had begun.

    Attributes:
        created: UTC time in ISO 8601.
        command: the command line that added them, redacted.
        first: number of the first of them; they reach to the next extension, or to the end.
    """

    created: str
    command: tuple[str, ...]
    first: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A sweep as declared, written to `plan.json` before the first run.

    Attributes:
        sweep_id: unique; the folder's name, with a random part where a user named the folder.
        name: what the user calls it.
        created: UTC time in ISO 8601.
        design: `grid`, `list`, `ofat`, `random`, `sobol`, `lhs` or `single`.
        seeds: `common` when all trials share their seeds, a block in the analysis; else
            `independent`.
        command: the command line, redacted.
        config_sha256: digest of the composed configuration without the sweep's axes.
        base_iri: what the ids of the provenance graph begin with; None for provrunner's own.
        granularity: how finely the graph tells training, one of `GRANULARITIES`.
        reason: why the user runs it, redacted; None where nothing was said.
        origin: the run that this sweep of one repeats; None for a sweep of its own.
        imported: what it was made from; None for a sweep that ran here.
        extensions: what was added to it after it had begun, in order.
    """

    sweep_id: str
    name: str
    created: str
    objective: Objective
    design: str
    hyperparameters: tuple[Hyperparameter, ...]
    points: tuple[Point, ...]
    replicates: int = 1
    seeds: str = "common"
    command: tuple[str, ...] = ()
    config_sha256: str = ""
    base_iri: str | None = None
    granularity: str = "checkpointed"
    reason: str | None = None
    origin: Origin | None = None
    imported: Imported | None = None
    extensions: tuple[Extension, ...] = ()

    @property
    def spec_sha256(self) -> str:
        """Digest of all that decides the points: sweeps with the same one are the same."""
        spec = asdict(self)
        for key in _NOT_OF_THE_SPEC:
            del spec[key]
        return digest(canonical_json(spec))

    def find_point(self, term: int | str, others: Sequence[Point] = ()) -> Point:
        """Return the run of a number, an id, or four or more first characters of an id.

        Args:
            term: what a person says.
            others: runs outside the plan; of one number the planned run is meant.

        Raises:
            LogError: there is none, or several; the message names the nearest.
        """
        points = {point.run_id: point for point in (*self.points, *others)}
        found = matching_runs(term, {run_id: point.run for run_id, point in points.items()})
        planned = [run_id for run_id in found if points[run_id] not in others]
        if len(planned or found) == 1:
            return points[(planned or found)[0]]
        if found:
            raise LogError(f"{str(term)!r} may be one of {', '.join(found[:4])}; say more of it")
        size = f"its {len(points)} runs are numbered from 0" if points else "it has no runs"
        hint = nearest(str(term), points)
        raise LogError(f"sweep {self.name!r} has no run {str(term)!r}; {size}{hint}")

    def to_json(self) -> str:
        """Write the plan as indented JSON with sorted keys and a final newline."""
        document = {"format": _FORMAT, "spec_sha256": self.spec_sha256, **asdict(self)}
        return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read what `to_json` wrote.

        Raises:
            LogError: the text is no plan, or of a newer format.

        Example:
            >>> plan = Plan("s", "lr", "2026-01-01T00:00:00Z", Objective("loss"), "grid", (), ())
            >>> Plan.from_json(plan.to_json()) == plan
            True
        """
        try:
            document = json.loads(text)
            if document["format"] > _FORMAT:
                raise LogError(
                    f"plan.json has format {document['format']}; this provrunner reads up to "
                    f"{_FORMAT}; install a newer provrunner"
                )
            return cls(
                **{key: document[key] for key in ("sweep_id", "name", "created", "design")},
                objective=Objective(**document["objective"]),
                hyperparameters=tuple(
                    Hyperparameter(**{**axis, "levels": tuple(axis["levels"])})
                    for axis in document["hyperparameters"]
                ),
                points=tuple(Point(**point) for point in document["points"]),
                replicates=document["replicates"],
                seeds=document["seeds"],
                command=tuple(document["command"]),
                config_sha256=document["config_sha256"],
                base_iri=document.get("base_iri"),
                granularity=document.get("granularity", "checkpointed"),
                reason=document.get("reason"),
                origin=_origin(document.get("origin")),
                imported=_imported(document.get("imported")),
                extensions=tuple(map(_extension, document.get("extensions", ()))),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise LogError(f"plan.json is damaged: {error!r}") from error


def _origin(node: Mapping[str, Any] | None) -> Origin | None:
    return None if node is None else Origin(**node)


def _imported(node: Mapping[str, Any] | None) -> Imported | None:
    if node is None:
        return None
    ranges = {name: (low, high) for name, (low, high) in node["ranges"].items()}
    passed_over = tuple((name, reason) for name, reason in node.get("passed_over", ()))
    objectives = tuple((metric, direction) for metric, direction in node.get("objectives", ()))
    told = {
        "ranges": ranges,
        "skipped": tuple(node["skipped"]),
        "passed_over": passed_over,
        "objectives": objectives,
    }
    return Imported(**{**node, **told})


def _extension(node: Mapping[str, Any]) -> Extension:
    return Extension(node["created"], tuple(node["command"]), node["first"])

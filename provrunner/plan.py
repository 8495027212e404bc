"""What a sweep promises before its first run: its points, objective and space."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from provrunner.errors import LogError, nearest
from provrunner.ids import canonical_json, digest, trial_id

__all__ = [
    "GRANULARITIES",
    "Asked",
    "Extension",
    "Hyperparameter",
    "Imported",
    "Objective",
    "Origin",
    "Plan",
    "Point",
    "Sampler",
    "matching_runs",
]

GRANULARITIES = ("run", "stage", "epoch", "checkpointed")
"""How finely a provenance graph may tell training."""

_FORMAT = 1
_NOT_OF_THE_SPEC = (
    *("sweep_id", "created", "command", "base_iri", "granularity"),
    *("asked", "extensions", "imported", "origin", "reason", "stopped"),
)
_LATER = ("further", "pruning", "sampler", "zipped")
"""Left out of the spec where they say nothing: older plans had no such keys."""

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
        when: other hyperparameters with the levels at which alone this one has a value; None where
            it always has one.
    """

    name: str
    levels: tuple[Any, ...]
    scale: str = "categorical"
    default: Any = None
    grammar: str = ""
    low: float | None = None
    high: float | None = None
    when: Mapping[str, tuple[Any, ...]] | None = None


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
    """

    tool: str
    version: str | None
    path: str
    sha256: str
    by_version: str | None = None
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    passed_over: tuple[tuple[str, str], ...] = ()


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
class Sampler:
    """What an adaptive sweep asks for its points.

    Attributes:
        agent: the class that answers, such as `optuna.samplers.TPESampler`.
        version: of its package.
        seed: what it draws with.
        trials: points to ask for, those given first among them.
        batch: points asked for at once.
        seeds: of the replicates of each point; of independent ones, as many zeros.
        options: arguments of the class that were given.
    """

    agent: str
    version: str
    seed: int
    trials: int
    batch: int
    seeds: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """Why a trial is part of an adaptive sweep.

    Attributes:
        trial_id: of the trial.
        number: of the trial in the sampler's own study.
        reason: `given`, `startup`, `model` (chosen in view of what was told) or `random` (the
            sampler repeated itself).
        told: results that the sampler knew then.
    """

    trial_id: str
    number: int
    reason: str
    told: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A sweep as declared, written to `plan.json` before the first run.

    Attributes:
        sweep_id: unique; the folder's name, with a random part where a user named the folder.
        name: what the user calls it.
        created: UTC time in ISO 8601.
        design: `grid`, `list`, `ofat`, `random`, `sobol`, `lhs`, `tpe`, `gp`, `cmaes`, `nsga2` or
            `single`.
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
        further: objectives beside the first, each at the epoch that the first one takes, or `last`.
        zipped: names of hyperparameters that take their levels together.
        sampler: what an adaptive sweep asks for its points; None for any other.
        asked: why each trial is part of an adaptive sweep, in the order of asking.
        stopped: why no further run was started, None where nothing held it up.
        pruning: the rule that stops runs early, with its settings; None where there is none.
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
    further: tuple[Objective, ...] = ()
    zipped: tuple[tuple[str, ...], ...] = ()
    sampler: Sampler | None = None
    asked: tuple[Asked, ...] = ()
    stopped: str | None = None
    pruning: Mapping[str, Any] | None = None

    @property
    def spec_sha256(self) -> str:
        """Digest of all that decides the points: sweeps with the same one are the same."""
        spec = asdict(self)
        if self.is_program:
            spec["points"] = spec["points"][:1]
        for key in (*_NOT_OF_THE_SPEC, *(key for key in _LATER if not spec[key])):
            del spec[key]
        for axis in spec["hyperparameters"]:
            if axis["when"] is None:
                del axis["when"]
        return digest(canonical_json(spec))

    @property
    def is_program(self) -> bool:
        """Whether a program of anyone's made it: nobody declared how many runs there will be."""
        return self.design == "single" and not self.config_sha256

    def with_runs(self, others: Sequence[Point]) -> Plan:
        """Return a program's plan with the runs that it did not know, each a trial of its own.

        Any other plan stays as it was declared.

        Example:
            >>> first, second = (Point(i, f"000{i}-aa", "", 0, None, {}) for i in range(2))
            >>> plan = Plan("s", "mine", "", Objective("loss"), "single", (), (first,))
            >>> len(plan.with_runs([second]).points)
            2
        """
        if not self.is_program or not others:
            return self
        further = (replace(one, trial_id=trial_id({"run": one.run})) for one in others)
        return replace(self, points=(*self.points, *further))

    @property
    def runs_promised(self) -> int:
        """Runs there will be when all has been asked for: those of its points in other designs."""
        if self.sampler is None:
            return len(self.points)
        return max(len(self.points), self.sampler.trials * len(self.sampler.seeds))

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
                hyperparameters=tuple(map(_hyperparameter, document["hyperparameters"])),
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
                further=tuple(Objective(**one) for one in document.get("further", ())),
                zipped=tuple(map(tuple, document.get("zipped", ()))),
                sampler=_sampler(document.get("sampler")),
                asked=tuple(Asked(**one) for one in document.get("asked", ())),
                stopped=document.get("stopped"),
                pruning=document.get("pruning"),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise LogError(f"plan.json is damaged: {error!r}") from error


def _hyperparameter(node: Mapping[str, Any]) -> Hyperparameter:
    when = node.get("when")
    levels = {"levels": tuple(node["levels"])}
    kept = None if when is None else {name: tuple(values) for name, values in when.items()}
    return Hyperparameter(**{**node, **levels, "when": kept})


def _sampler(node: Mapping[str, Any] | None) -> Sampler | None:
    return None if node is None else Sampler(**{**node, "seeds": tuple(node["seeds"])})


def _origin(node: Mapping[str, Any] | None) -> Origin | None:
    return None if node is None else Origin(**node)


def _imported(node: Mapping[str, Any] | None) -> Imported | None:
    if node is None:
        return None
    ranges = {name: (low, high) for name, (low, high) in node["ranges"].items()}
    passed_over = tuple((name, reason) for name, reason in node.get("passed_over", ()))
    told = {
        "ranges": ranges,
        "skipped": tuple(node["skipped"]),
        "passed_over": passed_over,
    }
    return Imported(**{**node, **told})


def _extension(node: Mapping[str, Any]) -> Extension:
    return Extension(node["created"], tuple(node["command"]), node["first"])

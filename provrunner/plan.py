"""What a sweep promises before its first run: its points, objective and space."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from provrunner.errors import LogError, nearest
from provrunner.ids import canonical_json, digest

__all__ = ["GRANULARITIES", "Hyperparameter", "Objective", "Origin", "Plan", "Point"]

GRANULARITIES = ("run", "stage", "epoch", "checkpointed")
"""How finely a provenance graph may tell training."""

_FORMAT = 1
_NOT_OF_THE_SPEC = (
    *("sweep_id", "created", "command", "base_iri", "granularity"),
    *("origin", "reason"),
)
_SHORTEST_ID = 4


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
        levels: the values it takes, in the order declared.
        scale: `log` or `linear` for numbers, `categorical` for the rest.
        default: what the composed configuration holds without the sweep; None when unknown.
        grammar: the axis as the user wrote it.
    """

    name: str
    levels: tuple[Any, ...]
    scale: str = "categorical"
    default: Any = None
    grammar: str = ""


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
class Plan:
    """A sweep as declared, written to `plan.json` before the first run.

    Attributes:
        sweep_id: name of the sweep's folder, unique on the machine.
        name: what the user calls it.
        created: UTC time in ISO 8601.
        design: `grid`, `list` or `single`.
        seeds: `common` when all trials share their seeds, a block in the analysis; else
            `independent`.
        command: the command line, redacted.
        config_sha256: digest of the composed configuration without the sweep's axes.
        base_iri: what the ids of the provenance graph begin with; None for provrunner's own.
        granularity: how finely the graph tells training, one of `GRANULARITIES`.
        reason: why the user runs it, redacted; None where nothing was said.
        origin: the run that this sweep of one repeats; None for a sweep of its own.
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

    @property
    def spec_sha256(self) -> str:
        """Digest of all that decides the points: sweeps with the same one are the same."""
        spec = asdict(self)
        for key in _NOT_OF_THE_SPEC:
            del spec[key]
        return digest(canonical_json(spec))

    def find_point(self, term: int | str) -> Point:
        """Return the planned run of a number, an id, or four or more first characters of an id.

        Raises:
            LogError: there is none, or several; the message names the nearest.
        """
        text = str(term)
        for point in self.points:
            if text in (str(point.run), point.run_id):
                return point
        ids = [point.run_id for point in self.points]
        begun = [one for one in ids if one.startswith(text)] if len(text) >= _SHORTEST_ID else []
        if len(begun) == 1:
            return self.points[ids.index(begun[0])]
        if begun:
            raise LogError(f"{text!r} may be one of {', '.join(begun[:4])}; say more of it")
        size = f"its {len(ids)} runs are numbered from 0" if ids else "it has no runs"
        raise LogError(f"sweep {self.name!r} has no run {text!r}; {size}{nearest(text, ids)}")

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
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise LogError(f"plan.json is damaged: {error!r}") from error


def _origin(node: Mapping[str, Any] | None) -> Origin | None:
    return None if node is None else Origin(**node)

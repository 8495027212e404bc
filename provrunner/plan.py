"""What a sweep promises before its first run: its points, objective and space."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from provrunner.errors import LogError
from provrunner.ids import canonical_json, digest

__all__ = ["Hyperparameter", "Objective", "Plan", "Point"]

_FORMAT = 1


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

    @property
    def spec_sha256(self) -> str:
        """Digest of all that decides the points: sweeps with the same one are the same."""
        spec = asdict(self)
        for key in ("sweep_id", "created", "command"):
            del spec[key]
        return digest(canonical_json(spec))

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
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise LogError(f"plan.json is damaged: {error!r}") from error

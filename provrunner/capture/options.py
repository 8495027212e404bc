"""What is captured, and what the runner tells capture of the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, get_args

from provrunner.errors import ConfigError, nearest

__all__ = ["CaptureOptions", "Leaf", "Level", "RunContext"]

Level = Literal["light", "default", "full"]

# Without these a log cannot be read as a run: only `exclude` takes them away, `include` does not.
_ESSENTIAL = frozenset({"run_start", "run_end", "exception", "signal", "capture_failed", "gap"})

_LIGHT = _ESSENTIAL | {
    "adaptation",
    "agent",
    "checkpoint",
    "checkpoint_deleted",
    "checkpoint_loaded",
    "checkpoint_refused",
    "claim_taken_over",
    "code",
    "environment",
    "epoch_end",
    "epoch_start",
    "metric",
    "model",
    "overhead",
    "param",
    "stage_end",
    "stage_start",
    "value",
}

# Kinds whose subject is a name that the user gave: patterns match it too.
_NAMED = frozenset({"adaptation", "metric", "param", "value"})


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """How much is captured.

    Attributes:
        level: `light` leaves out layers, data, sources, patches, packages and resources, and looks
            for adaptations once an epoch; `full` adds the text of the user's modules and lifts the
            size limit of data digests.
        include: patterns (`fnmatch`) of event kinds and of metric and parameter names; when given,
            only what matches is kept, and what a log needs to be read as a run.
        exclude: patterns of what is kept in no case; `metric` stands for all metrics.
        strict: a probe that fails stops the run instead of becoming a `capture_failed` event.
        identity: whether user and host are named.

    Raises:
        ConfigError: no such level.

    Example:
        >>> options = CaptureOptions(exclude=("layer", "train/*"))
        >>> options.keeps("layer"), options.keeps("metric", "train/loss"), options.keeps("model")
        (False, False, True)
    """

    level: Level = "default"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    strict: bool = False
    identity: bool = True

    def __post_init__(self) -> None:
        levels = get_args(Level)
        if self.level not in levels:
            raise ConfigError(
                f"capture.level: {self.level!r} is none of {', '.join(levels)}"
                f"{nearest(str(self.level), levels)}"
            )

    def keeps(self, kind: str, name: str = "") -> bool:
        """Say whether events of a kind, and of a metric or parameter name, are kept.

        Args:
            kind: a kind of `schema.EVENT_KINDS`, or `metric`.
            name: the name logged or configured; it counts for metrics, values, parameters and
                adaptations.
        """
        if self.level == "light" and kind not in _LIGHT:
            return False
        names = (kind, name) if kind in _NAMED else (kind,)
        if _matches(names, self.exclude):
            return False
        return not self.include or kind in _ESSENTIAL or _matches(names, self.include)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value of the resolved configuration.

    Attributes:
        name: its configuration path, such as `optimizer.lr`.
        value: any JSON value.
        origin: file, group choice, command line, axis or default; None when unknown.
        source: the file or override it came from.
        reads: how often the program read it; None when unknown.
    """

    name: str
    value: Any
    origin: str | None = None
    source: str | None = None
    reads: int | None = None


@dataclass(frozen=True, slots=True)
class RunContext:
    """What only the runner knows of a run; the defaults serve a callback that works alone.

    Attributes:
        run_id: number and hash of the point.
        anew: it is to go on from nothing that earlier attempts left.
        command: the command line; empty stands for this process's own.
        config: the resolved configuration; empty: the objects' hyperparameters are captured.
        code_root: folder of the user's code; None stands for the working directory.
        folder: the run folder, against which checkpoint paths are written; None stands for the
            trainer's `default_root_dir`.
        code: what `read_code` found in a parent process, so that git is asked once a sweep.
        checkpoints: digests of what earlier attempts left, by path below the run folder.
        refused: why each damaged checkpoint of earlier attempts was passed over, by path.
        taken_over: host and pid of dead processes whose claim to the sweep was taken over; None
            for what is not known.
        secrets: values that must never be written, besides those of the environment.
        owns_end: the runner calls `close`; the callback does not, whatever happens to training.
    """

    run_id: str = ""
    seed: int | None = None
    attempt: int = 0
    anew: bool = False
    command: tuple[str, ...] = ()
    launcher: str | None = None
    reason: str | None = None
    config: tuple[Leaf, ...] = ()
    code_root: Path | None = None
    folder: Path | None = None
    code: Mapping[str, Any] | None = None
    checkpoints: Mapping[str, str | None] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    taken_over: tuple[Mapping[str, str | None], ...] = ()
    secrets: frozenset[str] = field(default_factory=frozenset)
    owns_end: bool = False


def _matches(names: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)

"""What a finished run left behind, as far as it is needed to run it again."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]

from provrunner.compose import walk_leaves
from provrunner.errors import LogError
from provrunner.ids import canonical_json, digest
from provrunner.log import read_log, read_plan, run_folder, run_status, unplanned_runs
from provrunner.plan import Origin, Plan, Point
from provrunner.schema import RunStatus

__all__ = ["RunRecord", "first_record", "masked_keys", "read_record", "stopping_rule"]

_MASK = "***"
_STOP = "trainer.should_stop"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run as its folder tells of it.

    Attributes:
        folder: the sweep's folder.
        plan: the sweep's plan.
        point: the run's place in it.
        config: its resolved configuration; secrets in it are masked. Empty for a run of a script.
        code: the data of its last `code` event; empty when none was captured.
        sources: path and SHA-256 of the user's modules that it loaded, by module name.
        host: the machine that ran it; None when unknown.
        threads: the threads torch had; None when unknown.
        attempt: number of its last attempt.
        config_sha256: digest of the configuration's leaves as logged; None when none were.
    """

    folder: Path
    plan: Plan
    point: Point
    config: Mapping[str, Any]
    code: Mapping[str, Any]
    sources: Mapping[str, tuple[str, str]]
    host: str | None
    threads: int | None
    attempt: int
    config_sha256: str | None

    @property
    def origin(self) -> Origin:
        """What a sweep that repeats the run says of it."""
        return Origin(
            sweep_id=self.plan.sweep_id,
            run_id=self.point.run_id,
            run=self.point.run,
            seed=self.point.seed,
            attempt=self.attempt,
            config_sha256=self.config_sha256,
            folder=str(self.folder),
        )


def read_record(folder: Path, run: int | str) -> RunRecord:
    """Read what a run left behind, also one that was killed.

    Args:
        folder: the sweep's folder.
        run: its number or id.

    Raises:
        LogError: there is no such run, it holds no configuration, or the configuration is not the
            one that its log tells of.
    """
    plan = read_plan(folder)
    point = plan.find_point(run, unplanned_runs(folder, plan))
    place = run_folder(folder, point.run_id)
    is_script = plan.design == "single" and not (place / "config.yaml").exists()
    config = {} if is_script else _read_config(place / "config.yaml", point)
    events = _read_events(place, point)
    params = events("param", lambda data: data.get("phase") == "init")
    if not is_script:
        _check_config(place / "config.yaml", config, params)
    sources = {
        name: (str(data.get("path")), str(data.get("sha256")))
        for name, data in events("source").items()
    }
    start = _only(events("run_start"))
    values = {name: canonical_json(data.get("value")) for name, data in params.items()}
    return RunRecord(
        folder=folder,
        plan=plan,
        point=point,
        config=config,
        code=_only(events("code")),
        sources=sources,
        host=start.get("host"),
        threads=_only(events("environment")).get("threads"),
        attempt=start.get("attempt") or 0,
        config_sha256=digest(canonical_json(values)) if values else None,
    )


def stopping_rule(record: RunRecord) -> tuple[str, int] | None:
    """Return the rule that stopped a pruned run, and after how many epochs.

    None where no rule stopped it, or its log does not tell the epoch.
    """
    place = run_folder(record.folder, record.point.run_id)
    if run_status(place)[0] is not RunStatus.PRUNED:
        return None
    rows = read_log(place, "events").table.select(["kind", "subject", "epoch", "data"]).to_pylist()
    stops = [row for row in rows if (row["kind"], row["subject"]) == ("adaptation", _STOP)]
    if not stops or stops[-1]["epoch"] is None:
        return None
    cause = str(json.loads(stops[-1]["data"])["cause"])
    if cause == "recorded":
        # a repetition itself: what had stopped the first one stands in its plan
        cause = str((record.plan.pruning or {}).get("cause", cause))
    return cause, stops[-1]["epoch"] + 1


def first_record(folder: Path) -> RunRecord | None:
    """Read the record of a sweep's first run that left a whole one; None where none did.

    Raises:
        LogError: the folder holds no sweep.
    """
    for point in read_plan(folder).points:
        with contextlib.suppress(LogError):
            return read_record(folder, point.run)
    return None


def masked_keys(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the paths of the values that were secret and so are not in the record.

    Example:
        >>> masked_keys({"db": {"user": "me", "password": "*** (0f3a9c11)"}})
        ('db.password',)
    """
    return tuple(name for name, value in walk_leaves(config) if _is_masked(value))


def _read_config(path: Path, point: Point) -> Mapping[str, Any]:
    try:
        config = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    except FileNotFoundError:
        raise LogError(
            f"run {point.run_id} left no {path}: it never began, or a script of its own ran it; "
            "only a run that provrunner configured can be run again"
        ) from None
    except (OSError, ValueError, YAMLError, OmegaConfBaseException) as error:
        raise LogError(f"cannot read {path}: {str(error).partition(chr(10))[0]}") from error
    if not isinstance(config, dict):
        raise LogError(f"{path} is damaged: expected a mapping")
    return {str(key): value for key, value in config.items()}


def _read_events(place: Path, point: Point) -> Callable[..., dict[str, Mapping[str, Any]]]:
    """Read a run's events; the answer gives the data of one kind by subject, the last one each."""
    rows = read_log(place, "events").table.select(["kind", "subject", "data"]).to_pylist()
    if not rows:
        raise LogError(f"run {point.run_id} has logged nothing that it could be repeated from")

    def events(
        kind: str, keep: Callable[[Mapping[str, Any]], bool] = lambda _: True
    ) -> dict[str, Mapping[str, Any]]:
        found = {
            row["subject"] or "": json.loads(row["data"] or "{}")
            for row in rows
            if row["kind"] == kind and keep(json.loads(row["data"] or "{}"))
        }
        return dict(sorted(found.items()))

    return events


def _check_config(
    path: Path, config: Mapping[str, Any], params: Mapping[str, Mapping[str, Any]]
) -> None:
    """Refuse a file that says other than the log, whose checksums guard it."""
    leaves = dict(walk_leaves(config))
    wrong = [
        name
        for name, data in params.items()
        if not _is_masked(data.get("value"))
        and canonical_json(leaves.get(name)) != canonical_json(data.get("value"))
    ]
    if wrong:
        raise LogError(
            f"{path} was changed after the run: its {', '.join(wrong[:4])} "
            "differs from what the run's log holds"
        )


def _is_masked(value: Any) -> bool:
    if isinstance(value, list):
        return any(_is_masked(item) for item in value)
    if isinstance(value, dict):
        return any(_is_masked(item) for item in value.values())
    return isinstance(value, str) and _MASK in value


def _only(found: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    return next(reversed(found.values()), {})  # type: ignore[call-overload]

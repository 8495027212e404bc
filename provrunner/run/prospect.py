"""What a command line would run, and about how long that would take, without running it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hydra._internal.utils import get_args_parser
from omegaconf import DictConfig, OmegaConf

from provrunner.compose import compose_config, config_folder
from provrunner.compose.sweep import runs_at_once
from provrunner.errors import LogError
from provrunner.log.folder import run_folder
from provrunner.log.plan_file import read_plan
from provrunner.log.sweep import read_tables
from provrunner.plan import Plan
from provrunner.run.planning import draft_plan
from provrunner.run.sweeper import check
from provrunner.schema import RunStatus

__all__ = ["Estimate", "Prospect", "look_ahead"]

_SWEEPS = 10
"""So many of the newest sweeps are looked into."""

_TARGETS = ("model._target_", "data._target_")
_EPOCHS = "trainer.max_epochs"


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long a sweep may take.

    Attributes:
        total_s: seconds for all runs.
        run_s: seconds for one.
        runs: how many finished runs that rests on, of the same model and data.
    """

    total_s: float
    run_s: float
    runs: int


@dataclass(frozen=True, slots=True)
class Prospect:
    """What would be run.

    Attributes:
        plan: as it would be written, without an id.
        n_jobs: runs at once.
        estimate: None where no earlier sweep tells.
    """

    plan: Plan
    n_jobs: int
    estimate: Estimate | None


def look_ahead(words: Sequence[str]) -> Prospect:
    """Plan the sweep that a command line declares, check it as it would be, and run nothing.

    The time is that of finished runs with the same `_target_` of model and data, in the newest
    sweeps below `output`: seconds an epoch, times `trainer.max_epochs`. Rules that stop runs early
    and `sweep.hours` are not taken into account.

    Raises:
        ConfigError: something cannot be run as declared.
    """
    args = get_args_parser().parse_args(list(words))
    with config_folder(Path(args.config_dir) if args.config_dir else None):
        config = compose_config(args.overrides, return_hydra_config=True)
        check(config, args.overrides)
        plan = draft_plan(config, args.overrides, datetime.now(UTC))
    n_jobs = runs_at_once(config)
    return Prospect(plan, n_jobs, _estimate(config, plan, n_jobs))


def _estimate(config: DictConfig, plan: Plan, n_jobs: int) -> Estimate | None:
    stated = config.trainer.get("max_epochs")
    each = [point.values.get(_EPOCHS, stated) for point in plan.points] or [stated]
    if not all(isinstance(epochs, int) and epochs >= 1 for epochs in each):
        return None
    times = [time for folder in _sweeps(Path(config.output)) for time in _times(folder, config)]
    if not times:
        return None
    run_s = statistics.fmean(each) * statistics.median(times)
    return Estimate(math.ceil(plan.runs_promised / n_jobs) * run_s, run_s, len(times))


def _sweeps(output: Path) -> list[Path]:
    plans = [*output.glob("*/plan.json"), *output.glob("*/*/plan.json")]
    newest = sorted(plans, key=lambda plan: plan.stat().st_mtime_ns, reverse=True)
    return [plan.parent for plan in newest[:_SWEEPS]]


def _times(folder: Path, config: DictConfig) -> Iterator[float]:
    """Yield the seconds an epoch of each finished run of a sweep of the same model and data."""
    try:
        plan = read_plan(folder)
        is_mixed = _is_mixed(plan)
        asked = plan.points if is_mixed else plan.points[:1]
        alike = {p.run_id for p in asked if _is_alike(run_folder(folder, p.run_id), config)}
        if not alike:
            return
        names = ["run_id", "status", "duration_s", "epochs"]
        runs = read_tables(folder)["runs"].select(names).to_pylist()
    except LogError:
        return
    for run in runs:
        is_finished = run["status"] == RunStatus.FINISHED and run["duration_s"] and run["epochs"]
        if is_finished and (run["run_id"] in alike or not is_mixed):
            yield run["duration_s"] / run["epochs"]


def _is_mixed(plan: Plan) -> bool:
    """Say whether runs of a sweep may differ in model or data; else one tells of all."""
    names = {axis.name for axis in plan.hyperparameters}
    return not names.isdisjoint({"model", "data", *_TARGETS})


def _is_alike(run: Path, config: DictConfig) -> bool:
    """Say whether a run has the targets of a configuration; one that cannot be read has not."""
    try:
        before = OmegaConf.load(run / "config.yaml")
        return all(
            OmegaConf.select(before, key) == OmegaConf.select(config, key) for key in _TARGETS
        )
    except Exception:  # noqa: BLE001  a file of any age, from any machine
        return False

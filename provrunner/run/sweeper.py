"""A whole sweep: planned, written down, launched, and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from hydra.core.plugins import Plugins
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict, read_write

from provrunner.compose import build_plan, check_sweep, job_overrides
from provrunner.log import (
    claim_sweep_folder,
    create_sweep_folder,
    run_folder,
    run_status,
    write_plan,
)
from provrunner.log.liveness import write_owner
from provrunner.plan import Plan
from provrunner.run.hidden import hide_words, left_out, shown_reason
from provrunner.run.signals import Stopped, raise_on_stop
from provrunner.run.words import redact_override
from provrunner.schema import RunStatus

__all__ = ["Outcome", "check", "launch_plan", "make_folder", "run_plan"]

_AS_PLANNED = {RunStatus.FINISHED, RunStatus.PRUNED}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a sweep ended.

    Attributes:
        folder: the sweep folder.
        statuses: runs by status; `planned` are those that never started.
        stopped: the exit code of the signal that ended it, None where it ended by itself.
    """

    folder: Path
    statuses: Mapping[RunStatus, int]
    stopped: int | None = None

    @property
    def exit_code(self) -> int:
        """0 when every run ended as planned, 128 + signal when stopped, else 1."""
        if self.stopped is not None:
            return self.stopped
        return 0 if _AS_PLANNED.issuperset(self.statuses) else 1


def check(config: DictConfig, arguments: Sequence[str]) -> None:
    """Check a whole sweep before anything of it is written.

    Args:
        config: the configuration composed without the axes, with Hydra's node.
        arguments: the overrides of the command line.

    Raises:
        ConfigError: something cannot be run as declared.
    """
    check_sweep(config, arguments, _draft(config, arguments, datetime.now(UTC)))


def run_plan(
    hydra_context: HydraContext,
    task_function: TaskFunction,
    config: DictConfig,
    arguments: Sequence[str],
) -> Outcome:
    """Write a sweep's plan and run it with the configured launcher.

    Args:
        hydra_context: what composes each run's configuration.
        task_function: what a launcher calls with each.
        config: the configuration composed without the axes; `check` has passed it.
        arguments: the overrides of the command line.

    Raises:
        LogError: the sweep folder cannot be made; nothing was written.
    """
    now = datetime.now(UTC)
    draft = _draft(config, arguments, now)
    folder = make_folder(config, draft.name, now)
    plan = replace(draft, sweep_id=folder.name)
    jobs = job_overrides(plan, arguments, folder)
    return launch_plan(hydra_context, task_function, config, plan, jobs=jobs, folder=folder)


def launch_plan(
    hydra_context: HydraContext,
    task_function: TaskFunction,
    config: DictConfig,
    plan: Plan,
    *,
    jobs: Sequence[Sequence[str]],
    folder: Path,
) -> Outcome:
    """Write a plan into its folder and run it with the configured launcher.

    Args:
        hydra_context: what composes each run's configuration.
        task_function: what a launcher calls with each.
        config: the sweep's configuration.
        plan: whose runs are launched.
        jobs: the overrides of each run, in the plan's order.
        folder: the sweep's folder, made for it.
    """
    write_plan(folder, plan)
    write_owner(folder)
    with read_write(config), open_dict(config):
        config.run.folder = str(folder)
        config.hydra.sweep.dir = str(folder)
    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=hydra_context, task_function=task_function, config=config
    )
    stopped = None
    with raise_on_stop():
        try:
            launcher.launch(jobs, 0)
        except Stopped as stop:
            stopped = stop.exit_code
    return Outcome(folder, _statuses(folder, plan), stopped)


def _draft(config: DictConfig, arguments: Sequence[str], now: datetime) -> Plan:
    """Plan a sweep that has no folder yet, and so no id."""
    created = now.isoformat(timespec="seconds").replace("+00:00", "Z")
    command = _command(arguments, left_out(config))
    plan = build_plan(config, arguments, sweep_id="", created=created, command=command)
    return replace(plan, reason=shown_reason(config))


def make_folder(config: DictConfig, name: str, now: datetime) -> Path:
    """Make the folder of a new sweep: the one that the configuration names, or one below `output`.

    Raises:
        LogError: it cannot be made, or is taken.
    """
    if config.folder is None:
        return create_sweep_folder(Path(config.output), name, now=now)
    return claim_sweep_folder(Path(config.folder))


def _statuses(folder: Path, plan: Plan) -> Mapping[RunStatus, int]:
    return Counter(run_status(run_folder(folder, point.run_id))[0] for point in plan.points)


def _command(arguments: Sequence[str], patterns: Sequence[str]) -> tuple[str, ...]:
    words = hide_words(map(redact_override, arguments), patterns)
    return ("python", "-m", "provrunner", *words)

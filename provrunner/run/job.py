"""One Hydra job: from what Hydra composed to a run of the plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from omegaconf import DictConfig

from provrunner.compose import (
    JoinedRun,
    RunSpec,
    config_leaves,
    config_references,
    own_config,
    task_overrides,
)
from provrunner.log.planned import read_planned_run

__all__ = ["join_run", "read_spec", "run_task"]


def run_task(config: DictConfig) -> str:
    """Execute the planned run that a composed configuration names, and return its status.

    This is the task function that every Hydra launcher calls, here or on another machine.
    """
    from provrunner.run.runner import execute

    return execute(read_spec(config)).value


def read_spec(config: DictConfig) -> RunSpec:
    """Return the planned run that a composed configuration names, in a job of Hydra."""
    from hydra.core.hydra_config import HydraConfig

    folder = Path(config.run.folder)
    planned = read_planned_run(folder, config.run.number)
    plan = planned.plan
    hydra_config = cast("DictConfig", HydraConfig.get())
    own = own_config(config)
    # A repetition varies nothing: its seed is the record's, or given anew.
    axes = {axis.name for axis in plan.hyperparameters} | (
        {"seed"} if plan.origin is None else set()
    )
    return RunSpec(
        folder=folder,
        plan=plan,
        point=planned.point,
        runs=planned.runs,
        config=own,
        leaves=config_leaves(own, hydra_config, axes),
        overrides=_as_given(task_overrides(hydra_config)),
        references=config_references(config),
        launcher=str(hydra_config.launcher._target_).rpartition(".")[2],
        command=tuple(config.run.get("command", ())),
        anew=bool(config.run.get("anew", False)),
        taken_over=tuple(map(dict, config.run.get("taken_over", ()))),
    )


def _as_given(words: Sequence[str]) -> tuple[str, ...]:
    """Leave out what the sweeper added to tell a run its place."""
    return tuple(word for word in words if not word.lstrip("+").startswith("run."))


def join_run(joined: JoinedRun) -> None:
    """Take part in a run that another process started, as one of its further ranks."""
    from provrunner.run.runner import join

    planned = read_planned_run(Path(joined.folder), joined.number)
    join(RunSpec.from_joined(joined, planned.plan, planned.point, planned.runs))

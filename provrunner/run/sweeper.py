"""A whole sweep: planned, written down, and launched."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from provrunner.compose import check_sweep
from provrunner.log import (
    claim_sweep_folder,
    create_sweep_folder,
    holds_sweep,
    new_sweep_id,
    write_plan,
)
from provrunner.log.liveness import own_sweep
from provrunner.run.launching import Outcome
from provrunner.run.planning import draft_plan
from provrunner.run.resume import resume_plan
from provrunner.run.rounds import carry_out

__all__ = ["check", "make_folder", "run_plan"]


def check(config: DictConfig, arguments: Sequence[str]) -> None:
    """Check a whole sweep before anything of it is written.

    Args:
        config: the configuration composed without the axes, with Hydra's node.
        arguments: the overrides of the command line.

    Raises:
        ConfigError: something cannot be run as declared.
    """
    check_sweep(config, arguments, draft_plan(config, arguments, datetime.now(UTC)))


def run_plan(
    hydra_context: HydraContext,
    task_function: TaskFunction,
    config: DictConfig,
    arguments: Sequence[str],
) -> Outcome:
    """Write a sweep's plan and run it with the configured launcher.

    Where `folder` names a folder that holds this very sweep already, what is left of it is run.

    Args:
        hydra_context: what composes each run's configuration.
        task_function: what a launcher calls with each.
        config: the configuration composed without the axes; `check` has passed it.
        arguments: the overrides of the command line.

    Raises:
        ConfigError: the folder holds another sweep.
        LogError: the sweep folder cannot be made; nothing was written.
    """
    now = datetime.now(UTC)
    draft = draft_plan(config, arguments, now)
    if config.folder is not None and holds_sweep(Path(config.folder)):
        return resume_plan(
            hydra_context,
            task_function,
            config,
            draft,
            arguments,
            folder=Path(config.folder),
            warn=_warn,
        )
    folder = make_folder(config, draft.name, now)
    plan = replace(draft, sweep_id=new_sweep_id(folder, named=config.folder is not None))
    with own_sweep(folder):
        write_plan(folder, plan)
        return carry_out(
            hydra_context,
            task_function,
            config,
            plan,
            arguments=arguments,
            due=range(len(plan.points)),
            folder=folder,
        )


def make_folder(config: DictConfig, name: str, now: datetime) -> Path:
    """Make the folder of a new sweep: the one that the configuration names, or one below `output`.

    Raises:
        LogError: it cannot be made, or is taken.
    """
    if config.folder is None:
        return create_sweep_folder(Path(config.output), name, now=now)
    return claim_sweep_folder(Path(config.folder))


def _warn(sentence: str) -> None:
    """Tell the user, who waits behind Hydra; what a log names must not act on the terminal."""
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in sentence)
    print(f"warning: {shown}", file=sys.stderr)  # noqa: T201  Hydra calls this

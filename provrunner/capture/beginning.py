"""Says how a run began: who ran what, where, with which configuration."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from provrunner.capture.environment import (
    host_name,
    installed_packages,
    read_environment,
    software_agents,
    user_name,
)
from provrunner.capture.options import CaptureOptions, RunContext
from provrunner.capture.recorder import Described
from provrunner.capture.settings import (
    hyperparameters,
    leaf_data,
    object_data,
    trainer_settings,
)
from provrunner.redaction import redact_command

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer

__all__ = ["begin_process", "begin_run"]


def begin_run(
    trainer: Trainer,
    model: LightningModule,
    *,
    context: RunContext,
    options: CaptureOptions,
    environ: Mapping[str, str],
) -> Iterator[Described]:
    """Yield the events that a trainer's first process writes before anything happens.

    Args:
        trainer: whose settings are captured.
        model: whose hyperparameters are captured when the context holds no configuration.
        context: what the runner knows.
        options: what is left out.
        environ: the environment variables.
    """
    yield from begin_process(
        world_size=trainer.world_size,
        cuda=trainer.strategy.root_device.type == "cuda",
        context=context,
        options=options,
        environ=environ,
    )
    yield from _params(trainer, model, context)


def begin_process(
    *,
    world_size: int,
    cuda: bool,
    context: RunContext,
    options: CaptureOptions,
    environ: Mapping[str, str],
) -> Iterator[Described]:
    """Yield the events that any run's first process writes: who runs what, and where.

    Args:
        world_size: processes that take part.
        cuda: whether the GPUs are named.
        context: what the runner knows.
        options: what is left out.
        environ: the environment variables.
    """
    user = user_name() if options.identity else None
    yield "run_start", context.run_id, _start_data(world_size, context, options, user)
    for holder in context.taken_over:
        host = holder["host"] if options.identity else None
        yield "claim_taken_over", "", {"host": host, "pid": holder["pid"]}
    for path, reason in context.refused.items():
        yield (
            "checkpoint_refused",
            path,
            {"sha256": context.checkpoints.get(path), "reason": reason},
        )
    if user is not None:
        yield "agent", user, {"type": "person", "version": None, "on_behalf_of": None}
    packages = installed_packages(sys.path)
    for name, data in software_agents(user, packages):
        yield "agent", name, data
    light = options.level == "light"
    environment = read_environment(
        {} if light else environ,
        {} if light else packages,
        cuda=cuda,
        launcher=context.launcher,
    )
    yield "environment", "", environment


def _start_data(
    world_size: int, context: RunContext, options: CaptureOptions, user: str | None
) -> dict[str, Any]:
    command = context.command or (sys.executable, *sys.argv)
    return {
        "run_id": context.run_id,
        "command": redact_command(command, context.secrets),
        "user": user,
        "host": host_name() if options.identity else None,
        "pid": os.getpid(),
        "seed": context.seed,
        "attempt": context.attempt,
        "anew": context.anew,
        "world_size": world_size,
        "reason": context.reason,
    }


def _params(trainer: Trainer, model: LightningModule, context: RunContext) -> Iterator[Described]:
    leaves = context.config or (
        *hyperparameters("model", model),
        *hyperparameters("data", trainer.datamodule),  # type: ignore[attr-defined]
    )
    for leaf in leaves:
        yield "param", leaf.name, leaf_data(leaf)
    for name, value in trainer_settings(trainer):
        yield "param", name, object_data(name, value)

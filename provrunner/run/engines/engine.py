"""What every engine does: it starts jobs, tells which have ended, and stops them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from provrunner.plan import Plan, Point

__all__ = ["Ended", "Engine", "Job", "Share"]


@dataclass(frozen=True, slots=True)
class Share:
    """What all jobs of a sweep have in common.

    Attributes:
        context: of Hydra; it composes each job's configuration.
        task: what a job calls with it.
        config: the sweep's configuration, with `run.folder` set.
        folder: the sweep's folder.
        plan: the sweep's plan.
    """

    context: HydraContext
    task: TaskFunction
    config: DictConfig
    folder: Path
    plan: Plan


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt of a run.

    Attributes:
        index: Hydra's number of the job.
        point: the run's place in the plan.
        overrides: the job's command-line words.
        folder: the run's folder.
    """

    index: int
    point: Point
    overrides: tuple[str, ...]
    folder: Path


@dataclass(frozen=True, slots=True)
class Ended:
    """A job that has ended; what became of the run, its log tells.

    Attributes:
        job: which.
        died: how its process or machine went away, where it did.
        reason: why it could not run, or said no more, where its process lived.
    """

    job: Job
    died: str | None = None
    reason: str | None = None


class Engine(Protocol):
    """Runs jobs somewhere, several at once.

    Attributes:
        n_jobs: jobs under way at once, at most; None sets no limit.
    """

    n_jobs: int | None

    def start(self, jobs: Sequence[Job]) -> None:
        """Begin jobs that there is room for."""

    def wait(self, timeout_s: float) -> list[Ended]:
        """Return the jobs that ended since the last call, after at most the time given."""

    def stop(self, grace_s: float) -> list[Ended]:
        """Ask all jobs to seal their logs, end those that have not after a while, return all."""

    def close(self) -> None:
        """Give back what the engine holds; no job is under way."""

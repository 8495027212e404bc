"""By which Hydra finds provrunner's sweeper, launchers and configuration."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

if TYPE_CHECKING:
    from provrunner.run.engines import Engine, Share

__all__ = [
    "JoblibLauncher",
    "ProvrunnerLauncher",
    "ProvrunnerSearchPath",
    "ProvrunnerSweeper",
    "RayLauncher",
    "SubmititLauncher",
]


class ProvrunnerSearchPath(SearchPathPlugin):
    """Let a user's own `./conf` be found before the package's."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Add the folders of configuration to a Hydra application's search path."""
        from provrunner.compose.load import extend_search_path

        extend_search_path(search_path)


class _Plugin:
    """What Hydra hands to a plugin before use."""

    hydra_context: HydraContext
    task_function: TaskFunction
    config: DictConfig

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what Hydra composed."""
        self.hydra_context = hydra_context
        self.task_function = task_function
        self.config = config


class ProvrunnerSweeper(_Plugin, Sweeper):
    """Plan every design of provrunner before its first run, then launch the runs."""

    def sweep(self, arguments: list[str]) -> Any:
        """Run the sweep and return its `Outcome`."""
        from provrunner.run.sweeper import run_plan

        return run_plan(self.hydra_context, self.task_function, self.config, arguments)


class _EngineLauncher(_Plugin, Launcher):
    """Hand the jobs to an engine of provrunner."""

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run the jobs and return what each ended with, in their order."""
        from provrunner.run.launcher import launch, share_of

        share = share_of(self.hydra_context, self.task_function, self.config)
        return launch(self.make_engine(share), share, job_overrides, initial_job_idx)

    @abstractmethod
    def make_engine(self, share: Share) -> Engine:
        """Make what carries the jobs out."""


class ProvrunnerLauncher(_EngineLauncher):
    """Run each job in a process of its own on this machine, several at once."""

    def __init__(self, n_jobs: int | None = None) -> None:
        self.n_jobs = n_jobs

    def make_engine(self, share: Share) -> Engine:
        """Make the local engine."""
        from provrunner.run.engines.processes import Processes

        return Processes(share, n_jobs=self.n_jobs)


class JoblibLauncher(_EngineLauncher):
    """Run jobs in joblib's workers on this machine, which stay for the next job."""

    def __init__(self, n_jobs: int | None = None) -> None:
        self.n_jobs = n_jobs

    def make_engine(self, share: Share) -> Engine:
        """Make joblib's engine."""
        from provrunner.run.engines.joblib_workers import JoblibWorkers

        return JoblibWorkers(share, n_jobs=self.n_jobs)


class RayLauncher(_EngineLauncher):
    """Run jobs as tasks of a Ray cluster."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    def make_engine(self, share: Share) -> Engine:
        """Make Ray's engine."""
        from provrunner.run.engines.ray_tasks import RayTasks

        return RayTasks(share, **self.options)


class SubmititLauncher(_EngineLauncher):
    """Run each job as one of submitit's: on Slurm, or on this machine."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    def make_engine(self, share: Share) -> Engine:
        """Make submitit's engine."""
        from provrunner.run.engines.submitit_jobs import SubmititJobs

        return SubmititJobs(share, **self.options)


for _group, _target, _options in (
    ("sweeper", "ProvrunnerSweeper", {}),
    ("launcher", "ProvrunnerLauncher", {"n_jobs": None}),
):
    ConfigStore.instance().store(
        group=f"hydra/{_group}",
        name="provrunner",
        node={"_target_": f"hydra_plugins.provrunner_plugins.{_target}", **_options},
        provider="provrunner",
    )

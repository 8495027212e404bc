"""By which Hydra finds provrunner's sweeper, launcher and configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

__all__ = ["ProvrunnerLauncher", "ProvrunnerSearchPath", "ProvrunnerSweeper"]


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


class ProvrunnerLauncher(_Plugin, Launcher):
    """Run each job in a process of its own, several at once."""

    def __init__(self, n_jobs: int | None = None) -> None:
        self.n_jobs = n_jobs

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run the jobs and return what each ended with, in their order."""
        from provrunner.run.launcher import LocalLauncher

        launcher = LocalLauncher(
            self.hydra_context, self.task_function, self.config, n_jobs=self.n_jobs
        )
        return launcher.launch(job_overrides, initial_job_idx)


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

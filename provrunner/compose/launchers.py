"""The launchers that `hydra/launcher=` chooses from, and their settings."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from omegaconf import DictConfig

from provrunner.compose.hydra_versions import store_launcher
from provrunner.errors import ConfigError

__all__ = ["LAUNCHERS", "check_launcher", "import_extra", "register_launchers"]

_PLUGINS = "hydra_plugins.provrunner_plugins"

LAUNCHERS: Mapping[str, Mapping[str, Any]] = {
    "joblib": {"_target_": f"{_PLUGINS}.JoblibLauncher", "n_jobs": None},
    "ray": {
        "_target_": f"{_PLUGINS}.RayLauncher",
        "n_jobs": None,
        "num_cpus": 1,
        "num_gpus": 0,
        "resources": {},
        "shared_folder": None,
        "store": None,
        "init": {"address": None},
    },
    "submitit_local": {
        "_target_": f"{_PLUGINS}.SubmititLauncher",
        "cluster": "local",
        "n_jobs": None,
        "parameters": {"timeout_min": 1440, "cpus_per_task": 1},
    },
    "submitit_slurm": {
        "_target_": f"{_PLUGINS}.SubmititLauncher",
        "cluster": "slurm",
        "n_jobs": 100,
        "parameters": {"timeout_min": 240, "cpus_per_task": 1},
    },
}
"""Settings by name, beside those of the default launcher; docs/engines.md tells what they mean."""

_NEEDS = {
    "JoblibLauncher": ("joblib", "joblib"),
    "RayLauncher": ("ray", "ray"),
    "SubmititLauncher": ("submitit", "slurm"),
}
"""Package and extra that a launcher needs, by its class."""


def register_launchers() -> None:
    """Let Hydra know the launchers.

    Plugins of other people have some of the names. Theirs stay what they are in programs other than
    provrunner: this is called when provrunner's own configuration is searched.
    """
    for name, settings in LAUNCHERS.items():
        store_launcher(name, {**settings, "_convert_": "all"})


def check_launcher(hydra_cfg: DictConfig) -> None:
    """Check that the chosen launcher can be used, and its number of runs at once.

    Args:
        hydra_cfg: Hydra's own node.

    Raises:
        ConfigError: its package is not installed, or the number is none.
    """
    package, _, name = str(hydra_cfg.launcher.get("_target_")).rpartition(".")
    if package != _PLUGINS:
        return
    n_jobs = hydra_cfg.launcher.get("n_jobs")
    is_count = isinstance(n_jobs, int) and not isinstance(n_jobs, bool) and n_jobs > 0
    if n_jobs is not None and not is_count:
        raise ConfigError(
            f"hydra.launcher.n_jobs: expected a whole number, 1 or more, or null, got {n_jobs!r}"
        )
    if name in _NEEDS:
        import_extra(*_NEEDS[name])


def import_extra(module: str, extra: str) -> ModuleType:
    """Import a module of an optional package.

    Args:
        module: its dotted name.
        extra: of provrunner, that installs it.

    Raises:
        ConfigError: it cannot be imported; the message names the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"hydra/launcher: {module.partition('.')[0]} cannot be imported ({error}); "
            f"install it with: pip install 'provrunner[{extra}]'"
        ) from error

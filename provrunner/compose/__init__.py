"""From conf/, the user's own files and the command line to a checked plan of runs."""

from typing import TYPE_CHECKING

from provrunner.compose.environment import (
    JoinedRun,
    available_cores,
    gpu_names,
    is_further_rank,
    is_under_torchrun,
    joined_run,
    next_run,
    process_rank,
    recorded_objective,
    recorded_sweep,
    recording_folder,
    set_joined_run,
    set_next_run,
    set_recorded_sweep,
    shared_folder,
)
from provrunner.packages import load_on_use

if TYPE_CHECKING:
    from provrunner.compose.check import check_sweep
    from provrunner.compose.load import (
        CONFIG_NAME,
        compose_config,
        config_folder,
        extend_search_path,
        group_options,
        package_conf,
        parse_overrides,
        user_conf,
    )
    from provrunner.compose.origins import (
        ConfigLeaf,
        config_leaves,
        config_references,
        task_overrides,
        walk_leaves,
    )
    from provrunner.compose.spec import RunSpec, own_config
    from provrunner.compose.sweep import build_plan, job_overrides

__all__ = [
    "CONFIG_NAME",
    "ConfigLeaf",
    "JoinedRun",
    "RunSpec",
    "available_cores",
    "build_plan",
    "check_sweep",
    "compose_config",
    "config_folder",
    "config_leaves",
    "config_references",
    "extend_search_path",
    "gpu_names",
    "group_options",
    "is_further_rank",
    "is_under_torchrun",
    "job_overrides",
    "joined_run",
    "next_run",
    "own_config",
    "package_conf",
    "parse_overrides",
    "process_rank",
    "recorded_objective",
    "recorded_sweep",
    "recording_folder",
    "set_joined_run",
    "set_next_run",
    "set_recorded_sweep",
    "shared_folder",
    "task_overrides",
    "user_conf",
    "walk_leaves",
]

if not TYPE_CHECKING:
    # All but the environment is read with Hydra, which a script that is only recorded never needs.
    __getattr__ = load_on_use(
        __name__,
        {
            "CONFIG_NAME": "provrunner.compose.load",
            "ConfigLeaf": "provrunner.compose.origins",
            "RunSpec": "provrunner.compose.spec",
            "build_plan": "provrunner.compose.sweep",
            "check_sweep": "provrunner.compose.check",
            "compose_config": "provrunner.compose.load",
            "config_folder": "provrunner.compose.load",
            "config_leaves": "provrunner.compose.origins",
            "config_references": "provrunner.compose.origins",
            "extend_search_path": "provrunner.compose.load",
            "group_options": "provrunner.compose.load",
            "job_overrides": "provrunner.compose.sweep",
            "own_config": "provrunner.compose.spec",
            "package_conf": "provrunner.compose.load",
            "parse_overrides": "provrunner.compose.load",
            "task_overrides": "provrunner.compose.origins",
            "user_conf": "provrunner.compose.load",
            "walk_leaves": "provrunner.compose.origins",
        },
    )

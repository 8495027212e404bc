"""From conf/, the user's own files and the command line to a checked plan of runs."""

from provrunner.compose.check import check_sweep
from provrunner.compose.environment import (
    JoinedRun,
    available_cores,
    joined_run,
    set_joined_run,
    shared_folder,
)
from provrunner.compose.load import (
    CONFIG_NAME,
    compose_config,
    config_folder,
    extend_search_path,
    group_options,
    package_conf,
    parse_overrides,
    search_folders,
    user_conf,
)
from provrunner.compose.origins import (
    ConfigLeaf,
    config_leaves,
    config_references,
    task_overrides,
)
from provrunner.compose.resolvers import register_resolvers
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
    "group_options",
    "job_overrides",
    "joined_run",
    "own_config",
    "package_conf",
    "parse_overrides",
    "register_resolvers",
    "search_folders",
    "set_joined_run",
    "shared_folder",
    "task_overrides",
    "user_conf",
]

"""From conf/, the user's own files and the command line to a checked plan of runs."""

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
from provrunner.compose.resolvers import register_resolvers
from provrunner.compose.sweep import build_plan, job_overrides

__all__ = [
    "CONFIG_NAME",
    "build_plan",
    "compose_config",
    "config_folder",
    "extend_search_path",
    "group_options",
    "job_overrides",
    "package_conf",
    "parse_overrides",
    "register_resolvers",
    "search_folders",
    "user_conf",
]

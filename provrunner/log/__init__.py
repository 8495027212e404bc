"""What happened in a run, kept as Arrow files that survive the death of their writer."""

from provrunner.log.folder import (
    claim_sweep_folder,
    create_sweep_folder,
    find_sweep,
    read_plan,
    run_folder,
    run_folders,
    write_plan,
)

__all__ = [
    "claim_sweep_folder",
    "create_sweep_folder",
    "find_sweep",
    "read_plan",
    "run_folder",
    "run_folders",
    "write_plan",
]

"""What happened in a run, kept as Arrow files that survive the death of their writer.

Called as a function, `provrunner.log("my_metric", value)` logs a value to every run that is open.
"""

from provrunner.log.folder import (
    claim_sweep_folder,
    create_sweep_folder,
    find_sweep,
    read_plan,
    run_folder,
    run_folders,
    unplanned_runs,
    write_plan,
)
from provrunner.log.reader import Log, LogFollower, read_log, run_status
from provrunner.log.seal import seal_run
from provrunner.log.verify import Finding, Verification, verify_sweep
from provrunner.log.writer import ArrowSink
from provrunner.packages import make_callable

__all__ = [
    "ArrowSink",
    "Finding",
    "Log",
    "LogFollower",
    "Verification",
    "claim_sweep_folder",
    "create_sweep_folder",
    "find_sweep",
    "read_log",
    "read_plan",
    "run_folder",
    "run_folders",
    "run_status",
    "seal_run",
    "unplanned_runs",
    "verify_sweep",
    "write_plan",
]

make_callable(__name__, "provrunner.own_values", "log")

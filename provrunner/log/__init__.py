"""What happened in a run, kept as Arrow files that survive the death of their writer.

Called as a function, `provrunner.log("my_metric", value)` logs a value to every run that is open.
"""

from typing import TYPE_CHECKING

from provrunner.packages import load_on_use, make_callable

if TYPE_CHECKING:
    from provrunner.log.folder import run_folder, run_folders, unplanned_runs
    from provrunner.log.past import PastEvent, PastMetric, write_past_run
    from provrunner.log.plan_file import read_plan, replace_plan, write_plan
    from provrunner.log.reader import Log, LogFollower, read_log, run_status
    from provrunner.log.seal import seal_run
    from provrunner.log.sweep_folders import (
        claim_sweep_folder,
        create_sweep_folder,
        find_sweep,
        holds_sweep,
        new_sweep_id,
    )
    from provrunner.log.verify import Finding, Verification, verify_sweep
    from provrunner.log.writer import ArrowSink

__all__ = [
    "ArrowSink",
    "Finding",
    "Log",
    "LogFollower",
    "PastEvent",
    "PastMetric",
    "Verification",
    "claim_sweep_folder",
    "create_sweep_folder",
    "find_sweep",
    "holds_sweep",
    "new_sweep_id",
    "read_log",
    "read_plan",
    "replace_plan",
    "run_folder",
    "run_folders",
    "run_status",
    "seal_run",
    "unplanned_runs",
    "verify_sweep",
    "write_past_run",
    "write_plan",
]

if not TYPE_CHECKING:
    # Who reads a log needs nothing of what writes one.
    __getattr__ = load_on_use(
        __name__,
        {
            "ArrowSink": "provrunner.log.writer",
            "Finding": "provrunner.log.verify",
            "Log": "provrunner.log.reader",
            "LogFollower": "provrunner.log.reader",
            "PastEvent": "provrunner.log.past",
            "PastMetric": "provrunner.log.past",
            "Verification": "provrunner.log.verify",
            "claim_sweep_folder": "provrunner.log.sweep_folders",
            "create_sweep_folder": "provrunner.log.sweep_folders",
            "find_sweep": "provrunner.log.sweep_folders",
            "read_log": "provrunner.log.reader",
            "holds_sweep": "provrunner.log.sweep_folders",
            "new_sweep_id": "provrunner.log.sweep_folders",
            "read_plan": "provrunner.log.plan_file",
            "replace_plan": "provrunner.log.plan_file",
            "run_folder": "provrunner.log.folder",
            "run_folders": "provrunner.log.folder",
            "unplanned_runs": "provrunner.log.folder",
            "run_status": "provrunner.log.reader",
            "seal_run": "provrunner.log.seal",
            "verify_sweep": "provrunner.log.verify",
            "write_past_run": "provrunner.log.past",
            "write_plan": "provrunner.log.plan_file",
        },
    )

make_callable(__name__, "provrunner.own_values", "log")

"""From a plan to sealed logs: the writing wing's top.

Called as a function, `provrunner.run(config, name="mine")` records a training loop of one's own.
"""

from typing import TYPE_CHECKING

from provrunner.packages import load_on_use, make_callable

if TYPE_CHECKING:
    from provrunner.run.command import start
    from provrunner.run.execute import Executed, run_script
    from provrunner.run.job import join_run
    from provrunner.run.launching import Outcome
    from provrunner.run.resume import resume_sweep
    from provrunner.run.standalone import ProvenanceCallback

__all__ = [
    "Executed",
    "Outcome",
    "ProvenanceCallback",
    "join_run",
    "resume_sweep",
    "run_script",
    "start",
]

if not TYPE_CHECKING:
    # A script that is only recorded needs neither Hydra nor Lightning.
    __getattr__ = load_on_use(
        __name__,
        {
            "Executed": "provrunner.run.execute",
            "Outcome": "provrunner.run.launching",
            "ProvenanceCallback": "provrunner.run.standalone",
            "join_run": "provrunner.run.job",
            "resume_sweep": "provrunner.run.resume",
            "run_script": "provrunner.run.execute",
            "start": "provrunner.run.command",
        },
    )

make_callable(__name__, "provrunner.run.loop", "open_run")

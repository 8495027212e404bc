"""From a plan to sealed logs: the writing wing's top."""

from provrunner.run.command import start
from provrunner.run.job import join_run
from provrunner.run.sweeper import Outcome

__all__ = ["Outcome", "join_run", "start"]

"""What carries runs out: processes of this machine, joblib's workers, Ray, submitit."""

from provrunner.run.engines.engine import Ended, Engine, Job, Share

__all__ = ["Ended", "Engine", "Job", "Share"]

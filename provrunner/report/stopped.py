"""Tell in the summary what held a sweep up."""

from __future__ import annotations

from provrunner.plan import Plan
from provrunner.sensitivity import Summary

__all__ = ["flag_stopped"]


def flag_stopped(summary: Summary, plan: Plan) -> Summary:
    """Add a flag where a sweep has started no further run though it has not run all it may.

    Args:
        summary: what the runs say.
        plan: says why, where something held it up.
    """
    if plan.stopped is None:
        return summary
    left = plan.runs_promised - len(plan.points)
    detail = f"{plan.stopped}; {left} runs were not asked for" if left else plan.stopped
    flag = {"flag": "stopped", "detail": detail}
    return Summary({**summary.document, "flags": [flag, *summary.document["flags"]]})

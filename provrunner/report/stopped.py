"""Tell in the summary what held a sweep up."""

from __future__ import annotations

from provrunner.plan import Plan
from provrunner.report.numbers import count
from provrunner.schema import RunStatus
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
    missing = {
        "begun": summary.document["statuses"].get(RunStatus.PLANNED, 0),
        "asked for": plan.runs_promised - len(plan.points),
    }
    left = [
        f"{count(runs, 'run')} {'was' if runs == 1 else 'were'} not {word}"
        for word, runs in missing.items()
        if runs
    ]
    detail = "; ".join([plan.stopped, *left])
    flag = {"flag": "stopped", "detail": detail}
    return Summary({**summary.document, "flags": [flag, *summary.document["flags"]]})

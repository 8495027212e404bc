"""One run's place in a plan of any size, read without the places of the others."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from provrunner.log.plan_file import parse_plan, read_plan_text
from provrunner.plan import Plan, Point

__all__ = ["PlannedRun", "read_planned_run"]

_NUMBER = '\n   "run": '


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """What a plan says of one run, and of all of them together.

    Attributes:
        plan: the sweep's plan, without its points and without why each was asked for.
        point: the run's own.
        runs: how many the plan promises.
    """

    plan: Plan
    point: Point
    runs: int


def read_planned_run(folder: Path, number: int) -> PlannedRun:
    """Read what a sweep's `plan.json` says of the run of a number.

    To parse ten thousand points takes longer than all else that a run's process reads, so its own
    is found in the text. Where somebody has laid the file out in another way, all are parsed.

    Raises:
        LogError: the plan is missing, damaged or of a newer format, or has no such run.
    """
    text = read_plan_text(folder)
    points, rest = _cut(text, "points")
    point = _find_point(points, number)
    if point is None:
        plan = parse_plan(folder, text)
        bare = replace(plan, points=(), asked=())
        return PlannedRun(bare, plan.find_point(number), plan.runs_promised)
    plan = parse_plan(folder, _cut(rest, "asked")[1])
    return PlannedRun(plan, point, max(points.count(_NUMBER), plan.runs_promised))


def _cut(text: str, key: str) -> tuple[str, str]:
    """Return the items of one of a plan's lists, and the plan without them.

    `Plan.to_json` indents each line by its depth, and a text within it has no line of its own, so
    that none is taken for a key. There are no items where the text is laid out otherwise.
    """
    head = f'\n "{key}": ['
    start = text.find(f"{head}\n") + len(head)
    end = text.find("\n ]", start)
    if not len(head) <= start <= end:
        return "", text
    return text[start:end], text[:start] + text[end:]


def _find_point(points: str, number: int) -> Point | None:
    own = points.find(f"{_NUMBER}{number},\n")
    if own < 0:
        return None
    start, end = points.rfind("\n  {\n", 0, own), points.find("\n  }", own)
    try:
        return Point(**json.loads(points[start : end + len("\n  }")]))
    except (ValueError, TypeError):
        return None

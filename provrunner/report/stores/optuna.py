"""What Optuna's two kinds of storage, database and journal, have in common."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from provrunner.report.stores.store import Course, Range

__all__ = ["INTERMEDIATE", "TOOL", "external_value", "final_values", "objective_names"]

TOOL = "optuna"
INTERMEDIATE = "intermediate"
"""What the values that a trial reports on its way are called."""


def objective_names(count: int) -> list[str]:
    """Return what a study's objectives are called, as Optuna's own data frames name them."""
    return ["value"] if count == 1 else [f"values_{i}" for i in range(count)]


def final_values(
    names: Sequence[str], values: Sequence[float], time_us: int | None
) -> dict[str, Course]:
    """Return a trial's objectives, which have no step, as courses of one value."""
    courses = {}
    for name, value in zip(names, values, strict=False):
        courses[name] = Course()
        courses[name].add(value, time_us=time_us)
    return courses


def external_value(value: float, distribution: str, name: str, ranges: dict[str, Range]) -> Any:
    """Return a parameter's value as its distribution, JSON, means it; widen its range by it."""
    told: Mapping[str, Any] = json.loads(distribution)
    about = told["attributes"]
    if "choices" in about:
        return about["choices"][int(value)]
    if about["low"] < about["high"]:
        low, high, _ = ranges.get(name, (about["low"], about["high"], ""))
        ends = min(low, about["low"]), max(high, about["high"])
        ranges[name] = (*ends, "log" if _is_log(told) else "linear")
    return int(value) if told["name"].startswith("Int") else value


def _is_log(told: Mapping[str, Any]) -> bool:
    return bool(told["attributes"].get("log")) or told["name"].startswith("LogUniform")

"""What MLflow's two kinds of store, its folder and its database, have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["TOOL", "run_facts", "to_microseconds"]

TOOL = "mlflow"


def run_facts(tags: Mapping[str, str], name: object, user: object) -> dict[str, Any]:
    """Return what a run's tags tell of it, in the words of `StoredRun.facts`."""
    told = {
        "name": name or tags.get("mlflow.runName"),
        "user": user or tags.get("mlflow.user"),
        "commit": tags.get("mlflow.source.git.commit"),
        "remote": tags.get("mlflow.source.git.repoURL"),
    }
    return {key: value for key, value in told.items() if value}


def to_microseconds(milliseconds: object) -> int | None:
    """Return a time of MLflow's; None where it has none."""
    return int(milliseconds) * 1000 if isinstance(milliseconds, int | float) else None

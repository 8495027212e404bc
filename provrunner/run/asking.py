"""The points of an adaptive sweep: asked for a few at a time, and told what they came to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from provrunner.compose.samplers import STUDY_FILE, AskTell, Suggestion
from provrunner.compose.space import Space
from provrunner.compose.sweep import trial_points
from provrunner.ids import trial_id
from provrunner.log.result import RunResult, read_result
from provrunner.plan import Asked, Plan, Point
from provrunner.schema import RunStatus

__all__ = ["Search"]

_TRIES = 20
"""Times that a sampler is asked for a point that is new; then points are drawn blindly."""

_DRAWS = 100
_NOT_ENDED = {RunStatus.PLANNED, RunStatus.RUNNING}


class Search:
    """What an adaptive sweep asks, with its state in the sweep's folder.

    Args:
        folder: the sweep's folder.
        plan: of the sweep, with a sampler.
        space: where points may lie.
        given: points that come first.
    """

    def __init__(
        self, folder: Path, plan: Plan, space: Space, given: Sequence[Mapping[str, Any]]
    ) -> None:
        if plan.sampler is None:
            raise ValueError("only a plan with a sampler can be asked for points")
        self._folder = folder
        self._study = AskTell(
            folder / STUDY_FILE,
            plan.design,
            space,
            [plan.objective.direction, *(one.direction for one in plan.further)],
            seed=plan.sampler.seed,
            options=plan.sampler.options,
            name=plan.sweep_id,
        )
        self._study.give(given)
        planned = {one.number for one in plan.asked}
        # Of a sweep that was killed between the question and the plan.
        self._again = [one for one in self._study.open_trials() if one not in planned]

    def grow(self, plan: Plan) -> Plan:
        """Return the plan with the next points; the same one where all have been asked for."""
        sampler = plan.sampler
        left = 0 if sampler is None else min(sampler.batch, sampler.trials - len(plan.asked))
        numbers = {one.trial_id: one.number for one in plan.asked}
        for _ in range(left):
            found = self._new(numbers)
            if found is None:
                reason = f"no new point was found in {_TRIES + _DRAWS} tries"
                return replace(plan, stopped=reason)
            trial = trial_id(found.values)
            numbers[trial] = found.number
            plan = replace(
                plan,
                points=(*plan.points, *trial_points(plan, found.values, len(plan.points))),
                asked=(*plan.asked, Asked(trial, found.number, found.reason, found.told)),
            )
        return plan

    def tell(self, plan: Plan) -> None:
        """Tell the study of every trial whose runs have ended: the mean of its replicates."""
        still_open = set(self._study.open_trials())
        asked = {one.trial_id: one.number for one in plan.asked if one.number in still_open}
        points: dict[str, list[Point]] = {trial: [] for trial in asked}
        for point in plan.points:
            if point.trial_id in points:
                points[point.trial_id].append(point)
        for trial, number in asked.items():
            results = [
                read_result(self._folder, point, plan.objective, plan.further)
                for point in points[trial]
            ]
            if _NOT_ENDED.isdisjoint(result.status for result in results):
                self._study.tell(number, _means(results), pruned_at=_pruned_at(results))

    def _new(self, numbers: Mapping[str, int]) -> Suggestion | None:
        """Return a point that the plan lacks; one that it has is told again what it came to."""
        for attempt in range(_TRIES + _DRAWS):
            if self._again:
                found = self._study.ask_again(self._again.pop(0))
            else:
                found = self._study.ask() if attempt < _TRIES else self._study.draw()
            known = numbers.get(trial_id(found.values))
            if known is None:
                return found
            self._study.tell(found.number, self._study.values_of(known))
        return None


def _means(results: Sequence[RunResult]) -> tuple[float, ...] | None:
    """Return the mean of each objective over the runs that have one.

    A trial with a run that diverged has failed: the mean of the others would hide it. So has one
    without any run that came to something.
    """
    if any(result.status is RunStatus.DIVERGED for result in results):
        return None
    ended = (RunStatus.FINISHED, RunStatus.PRUNED)
    values = [one.values for one in results if one.values is not None and one.status in ended]
    if not values:
        return None
    return tuple(math.fsum(column) / len(values) for column in zip(*values, strict=True))


def _pruned_at(results: Sequence[RunResult]) -> int | None:
    """Return the fewest epochs of a trial's runs that were stopped early, None where none was."""
    epochs = [one.epochs for one in results if one.status is RunStatus.PRUNED]
    return min(epochs, default=None)

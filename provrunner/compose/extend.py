"""What a sweep was planned as against what it is asked to be: the same, more, or another one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from provrunner.compose.sweep import trial_points
from provrunner.ids import canonical_json, run_id
from provrunner.plan import Extension, Hyperparameter, Objective, Plan, Point

__all__ = ["extend_plan", "keep_asked", "plan_differences"]

_SHOWN = 3


def keep_asked(old: Plan, new: Plan) -> Plan:
    """Return a new plan of an adaptive sweep with the trials that the old one has asked for."""
    if old.sampler is None or new.sampler is None:
        return new
    trials = {point.trial_id: point.values for point in old.points}
    points: list[Point] = []
    for values in trials.values():
        points += trial_points(new, values, len(points))
    return replace(new, points=tuple(points), asked=old.asked)


def plan_differences(old: Plan, new: Plan) -> tuple[str, ...]:
    """Return a phrase for each thing that a new plan does not keep of an old one.

    Points that the new one has beside the old one's are no difference.

    Example:
        >>> from provrunner.plan import Objective
        >>> old = Plan("s", "lr", "2026-01-01T00:00:00Z", Objective("loss"), "grid", (), ())
        >>> plan_differences(old, replace(old, objective=Objective("loss", "maximize")))
        ('sweep.objective was minimize loss at best, and is maximize loss at best',)
    """
    return tuple(_differences(old, new))


def extend_plan(old: Plan, new: Plan, command: tuple[str, ...]) -> Plan:
    """Return an old plan with the points that a new one adds, numbered after its own.

    So are the replicates of each trial, whatever the order of the seeds.

    Args:
        old: as written down.
        new: keeps all of the old one, as `plan_differences` tells.
        command: the command line that asks for more, redacted.

    Returns:
        The old plan itself where the new one adds nothing.
    """
    known = {_identity(point) for point in old.points}
    added = [point for point in new.points if _identity(point) not in known]
    if not added and not _asks_for_more(old, new):
        return old
    first = len(old.points)
    numbered = tuple(_numbered(added, old.points))
    return replace(
        old,
        hyperparameters=new.hyperparameters,
        points=(*old.points, *numbered),
        replicates=new.replicates,
        sampler=new.sampler,
        extensions=(*old.extensions, Extension(new.created, command, first)),
    )


def _asks_for_more(old: Plan, new: Plan) -> bool:
    if old.sampler is None or new.sampler is None:
        return False
    return new.sampler.trials > old.sampler.trials


def _numbered(added: Iterable[Point], old: Sequence[Point]) -> Iterator[Point]:
    highest: dict[str, int] = {}
    for point in old:
        highest[point.trial_id] = max(point.replicate, highest.get(point.trial_id, -1))
    for number, point in enumerate(added, len(old)):
        highest[point.trial_id] = highest.get(point.trial_id, -1) + 1
        yield replace(
            point,
            run=number,
            run_id=run_id(number, point.values, point.seed or 0),
            replicate=highest[point.trial_id],
        )


def _differences(old: Plan, new: Plan) -> Iterator[str]:
    stated = {
        "sweep.objective": [_objective(plan) for plan in (old, new)],
        "sweep.design": [old.design, new.design],
        "the seeds' kind": [old.seeds, new.seeds],
        "the axes": [", ".join(axis.name for axis in p.hyperparameters) for p in (old, new)],
        "sweep.further": [", ".join(map(_goal, plan.further)) for plan in (old, new)],
        "sweep.prune": [_rule(plan) for plan in (old, new)],
        "the sampler": [_sampler(plan) for plan in (old, new)],
    }
    if old.sampler is not None:
        # No point tells of it: the sampler knows only results of the space that it was made for.
        for had, has in zip(old.hyperparameters, new.hyperparameters, strict=False):
            stated[had.name] = [_space(had), _space(has)]
    for name, (before, after) in stated.items():
        if before != after:
            yield f"{name} was {before or 'none'}, and is {after or 'none'}"
    kept = {_identity(point) for point in new.points}
    gone = [point for point in old.points if _identity(point) not in kept]
    if gone:
        shown = "; ".join(f"{point.run_id} ({_settings(point)})" for point in gone[:_SHOWN])
        more = f" and {len(gone) - _SHOWN} more" if len(gone) > _SHOWN else ""
        yield f"not planned any more: {shown}{more}"


def _objective(plan: Plan) -> str:
    return f"{plan.objective.direction} {plan.objective.metric} at {plan.objective.at}"


def _goal(objective: Objective) -> str:
    return f"{objective.direction} {objective.metric}"


def _rule(plan: Plan) -> str:
    return "" if plan.pruning is None else canonical_json(dict(plan.pruning))


def _sampler(plan: Plan) -> str:
    sampler = plan.sampler
    if sampler is None:
        return ""
    return f"{sampler.agent} {canonical_json(dict(sampler.options))} of seed {sampler.seed}"


def _space(axis: Hyperparameter) -> str:
    if axis.low is not None:
        return f"{axis.scale} from {axis.low} to {axis.high}"
    return canonical_json(list(axis.levels))


def _settings(point: Point) -> str:
    values = [f"{name}={value}" for name, value in point.values.items()]
    return ", ".join([*values, f"seed={point.seed}"])


def _identity(point: Point) -> str:
    return canonical_json([dict(point.values), point.seed])

"""A sweep asked for again: the same, more, or another one."""

from dataclasses import replace

from provrunner.compose.extend import extend_plan, plan_differences
from provrunner.plan import Extension, Hyperparameter, Objective, Plan, Point

COMMAND = ("provrunner", "resume", "s", "sweep.replicates=2")


def plan_of(*points: tuple[float, int]) -> Plan:
    return Plan(
        sweep_id="s",
        name="lr",
        created="2026-01-02T00:00:00Z",
        objective=Objective("val/loss"),
        design="grid",
        hyperparameters=(Hyperparameter("lr", tuple(dict.fromkeys(lr for lr, _ in points))),),
        points=tuple(
            Point(number, f"{number:04d}-{lr}-{seed}", f"t{lr}", seed, seed, {"lr": lr})
            for number, (lr, seed) in enumerate(points)
        ),
        replicates=1 + max(seed for _, seed in points),
    )


OLD = plan_of((0.1, 0), (0.2, 0))


def test_the_same_points_leave_the_plan_as_it_is():
    assert plan_differences(OLD, plan_of((0.1, 0), (0.2, 0))) == ()
    assert extend_plan(OLD, plan_of((0.1, 0), (0.2, 0)), COMMAND) is OLD


def test_added_points_are_numbered_after_those_that_were_there():
    new = plan_of((0.1, 0), (0.1, 1), (0.2, 0), (0.2, 1), (0.4, 0))
    assert plan_differences(OLD, new) == ()
    plan = extend_plan(OLD, new, COMMAND)
    assert plan.points[:2] == OLD.points
    added = [(p.run, p.run_id[:5], p.values["lr"], p.seed) for p in plan.points[2:]]
    assert added == [(2, "0002-", 0.1, 1), (3, "0003-", 0.2, 1), (4, "0004-", 0.4, 0)]
    assert plan.hyperparameters[0].levels == (0.1, 0.2, 0.4)
    assert plan.extensions == (Extension("2026-01-02T00:00:00Z", COMMAND, 2),)
    assert Plan.from_json(plan.to_json()) == plan


def test_replicates_are_numbered_after_those_of_their_trial():
    old = plan_of((0.1, 0), (0.1, 1))
    seeds = [(0.1, 5), (0.1, 0), (0.1, 1), (0.2, 5), (0.2, 0), (0.2, 1)]
    new = plan_of(*seeds)
    points = [replace(p, replicate=n % 3) for n, p in enumerate(new.points)]
    plan = extend_plan(old, replace(new, points=tuple(points)), COMMAND)
    assert [(p.values["lr"], p.seed, p.replicate) for p in plan.points] == [
        (0.1, 0, 0), (0.1, 1, 1), (0.1, 5, 2), (0.2, 5, 0), (0.2, 0, 1), (0.2, 1, 2),
    ]  # fmt: skip


def test_whatever_is_not_kept_is_named():
    other = replace(plan_of((0.1, 0)), objective=Objective("val/acc", "maximize"), design="list")
    assert plan_differences(OLD, other) == (
        "sweep.objective was minimize val/loss at best, and is maximize val/acc at best",
        "sweep.design was grid, and is list",
        "not planned any more: 0001-0.2-0 (lr=0.2, seed=0)",
    )

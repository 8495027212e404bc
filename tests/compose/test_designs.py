"""Points drawn from ranges and levels, and one at a time around the defaults."""

from __future__ import annotations

import math

import pytest

from provrunner.compose import build_plan, compose_config
from provrunner.errors import ConfigError
from provrunner.plan import Plan
from provrunner.report.results import build_study

DRAWN = [
    "sweep.design=random",
    "sweep.trials=16",
    "optimizer.lr=tag(log,interval(0.0001,1))",
    "model.width=int(interval(8,11))",
]


def plan_of(*arguments: str) -> Plan:
    config = compose_config(arguments, return_hydra_config=True)
    return build_plan(
        config, arguments, sweep_id="s", created="2026-01-01T00:00:00Z", command=["provrunner"]
    )


@pytest.mark.parametrize("design", ["random", "sobol", "lhs"])
def test_points_are_drawn_inside_the_ranges_and_alike_each_time(design):
    arguments = [*DRAWN, f"sweep.design={design}"]
    plan = plan_of(*arguments)
    points = [point.values for point in plan.points]
    assert len({tuple(point.values()) for point in points}) == 16
    assert all(0.0001 <= point["optimizer.lr"] <= 1 for point in points)
    assert {point["model.width"] for point in points} == {8, 9, 10, 11}
    assert plan_of(*arguments).points == plan.points
    assert plan_of(*arguments, "seed=1").points[0].values != points[0]
    assert Plan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize("design", ["sobol", "lhs"])
def test_each_quarter_of_a_logarithmic_range_has_its_quarter_of_the_points(design):
    plan = plan_of(*DRAWN, f"sweep.design={design}")
    decades = [math.floor(math.log10(point.values["optimizer.lr"])) for point in plan.points]
    assert [decades.count(decade) for decade in (-4, -3, -2, -1)] == [4, 4, 4, 4]


@pytest.mark.parametrize("design", ["random", "sobol"])
def test_more_points_begin_with_the_fewer(design):
    few, many = (plan_of(*DRAWN, f"sweep.design={design}", f"sweep.trials={n}") for n in (11, 30))
    assert many.points[:11] == few.points


def test_the_analysis_is_told_the_design_and_its_ranges():
    study = build_study(plan_of(*DRAWN))
    assert study.design == "random"
    lr, width = study.parameters
    assert (lr.levels, lr.low, lr.high, lr.scale) == ((), 0.0001, 1.0, "log")
    assert (width.levels, width.low, width.high, width.scale) == ((), 8, 11, "linear")


def test_fixed_points_come_first():
    plan = plan_of(*DRAWN, "sweep.points=[{optimizer.lr: 0.5, model.width: 100}]")
    assert plan.points[0].values == {"optimizer.lr": 0.5, "model.width": 100}
    assert len(plan.points) == 17


def test_one_factor_at_a_time_goes_round_the_defaults():
    plan = plan_of("sweep.design=ofat", "model.width=16,64", "model.dropout=0.0,0.1,0.2")
    assert [tuple(point.values.values()) for point in plan.points] == [
        (64, 0.0), (16, 0.0), (64, 0.1), (64, 0.2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model.width=int(interval(1,4))"], "interval() has no levels to enumerate; design grid"),
        (["sweep.design=ofat", "model.dropout=interval(0,1)"], "design ofat needs choice()"),
        (["sweep.design=random", "model.width=1,2"], "sweep.trials: design random needs"),
        (["sweep.trials=3", "model.width=1,2"], "sweep.trials: read by design random, sobol, lhs"),
        (["sweep.design=random", "sweep.trials=3"], "design random has no axes"),
        ([*DRAWN, "model.dropout=interval(1,0)"], "expected interval(low, high) with low < high"),
        ([*DRAWN, "model.dropout=tag(log,interval(0,1))"], "a logarithm needs a range above 0"),
        ([*DRAWN, "sweep.points=[{model.width: 8}]"], "need exactly the axes optimizer.lr, model"),
        (
            [
                *("sweep.design=random", "sweep.trials=2", "model.width=1,2,3"),
                "sweep.points=[{model.width: 8}, {model.width: 9}, {model.width: 8}]",
            ],
            "sweep.points: points 0 and 2 are duplicates",
        ),
        (
            ["sweep.design=random", "sweep.trials=3", "model.width=1,2"],
            "finds 2 different points where sweep.trials asks for 3",
        ),
        (["sweep.design=ofat", "task.problem=classification,regression"], "has no value outside"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments, message):
    with pytest.raises(ConfigError) as caught:
        plan_of(*arguments)
    assert message in str(caught.value)

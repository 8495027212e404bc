"""Axes that move together, and axes that only some levels of others make active."""

from __future__ import annotations

import pytest

from provrunner.compose import build_plan, compose_config
from provrunner.errors import ConfigError
from provrunner.plan import Plan

BASE = ["optimizer=sgd,adam", "optimizer.momentum=0.5,0.9", "optimizer.lr=0.1,0.01"]
ONLY_SGD = "+sweep.when={optimizer.momentum: {optimizer: sgd}}"


def plan_of(*arguments: str) -> Plan:
    config = compose_config(arguments, return_hydra_config=True)
    return build_plan(
        config, arguments, sweep_id="s", created="2026-01-01T00:00:00Z", command=["provrunner"]
    )


def rows(plan: Plan) -> list[tuple[object, ...]]:
    return [tuple(point.values.values()) for point in plan.points]


def test_a_grid_has_each_active_combination_once():
    plan = plan_of(*BASE, ONLY_SGD)
    assert rows(plan) == [
        ("sgd", 0.5, 0.1),
        ("sgd", 0.5, 0.01),
        ("sgd", 0.9, 0.1),
        ("sgd", 0.9, 0.01),
        ("adam", 0.1),
        ("adam", 0.01),
    ]
    momentum = plan.hyperparameters[1]
    assert momentum.when == {"optimizer": ("sgd",)}
    assert Plan.from_json(plan.to_json()) == plan


def test_zipped_axes_take_their_levels_together():
    plan = plan_of(
        *("model.width=8,16,32", "optimizer.lr=0.1,0.01", "data.batch_size=64,32,16"),
        "sweep.zip=[[model.width,data.batch_size]]",
    )
    assert rows(plan) == [
        *((8, lr, 64) for lr in (0.1, 0.01)),
        *((16, lr, 32) for lr in (0.1, 0.01)),
        *((32, lr, 16) for lr in (0.1, 0.01)),
    ]
    assert plan.zipped == (("model.width", "data.batch_size"),)


def test_drawn_points_keep_to_conditions_and_zips():
    plan = plan_of(
        *("sweep.design=random", "sweep.trials=20", "optimizer=sgd,adam", ONLY_SGD),
        *("optimizer.momentum=interval(0,0.9)", "optimizer.lr=interval(0.01,0.1)"),
        *("model.width=8,16", "data.batch_size=64,32"),
        "sweep.zip=[[model.width,data.batch_size]]",
    )
    assert {point.values["optimizer"] for point in plan.points} == {"sgd", "adam"}
    for point in plan.points:
        assert ("optimizer.momentum" in point.values) == (point.values["optimizer"] == "sgd")
        assert point.values["model.width"] * point.values["data.batch_size"] == 512


def test_a_condition_on_a_value_that_is_fixed_holds_or_drops_its_axis():
    sgd = ["sweep.design=grid", "+sweep.params={optimizer: 'choice(sgd,adam)'}", *BASE[1:]]
    kept, dropped = (plan_of(*sgd, f"optimizer={name}", ONLY_SGD) for name in ("sgd", "adam"))
    assert [axis.name for axis in kept.hyperparameters] == ["optimizer.momentum", "optimizer.lr"]
    assert [axis.name for axis in dropped.hyperparameters] == ["optimizer.lr"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sweep.zip=[[optimizer.lr,optimizer.momentun]]"], "did you mean 'optimizer.momentum'"),
        (["sweep.zip=[[optimizer.lr,model.width]]", "model.width=1,2,3"], "as many levels each"),
        (["sweep.zip=[[optimizer.lr]]"], "lists of axes that move together"),
        (["+sweep.when={optimizer.lr: {optimizer: sdg}}"], "no level 'sdg'; did you mean 'sgd'"),
        (["+sweep.when={optimizer.lr: {model.depth: 1}}"], "no axis of this sweep"),
        (
            ["+sweep.when={optimizer.lr: {optimizer.momentum: 0.5}, "
             "optimizer.momentum: {optimizer.lr: 0.1}}"],
            "wait for each other",
        ),
        (["sweep.design=ofat", ONLY_SGD], "read by design grid"),
    ],
)  # fmt: skip
def test_what_makes_no_space_is_refused_by_name(words, message):
    with pytest.raises(ConfigError, match=message):
        plan_of(*BASE, *words)

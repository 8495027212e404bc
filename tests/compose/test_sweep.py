from pathlib import Path

import pytest

from provrunner.compose import build_plan, compose_config, job_overrides
from provrunner.errors import ConfigError
from provrunner.plan import Objective, Plan


def plan_of(*arguments: str) -> Plan:
    config = compose_config(arguments, return_hydra_config=True)
    return build_plan(
        config, arguments, sweep_id="s", created="2026-01-01T00:00:00Z", command=["provrunner"]
    )


_GRID = """\
# @package _global_
sweep:
  objective: {metric: val/loss, direction: minimize, at: last}
  design: grid
  params:
    optimizer.lr: choice(0.1, 0.2)
    model.width: choice(8, 16)
  replicates: 2
"""
_LIST = """\
# @package _global_
sweep:
  design: list
  points:
    - {optimizer: adam, optimizer.lr: 0.1}
    - {optimizer: sgd, optimizer.lr: 0.1}
    - {optimizer: sgd, optimizer.lr: 0.2}
"""


def test_the_grid_that_ships_has_thirty_runs():
    plan = plan_of("+sweep=lr_grid")
    assert (plan.name, plan.design, len(plan.points), plan.seeds) == (
        "lr_grid",
        "grid",
        30,
        "common",
    )
    assert plan.objective == Objective("val/loss", "minimize", "best")
    names = [(axis.name, axis.scale, axis.default) for axis in plan.hyperparameters]
    assert names == [("optimizer.lr", "log", 0.01), ("model.width", "linear", 64)]


def test_points_come_trial_by_trial_and_then_seed_by_seed(work):
    work(conf__sweep__mine=_GRID)
    plan = plan_of("+sweep=mine", "seed=5")
    rows = [
        (point.run, *point.values.values(), point.replicate, point.seed) for point in plan.points
    ]
    assert rows == [
        (0, 0.1, 8, 0, 5),
        (1, 0.1, 8, 1, 6),
        (2, 0.1, 16, 0, 5),
        (3, 0.1, 16, 1, 6),
        (4, 0.2, 8, 0, 5),
        (5, 0.2, 8, 1, 6),
        (6, 0.2, 16, 0, 5),
        (7, 0.2, 16, 1, 6),
    ]
    assert plan.name == "mine"
    assert len({point.trial_id for point in plan.points}) == 4
    assert len({point.run_id for point in plan.points}) == 8


def test_an_axis_of_the_command_line_replaces_the_files(work):
    work(conf__sweep__mine=_GRID)
    plan = plan_of("+sweep=mine", "model.width=1,2,3")
    assert [axis.levels for axis in plan.hyperparameters] == [(0.1, 0.2), (1, 2, 3)]


def test_a_value_of_the_command_line_fixes_an_axis_of_the_file(work):
    work(conf__sweep__mine=_GRID)
    plan = plan_of("+sweep=mine", "model.width=8")
    assert [axis.name for axis in plan.hyperparameters] == ["optimizer.lr"]
    assert len(plan.points) == 4


def test_a_list_keeps_its_points_and_the_default_of_a_group(work):
    work(conf__sweep__mine=_LIST)
    plan = plan_of("+sweep=mine")
    assert [dict(point.values) for point in plan.points] == [
        {"optimizer": "adam", "optimizer.lr": 0.1},
        {"optimizer": "sgd", "optimizer.lr": 0.1},
        {"optimizer": "sgd", "optimizer.lr": 0.2},
    ]
    assert plan.hyperparameters[0].default == "adam"
    assert plan.hyperparameters[0].scale == "categorical"


def test_fixing_a_key_of_a_list_that_makes_points_alike_is_refused(work):
    work(conf__sweep__mine=_LIST)
    with pytest.raises(ConfigError, match="points 0 and 1 are duplicates"):
        plan_of("+sweep=mine", "optimizer=adam")


def test_no_axis_makes_a_plan_of_one_trial():
    plan = plan_of("model=convnet", "sweep.replicates=3")
    assert (plan.name, plan.design, plan.hyperparameters) == ("convnet-digits", "single", ())
    assert [point.seed for point in plan.points] == [0, 1, 2]


def test_an_axis_of_seeds_gives_the_replicates_and_no_hyperparameter():
    plan = plan_of("optimizer.lr=0.1,0.2", "seed=7,3")
    assert [axis.name for axis in plan.hyperparameters] == ["optimizer.lr"]
    assert [point.seed for point in plan.points] == [7, 3, 7, 3]
    assert (plan.replicates, plan.seeds) == (2, "common")


def test_common_seeds_do_not_depend_on_the_axes_or_their_order():
    one = plan_of("optimizer.lr=0.1,0.2", "model.width=8,16", "sweep.replicates=2")
    other = plan_of("model.width=16,8", "optimizer.lr=0.2,0.1", "sweep.replicates=2")
    seeds = [{(p.trial_id, p.replicate): p.seed for p in plan.points} for plan in (one, other)]
    assert seeds[0] == seeds[1]
    assert {point.seed for point in one.points} == {0, 1}


def test_independent_seeds_depend_on_trial_and_replicate_alone():
    replicates = "sweep.replicates={n: 2, seeds: independent}"
    one = plan_of("optimizer.lr=0.1,0.2", replicates)
    other = plan_of("optimizer.lr=0.2,0.1,0.3", replicates)
    seeds = [{(p.trial_id, p.replicate): p.seed for p in plan.points} for plan in (one, other)]
    assert len(set(seeds[0].values())) == 4
    assert seeds[0].items() <= seeds[1].items()
    assert all(0 <= seed < 2**32 for seed in seeds[1].values())
    assert one.seeds == "independent"


def test_a_plan_is_the_same_whenever_and_wherever_it_is_made():
    one = plan_of("+sweep=lr_grid")
    config = compose_config(["+sweep=lr_grid", "output=/elsewhere"], return_hydra_config=True)
    other = build_plan(config, ["+sweep=lr_grid"], sweep_id="x", created="y", command=["z"])
    assert one.spec_sha256 == other.spec_sha256
    assert plan_of("+sweep=lr_grid", "trainer.max_epochs=3").spec_sha256 != one.spec_sha256
    assert Plan.from_json(one.to_json()) == one


def test_each_run_has_the_given_words_its_values_its_seed_and_its_place():
    plan = plan_of("+sweep=lr_grid", "trainer.max_epochs=3")
    jobs = job_overrides(plan, ["+sweep=lr_grid", "trainer.max_epochs=3"], Path("/a b/ü"))
    assert jobs[4] == [
        "+sweep=lr_grid",
        "trainer.max_epochs=3",
        "optimizer.lr=0.001",
        "model.width=64",
        "seed=1",
        "run.folder='/a b/ü'",
        "run.number=4",
    ]


_LEVELS: dict[str, list[object]] = {
    "optimizer.lr": [1e-05, 1, 1e300],
    "model.activation": ["a,b", "it's", "true", "1e-3", "", "x=y", "${seed}x"[0:0] + "é\n\t'\"\\"],
    "data.scale": [True, None, "null"],
    "model.in_shape": [[1, 2.0], [], ["a b", None]],
    "task.loss": [{"a": 1, "b c": [True]}, {"a": {"d:e": None}}],
    "optimizer": ["sgd", "adamw"],
}


@pytest.mark.parametrize("key", _LEVELS)
def test_composing_a_run_gives_the_exact_value_and_type(work, key):
    from omegaconf import OmegaConf

    from provrunner.compose.values import to_text

    work()
    axis = f"{key}={','.join(map(to_text, _LEVELS[key]))}"
    plan = plan_of(axis)
    for point, words in zip(plan.points, job_overrides(plan, [axis], Path("/s")), strict=True):
        config = compose_config(words)
        found = OmegaConf.select(config, key)
        if key == "optimizer":
            assert config.optimizer._target_.lower().endswith(str(point.values[key]))
            continue
        found = OmegaConf.to_container(found) if OmegaConf.is_config(found) else found
        assert (type(found), found) == (type(point.values[key]), point.values[key])
        assert repr(found) == repr(point.values[key])
        assert (config.seed, config.run.number, config.run.folder) == (0, point.run, "/s")


def test_a_plus_is_kept_for_a_key_that_is_added():
    plan = plan_of("+optimizer.eps=1e-8,1e-6")
    jobs = job_overrides(plan, ["+optimizer.eps=1e-8,1e-6"], Path("/s"))
    assert jobs[1][0] == "+optimizer.eps=1e-06"
    assert compose_config(jobs[1]).optimizer.eps == 1e-06


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["sweep.design=gird"],
            "'gird' is none of grid, list, ofat, random, sobol, lhs, tpe, gp, cmaes, nsga2; "
            "did you mean 'grid'?",
        ),
        (["sweep.objective.direction=min"], "'min' is none of minimize, maximize"),
        (["sweep.objective.at=beast"], "did you mean 'best'?"),
        (["sweep.objective.metric=null"], "metric's name"),
        (["sweep.replicates=0"], "expected a whole number from 1 up, got 0"),
        (["sweep.replicates=1.5"], "whole number"),
        (
            ["sweep.replicates={n: 2, seed: common}"],
            "sweep.replicates has no such key; it has n, seeds",
        ),
        (["sweep.replicates={n: 2, seeds: comon}"], "did you mean 'common'?"),
        (["+sweep.nmae=x"], "did you mean 'name'?"),
        (["sweep.name=../x"], "sweep.name: '../x'"),
        (["sweep.name=/x"], "sweep.name: '/x'"),
        (["sweep.name='a b'"], "sweep.name"),
        (["seed=-1"], "-1 is no seed"),
        (["seed=1.5"], "1.5 is no seed"),
        (["seed=null"], "None is no seed"),
        (["seed=a,b"], "'a' is no seed"),
        (
            ["trainer.max_epochs=range(1,1002)"],
            "1001 runs = 1001 trials × 1 seeds; more than 1000 need yes=true",
        ),
        (["model.width=range(1,502)", "seed=0,1"], "1002 runs = 501 trials × 2 seeds"),
        (["sweep.design=list"], "needs at least 2 points"),
        (["sweep.design=list", "+sweep.params={optimizer.lr: '1,2'}"], "read by design grid, ofat"),
        (["sweep.points=[{a: 1}, {a: 2}]"], "read by design list, random"),
        (
            ["sweep.design=list", "sweep.points=[{a: 1}, {b: 1}]"],
            "point 1 differs from point 0 in keys: a, b",
        ),
        (["sweep.design=list", "sweep.points=[{a: 1}, {a: 1}]"], "'a' has 1 level"),
        (
            ["sweep.design=list", "sweep.points=[{a: 1}, {a: 2}]", "seed=interval(0,3)"],
            "interval() has no levels to enumerate; design list needs choice() or range()",
        ),
        (["sweep.design=list", "sweep.points=[1]"], "expected a list of mappings"),
        (["task.monitor=${no.such}"], "task.monitor: Interpolation key 'no.such' not found"),
    ],
)
def test_a_sweep_that_cannot_be_planned_is_refused(arguments, message):
    with pytest.raises(ConfigError) as caught:
        plan_of(*arguments)
    assert message in str(caught.value)


def test_more_than_a_thousand_runs_are_planned_once_confirmed():
    assert len(plan_of("trainer.max_epochs=range(1,1002)", "yes=true").points) == 1001


def test_a_wide_launcher_leaves_a_search_eight_batches_to_learn_from():
    words = ["+sweep=tpe", "sweep.trials=24", "sweep.replicates=2", "hydra.launcher.n_jobs=100"]
    assert plan_of(*words).sampler.batch == 3
    assert plan_of(*words, "sweep.batch=12").sampler.batch == 12


def test_a_sweep_file_without_an_axis_or_replicates_is_empty(work):
    work(conf__sweep__mine="# @package _global_\nsweep: {name: mine}\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml: the sweep is empty"):
        plan_of("+sweep=mine")
    assert len(plan_of("+sweep=mine", "sweep.replicates=2").points) == 2
    assert len(plan_of("+sweep=mine", "model.width=8,16").points) == 2


def test_a_mistake_in_a_sweep_file_is_told_with_the_file(work):
    folder = work(conf__sweep__mine=_GRID.replace("direction: minimize", "direction: minimise"))
    with pytest.raises(ConfigError) as caught:
        plan_of("+sweep=mine")
    assert str(caught.value) == (
        f"{folder}/conf/sweep/mine.yaml: sweep.objective.direction: 'minimise' is none of "
        "minimize, maximize; did you mean 'minimize'?"
    )


@pytest.mark.parametrize(
    "axis",
    [
        "+model.api_key=hunter2,hunter3",
        "+model.api_key=1234567,hunter2",
        "+model.api_keys=[hunter2],[hunter3]",
        "+model.db={password:hunter2},{password:hunter3}",
        "+model.url=postgresql://me:hunter2@db/x,postgresql://me:hunter3@db/x",
    ],
)
def test_an_axis_of_secrets_is_refused_before_it_stands_in_a_plan(axis):
    with pytest.raises(ConfigError, match="looks like a secret") as refused:
        plan_of(axis)
    assert "hunter2" not in str(refused.value)


def test_an_axis_that_is_about_secrets_is_none():
    assert len(plan_of("+model.token_pooling=mean,max").points) == 2
    assert len(plan_of("+model.sizes=[1,2.5],[3]", "+model.token_length=10,20").points) == 4

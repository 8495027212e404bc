"""Adaptive sweeps with a function in the place of training: what is asked for, and told."""

from __future__ import annotations

import json
import math
from collections import Counter
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from support.past import write_run

import provrunner
from provrunner.compose import check_sweep, compose_config
from provrunner.errors import ConfigError
from provrunner.graph import check_graph
from provrunner.log import read_plan, write_plan
from provrunner.run import rounds
from provrunner.run.launching import Outcome
from provrunner.run.planning import draft_plan
from provrunner.run.resume import Choice, resume_plan
from provrunner.schema import RunStatus

optuna = pytest.importorskip("optuna")

rounds_clock = rounds.Clock
WORDS = [
    "sweep.design=tpe",
    "sweep.trials=14",
    "sweep.batch=1",
    "sweep.name=adaptive",
    "optimizer.lr=tag(log,interval(0.0001,1))",
    "model.width=int(interval(8,64))",
    "model.activation=choice(relu,tanh)",
]


def bowl(values, seed):
    lr, width = math.log10(values["optimizer.lr"]), values["model.width"]
    return (lr + 2) ** 2 + ((width - 40) / 20) ** 2 + 0.05 * seed


class Sweeps:
    """Runs adaptive sweeps whose runs are a function's values; `stop_after` runs it is stopped."""

    def __init__(self, monkeypatch):
        self.function = bowl
        self.metrics = lambda values: {}
        self.launched: list[int] = []
        self.stop_after = math.inf
        monkeypatch.setattr(rounds, "launch_jobs", self.launch)

    def launch(self, _context, _task, _config, plan, *, jobs, folder):
        for job in jobs:
            if len(self.launched) >= self.stop_after:
                return Outcome(folder, {}, 143)
            number = next(word for word in job if word.startswith("run.number="))
            point = plan.points[int(number.partition("=")[2])]
            result = self.function(point.values, point.seed)
            status = RunStatus.FINISHED
            if isinstance(result, tuple):
                status, result = result
            write_run(folder, point, {"val/loss": [result]} | self.metrics(point.values), status)
            self.launched.append(point.run)
        return Outcome(folder, Counter({RunStatus.FINISHED: len(jobs)}))

    def start(self, folder, words=WORDS):
        config = compose_config(words, return_hydra_config=True)
        plan = draft_plan(config, words, datetime(2026, 1, 2, tzinfo=UTC))
        folder.mkdir()
        write_plan(folder, plan)
        due = range(len(plan.points))
        self.outcome = rounds.carry_out(
            None, None, config, plan, arguments=words, due=due, folder=folder
        )
        return read_plan(folder)

    def resume(self, folder, words=WORDS):
        config = compose_config(words, return_hydra_config=True)
        draft = draft_plan(config, words, datetime(2026, 1, 2, tzinfo=UTC))
        context = SimpleNamespace(config_loader=SimpleNamespace(load_sweep_config=dict))
        choice = Choice(extend=True, command=("provrunner", "resume", "s"))
        resume_plan(context, None, config, draft, words, folder=folder, choice=choice)
        return read_plan(folder)


@pytest.fixture
def sweeps(monkeypatch):
    return Sweeps(monkeypatch)


def values_of(plan):
    return [dict(point.values) for point in plan.points]


def study_of(folder):
    storage = optuna.storages.journal
    file = storage.JournalFileBackend(str(folder / "optuna.journal"))
    return optuna.load_study(study_name=None, storage=storage.JournalStorage(file))


def test_the_same_seed_asks_the_same_points_and_another_one_others(sweeps, tmp_path):
    first, second = (sweeps.start(tmp_path / name) for name in "ab")
    other = sweeps.start(tmp_path / "c", [*WORDS, "seed=1"])
    assert values_of(first) == values_of(second)
    assert values_of(other)[0] != values_of(first)[0]
    assert len({point.trial_id for point in first.points}) == 14
    assert [one.reason for one in first.asked] == ["startup"] * 10 + ["model"] * 4
    assert [one.told for one in first.asked] == list(range(14))
    assert first.sampler.agent == "optuna.samplers.TPESampler"


@pytest.mark.parametrize("design", ["tpe", "cmaes", "gp"])
def test_a_sweep_that_was_stopped_asks_on_as_if_it_had_not_been(sweeps, tmp_path, design):
    words = [*WORDS, f"sweep.design={design}", "sweep.trials=12"]
    whole = sweeps.start(tmp_path / "whole", words)
    sweeps.launched, sweeps.stop_after = [], 5
    sweeps.start(tmp_path / "cut", words)
    # what submitit keeps of jobs, and half a line of Optuna's, as who is killed leaves them
    (tmp_path / "cut/submitit/1").mkdir(parents=True)
    with (tmp_path / "cut" / "optuna.journal").open("ab") as file:
        file.write(b'{"op_code": 4, "tr')
    sweeps.stop_after = 8
    sweeps.resume(tmp_path / "cut", words)
    sweeps.stop_after = math.inf
    plan = sweeps.resume(tmp_path / "cut", words)
    assert values_of(plan) == values_of(whole)
    assert sweeps.launched == list(range(12))
    assert not (tmp_path / "cut/submitit").exists()


def test_a_point_that_was_asked_for_and_never_planned_is_asked_for_again(sweeps, tmp_path):
    whole = sweeps.start(tmp_path / "whole")
    sweeps.launched, sweeps.stop_after = [], 5
    sweeps.start(tmp_path / "cut")
    # killed between the question and the plan: the study knows of a trial that the plan lacks
    document = json.loads((tmp_path / "cut/plan.json").read_text())
    document["points"].pop()
    document["asked"].pop()
    (tmp_path / "cut/plan.json").write_text(json.dumps(document))
    sweeps.stop_after = math.inf
    assert values_of(sweeps.resume(tmp_path / "cut")) == values_of(whole)


def test_replicates_share_their_point_and_their_mean_is_told(sweeps, tmp_path):
    plan = sweeps.start(tmp_path / "s", [*WORDS, "sweep.trials=3", "sweep.replicates=3"])
    assert [point.seed for point in plan.points] == [0, 1, 2] * 3
    told = [trial.value for trial in study_of(tmp_path / "s").trials]
    expected = [bowl(point.values, 1) for point in plan.points[::3]]
    assert told == pytest.approx(expected)


def test_failed_diverged_and_pruned_trials_are_told_as_such(sweeps, tmp_path):
    ends = iter([(RunStatus.FAILED, 1.0), (RunStatus.DIVERGED, 2.0), (RunStatus.PRUNED, 3.0), 4.0])
    sweeps.function = lambda _values, _seed: next(ends)
    sweeps.start(tmp_path / "s", [*WORDS, "sweep.trials=4"])
    trials = study_of(tmp_path / "s").trials
    assert [trial.state.name for trial in trials] == ["FAIL", "FAIL", "PRUNED", "COMPLETE"]
    assert trials[2].intermediate_values == {1: 3.0}
    assert trials[3].value == 4.0


def test_a_batch_is_asked_before_any_of_it_has_a_result(sweeps, tmp_path):
    plan = sweeps.start(tmp_path / "s", [*WORDS, "sweep.trials=7", "sweep.batch=3"])
    assert [one.told for one in plan.asked] == [0, 0, 0, 3, 3, 3, 6]
    assert len({point.trial_id for point in plan.points}) == 7


def test_points_given_come_first_and_more_trials_are_asked_for_later(sweeps, tmp_path):
    given = "sweep.points=[{optimizer.lr: 0.1, model.width: 9, model.activation: tanh}]"
    words = [*WORDS, given, "sweep.trials=3"]
    plan = sweeps.start(tmp_path / "s", words)
    assert dict(plan.points[0].values) == {
        "optimizer.lr": 0.1,
        "model.width": 9,
        "model.activation": "tanh",
    }
    assert [one.reason for one in plan.asked] == ["given", "startup", "startup", "startup"]
    more = sweeps.resume(tmp_path / "s", [*words, "sweep.trials=6"])
    assert more.points[:4] == plan.points
    assert len(more.points) == 7
    assert [one.first for one in more.extensions] == [4]
    replicated = sweeps.resume(tmp_path / "s", [*words, "sweep.trials=6", "sweep.replicates=2"])
    assert len(replicated.points) == 14
    assert sorted(sweeps.launched) == list(range(14))


def test_a_search_cannot_go_on_in_another_space(sweeps, tmp_path):
    sweeps.start(tmp_path / "s", [*WORDS, "sweep.trials=2"])
    with pytest.raises(ConfigError, match=r"model.width was linear from 8 to 64, and is .* 128"):
        sweeps.resume(tmp_path / "s", [*WORDS, "model.width=int(interval(8,128))"])


def test_a_small_space_is_searched_through_and_no_point_is_run_twice(sweeps, tmp_path):
    sweeps.function = lambda values, _seed: float(values["model.width"])
    words = [
        *("sweep.design=tpe", "sweep.trials=9", "sweep.batch=2", "sweep.name=small"),
        *("model.width=choice(8,16,32)", "model.activation=choice(relu,tanh)"),
    ]
    plan = sweeps.start(tmp_path / "s", words)
    assert len({point.trial_id for point in plan.points}) == len(plan.points) == 6
    assert plan.stopped == "no new point was found in 120 tries"


def test_no_round_is_started_that_would_end_after_the_hours(sweeps, tmp_path, monkeypatch):
    times = iter(range(0, 10_000, 600))  # each look at the clock is ten minutes after the last
    monkeypatch.setattr(rounds, "Clock", lambda limit: rounds_clock(limit, now=lambda: next(times)))
    plan = sweeps.start(tmp_path / "s", [*WORDS, "sweep.hours=0.5"])
    assert len(plan.points) == 3
    assert plan.stopped.startswith("sweep.hours: 1800 s of 1800 s are spent")
    monkeypatch.setattr(rounds, "Clock", rounds_clock)
    assert (sweeps.outcome.exit_code, sweeps.outcome.held_up) == (0, plan.stopped)
    plan = sweeps.resume(tmp_path / "s")
    assert (len(plan.points), plan.stopped) == (14, None)


@pytest.mark.parametrize("function", [bowl, lambda values, seed: (RunStatus.FAILED, 1.0)])
def test_a_grid_whose_hours_are_spent_says_what_is_left_and_fails_only_with_a_run(
    sweeps, tmp_path, monkeypatch, function
):
    times = iter(range(0, 10_000, 600))
    monkeypatch.setattr(rounds, "Clock", lambda limit: rounds_clock(limit, now=lambda: next(times)))
    sweeps.function = function
    grid = [
        *("sweep.name=grid", "optimizer.lr=0.001,0.01,0.1,1", "model.width=8,16"),
        *("sweep.hours=0.5", "hydra.launcher.n_jobs=1"),
    ]
    plan = sweeps.start(tmp_path / "s", grid)
    assert len(sweeps.launched) == 3
    assert sweeps.outcome.statuses[RunStatus.PLANNED] == 5
    assert sweeps.outcome.exit_code == (0 if function is bowl else 1)
    flags = provrunner.open_sweep(tmp_path / "s").sensitivity().document["flags"]
    assert flags[0] == {"flag": "stopped", "detail": f"{plan.stopped}; 5 runs were not begun"}


def test_a_trial_whose_runs_have_yet_to_start_is_told_when_they_have_ended(
    sweeps, tmp_path, monkeypatch
):
    words = [*WORDS, "sweep.batch=3", "sweep.trials=3", "hydra.launcher.n_jobs=1"]
    sweeps.stop_after = 1
    sweeps.start(tmp_path / "s", words)
    sweeps.stop_after = math.inf
    times = iter(range(0, 10_000, 600))
    monkeypatch.setattr(rounds, "Clock", lambda limit: rounds_clock(limit, now=lambda: next(times)))
    assert sweeps.resume(tmp_path / "s", [*words, "sweep.hours=0.2"]).stopped is not None
    states = [trial.state.name for trial in study_of(tmp_path / "s").trials]
    assert states == ["COMPLETE", "COMPLETE", "RUNNING"]
    monkeypatch.setattr(rounds, "Clock", rounds_clock)
    sweeps.resume(tmp_path / "s", words)
    assert {trial.state.name for trial in study_of(tmp_path / "s").trials} == {"COMPLETE"}


def test_a_point_that_is_asked_for_again_is_told_no_value_of_a_pruned_one(sweeps, tmp_path):
    sweeps.function = lambda _values, _seed: (RunStatus.PRUNED, 0.0)
    words = [
        *("sweep.design=tpe", "sweep.trials=3", "sweep.batch=1", "sweep.name=small"),
        "model.width=choice(8,16)",
    ]
    sweeps.start(tmp_path / "s", words)
    states = Counter(trial.state.name for trial in study_of(tmp_path / "s").trials)
    assert states["PRUNED"] == 2
    assert "COMPLETE" not in states


def test_axes_are_active_only_where_they_are_declared_to_be(sweeps, tmp_path):
    words = [
        *("sweep.design=tpe", "sweep.trials=8", "sweep.name=conditional", "optimizer=sgd,adam"),
        *(
            "optimizer.momentum=interval(0,0.9)",
            "+sweep.when={optimizer.momentum:{optimizer: sgd}}",
        ),
        *("model.width=choice(8,16)", "data.batch_size=choice(32,64)"),
        "sweep.zip=[[model.width,data.batch_size]]",
    ]
    sweeps.function = lambda values, _seed: values.get("optimizer.momentum", 0.5)
    for values in values_of(sweeps.start(tmp_path / "s", words)):
        assert ("optimizer.momentum" in values) == (values["optimizer"] == "sgd")
        assert values["model.width"] * 4 == values["data.batch_size"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["+sweep.sampler.n_startup_trial=3"], "did you mean 'n_startup_trials'"),
        (["sweep.design=cmaes", "sweep.further=[{metric: val/acc}]"], "cmaes takes one objective"),
        (["sweep.design=nsga2"], "nsga2 is for several objectives"),
        (["sweep.trials=null"], "design tpe needs the number of points to ask for"),
        (["sweep.hours=0"], "expected a number of hours above 0"),
        (["sweep.disk_budget=20 apples"], "such as 20GB or 500MiB, got '20 apples', or null"),
        (["sweep.disk_budget=0"], "expected an amount of bytes above 0"),
        (["sweep.disk_budget=true"], "such as 20GB or 500MiB, got True"),
        (
            ["sweep.points=[{optimizer.lr: 0.1, model.width: 9, model.activation: gelu}]"],
            r"model\.activation: 'gelu' lies outside of 'model\.activation=choice\(relu,tanh\)'",
        ),
        (
            ["sweep.points=[{optimizer.lr: 2, model.width: 9, model.activation: tanh}]"],
            r"optimizer\.lr: 2 lies outside of",
        ),
        (
            [
                *("model.width=choice(8,16)", "data.batch_size=choice(32,64)"),
                "sweep.zip=[[model.width,data.batch_size]]",
                "sweep.points=[{optimizer.lr: 0.1, model.width: 8, model.activation: tanh, "
                "data.batch_size: 64}]",
            ],
            "model.width, data.batch_size move together",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused_before_any_run(words, message):
    words = [*WORDS, *words]
    config = compose_config(words, return_hydra_config=True)
    with pytest.raises(ConfigError, match=message):
        draft_plan(config, words, datetime(2026, 1, 2, tzinfo=UTC))


@pytest.mark.parametrize("left_out", ["metric", "val/loss", "val/size"])
def test_an_objective_that_a_search_needs_may_not_be_left_out_of_its_logs(left_out):
    further = "sweep.further=[{metric: val/size, direction: minimize}]"
    words = [*WORDS, further, f"capture.exclude=[{left_out}]"]
    config = compose_config(words, return_hydra_config=True)
    plan = draft_plan(config, words, datetime(2026, 1, 2, tzinfo=UTC))
    with pytest.raises(ConfigError, match="which is an objective; a sweep cannot be read"):
        check_sweep(config, words, plan)


def test_summary_and_graph_tell_how_points_were_chosen(sweeps, tmp_path):
    sweeps.metrics = lambda values: {"val/size": [float(values["model.width"])]}
    words = [*WORDS, "sweep.further=[{metric: val/size, direction: minimize}]", "sweep.batch=2"]
    sweeps.start(tmp_path / "s", words)
    sweep = provrunner.open_sweep(tmp_path / "s")

    document = sweep.sensitivity().to_dict()
    assert "adaptive" in {flag["flag"] for flag in document["flags"]}
    assert all(row["p"] is None for row in document["components"] if row["kind"] == "main")
    found = document["objectives"]
    assert [one["metric"] for one in found["list"]] == ["val/size"]
    nodes = sweep.graph().nodes.to_pylist()
    sampler = next(node for node in nodes if "pr:Sampler" in node["attributes"])
    assert sampler["label"].startswith("optuna.samplers.TPESampler")
    asked = [json.loads(node["attributes"]).get("pr:asked") for node in nodes]
    assert Counter(filter(None, asked)) == {"startup": 10, "model": 4}
    assert check_graph(sweep.graph()) == []

"""Failures, costs, further objectives, the better half, time, precision, what to run next."""

import numpy as np
import pyarrow as pa
import pytest
import yaml
from sweeps_for_tests import make_runs, make_study, make_table

from provrunner.sensitivity import Parameter, Study, build_summary
from provrunner.sensitivity.failures import firth_log_likelihood, wilson
from provrunner.sensitivity.flags import is_outlier_dominated
from provrunner.sensitivity.further import front
from provrunner.sensitivity.over_time import rank_correlation
from provrunner.sensitivity.trials import Run, Trial

LR = (0.001, 0.01, 0.1)
WIDTH = (16, 64)
AXES = {"lr": LR, "width": WIDTH}
NOISE = np.random.default_rng(3).normal(size=500)


def _document(rows, *, epochs=None, **study):
    table = make_table(rows)
    return build_summary(table, make_study(AXES, **study), epochs=epochs).to_dict()


def _rows(seeds=4, scale=0.05):
    draw = iter(NOISE)
    return make_runs(AXES, seeds, lambda v, _: abs(np.log10(v["lr"]) + 2) + scale * next(draw))


def test_a_value_that_always_fails_is_found_though_its_odds_are_infinite():
    rows = _rows()
    for row in rows:
        if row["lr"] == 0.1:
            row.update(status="diverged", objective=None)
    found = _document(rows)["failure_rates"]
    assert (found["failures"], found["successes"]) == (8, 16)
    lr = next(row for row in found["parameters"] if row["name"] == "lr")
    assert lr["significant"]
    assert [rate["rate"] for rate in lr["rates"]] == [0.0, 0.0, 1.0]
    curve = {point["value"]: point["rate"] for point in lr["curve"]}
    assert list(curve) == sorted(curve)
    assert (min(curve), max(curve)) == (0.001, 0.1)
    assert curve[0.001] < 0.1
    assert curve[0.01] < 0.1
    assert curve[0.1] > 0.9
    width = next(row for row in found["parameters"] if row["name"] == "width")
    assert width["significant"] is False
    assert width["curve"] == []
    assert found["text"] == (
        "8 of 24 ended runs failed or gave no objective; how often depends on lr."
    )


def test_few_failures_have_rates_and_no_test():
    rows = _rows()
    for row in rows[:4]:
        row.update(status="failed", objective=None)
    found = _document(rows)["failure_rates"]
    assert {row["p"] for row in found["parameters"]} == {None}
    assert found["text"] == (
        "4 of 24 ended runs failed or gave no objective: too few of one kind to say why."
    )


def test_no_failure_has_no_failure_model():
    assert _document(_rows())["failure_rates"] is None


def test_penalised_likelihood_of_two_groups_is_that_of_added_halves():
    table = np.array([[1.0, 0.0]] * 10 + [[1.0, 1.0]] * 10)
    outcome = np.array([1.0] * 2 + [0.0] * 8 + [1.0] * 10)

    def group(failed, runs):
        rate = (failed + 0.5) / (runs + 1)
        return (failed + 0.5) * np.log(rate) + (runs - failed + 0.5) * np.log(1 - rate)

    both = group(2, 10) + group(10, 10) + np.log(10)
    assert firth_log_likelihood(table, outcome, np.array([0, 1])) == pytest.approx(both)


def test_wilson_interval_is_the_textbooks():
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)


def test_the_better_half_shows_what_a_ruinous_range_hides():
    draw = iter(NOISE)

    def objective(values, _):
        ruin = 100.0 if values["lr"] == 0.1 else 0.0
        return ruin + (0.5 if values["width"] == 64 else 0.0) + 0.05 * next(draw)

    document = _document(make_runs(AXES, 4, objective))
    assert document["components"][0]["component"] == "lr"
    assert "outlier_dominated" in [flag["flag"] for flag in document["flags"]]
    half = document["better_half"]
    assert half["n_runs"] == 12
    assert half["components"][0]["component"] == "width"
    assert half["components"][0]["share"] > 0.8
    assert half["text"].startswith("Among the better half, width explains most (0.9")


def test_normal_runs_are_not_outlier_dominated():
    assert not is_outlier_dominated(NOISE[:100])
    assert is_outlier_dominated(np.array([*NOISE[:90], *[1000.0] * 10]))


def test_what_a_run_costs_is_explained_on_a_log_scale():
    rows = _rows()
    for i, row in enumerate(rows):
        row["duration_s"] = (1.0 if row["width"] == 16 else 8.0) * np.exp(0.05 * NOISE[100 + i])
    cost = _document(rows)["cost"]
    assert cost["components"][0]["component"] == "width"
    assert cost["components"][0]["share"] == pytest.approx(1, abs=0.01)
    assert cost["front"][0]["values"]["lr"] == 0.01
    assert cost["front"][0]["objective"] == min(row["objective"] for row in cost["front"])
    assert cost["text"].startswith("How long a run takes depends on width; ")


def test_the_front_holds_what_nothing_beats():
    def trial(name, number):
        run = Run(number, name, name, 0, "finished", None, 0.0, None, None, {"a": number})
        return Trial(name, {"a": number}, (run,))

    trials = [trial("a", 0), trial("b", 1), trial("c", 2), trial("d", 3)]
    loss = {0: 1.0, 1: 2.0, 2: 3.0, 3: 2.5}
    seconds = {0: 9.0, 1: 5.0, 2: 1.0, 3: 6.0}
    found = front(trials, [(loss, "minimize"), (seconds, "minimize")])
    assert [(t.trial_id, means) for t, means in found] == [
        ("a", (1.0, 9.0)),
        ("b", (2.0, 5.0)),
        ("c", (3.0, 1.0)),
    ]


def test_further_objectives_have_their_own_analysis_and_a_common_front():
    rows = _rows()
    for i, row in enumerate(rows):
        row["accuracy"] = 0.5 + 0.3 * (row["width"] == 64) + 0.01 * NOISE[200 + i]
    study = Study(
        "s", "val/loss", "minimize",
        (Parameter("lr", LR), Parameter("width", WIDTH)), others=(("accuracy", "maximize"),),
    )  # fmt: skip
    document = build_summary(make_table(rows), study).to_dict()
    other = document["objectives"]["list"][0]
    assert (other["metric"], other["direction"]) == ("accuracy", "maximize")
    assert other["components"][0]["component"] == "width"
    assert other["best"]["values"]["width"] == 64
    assert all(len(row["means"]) == 2 for row in document["objectives"]["front"])


def test_shares_change_through_training_and_the_ranking_settles():
    rows = _rows(scale=0.01)
    table = {"run": [], "epoch": [], "value": []}
    for row in rows:
        for epoch in range(8):
            early = 1.0 if row["width"] == 64 else 0.0
            weight = epoch / 7
            value = (1 - weight) * early + weight * row["objective"]
            for name, item in zip(table, (row["run"], epoch, value), strict=True):
                table[name].append(item)
    found = _document(rows, epochs=pa.table(table))["over_time"]
    assert [moment["epoch"] for moment in found["epochs"]] == list(range(8))
    assert found["epochs"][0]["shares"]["width"] == pytest.approx(1.0)
    assert found["epochs"][-1]["shares"]["lr"] > 0.9
    assert found["leader"] == "lr"
    assert 3 <= found["leader_from"] <= 5
    assert found["stable_from"] >= found["leader_from"]
    assert f"from epoch {found['stable_from']} on" in found["text"]


def test_runs_that_stopped_early_leave_the_later_epochs_to_the_others():
    rows = _rows()
    pairs = [(row, epoch) for row in rows for epoch in range(6 if row["run"] % 4 else 3)]
    epochs = pa.table(
        {
            "run": [row["run"] for row, _ in pairs],
            "epoch": [epoch for _, epoch in pairs],
            "value": [row["objective"] + 0.1 * epoch for row, epoch in pairs],
        }
    )
    found = _document(rows, epochs=epochs)["over_time"]
    assert [moment["runs"] for moment in found["epochs"]] == [24, 24, 24, 18, 18, 18]


def test_at_most_fifty_epochs_are_followed():
    rows = _rows()
    pairs = [(row, epoch) for row in rows for epoch in range(120)]
    epochs = pa.table(
        {
            "run": [row["run"] for row, _ in pairs],
            "epoch": [epoch for _, epoch in pairs],
            "value": [row["objective"] for row, _ in pairs],
        }
    )
    found = [m["epoch"] for m in _document(rows, epochs=epochs)["over_time"]["epochs"]]
    assert (len(found), found[0], found[-1]) == (50, 0, 119)


def test_rank_correlation_shares_ties():
    a, b = np.array([1.0, 2, 2, 3]), np.array([1.0, 2, 3, 4])
    assert rank_correlation(a, b) == pytest.approx(0.9486832980505138)
    assert rank_correlation(a, np.ones(4)) is None


def test_precision_says_how_many_runs_narrow_the_widest_share():
    wide = _document(_rows(seeds=3, scale=0.8), seeds="independent")["precision"]
    assert wide["half_width"] > 0.1
    assert wide["more_runs"] > 0
    assert wide["seconds"] == 2.0 * wide["more_runs"]
    assert "known to ± 0.1" in wide["text"]
    close = _document(_rows(seeds=4, scale=0.01), seeds="independent")["precision"]
    assert close["more_runs"] == 0


def test_robust_levels_and_noise_ratio_are_told():
    draw = iter(NOISE)
    rows = make_runs(
        AXES, 5, lambda v, _: (v["lr"] == 0.1) * 2.0 + (0.1 + 0.9 * (v["lr"] == 0.001)) * next(draw)
    )
    document = _document(rows, seeds="independent")
    lr = next(row for row in document["parameters"] if row["name"] == "lr")
    assert lr["noisiest"] == 0.001
    assert 4 < lr["noise_ratio"] < 40
    assert lr["within_sigma"] == [0.001, 0.01]
    assert lr["range"] is None
    assert lr["coverage"] is None


def test_the_next_points_lie_beside_a_best_level_in_a_file_that_parses():
    rows = make_runs(AXES, 4, lambda v, r: -np.log10(v["lr"]) + 0.01 * NOISE[r])
    found = _document(rows, seeds="independent")["next_points"]
    assert {point["lr"] for point in found["points"]} == {0.0316}
    assert "lr is best at its end 0.1: what lies beyond is not known" in found["reason"]
    sweep = yaml.safe_load(found["config"])["sweep"]
    assert sweep["design"] == "list"
    assert sweep["points"] == found["points"]
    assert sweep["replicates"] == 4
    assert sweep["objective"] == {"metric": "val/loss", "direction": "minimize"}


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_next_points_stay_between_the_ends_of_each_axis_and_among_its_choices(sign):
    axes = {"momentum": (0.0, 0.9, 0.95), "batch": (16, 32, 64), "act": ("relu", "tanh")}
    rows = make_runs(
        axes,
        3,
        lambda v, r: (
            sign * (v["momentum"] + np.log2(v["batch"]) + (v["act"] == "tanh")) + 0.01 * NOISE[r]
        ),
    )
    study = make_study(axes, seeds="independent")
    points = build_summary(make_table(rows), study).to_dict()["next_points"]["points"]
    if sign == 1:
        assert {point["momentum"] for point in points} == {0.0, 0.45}
        assert {point["batch"] for point in points} == {16, 23}
    else:
        assert {point["momentum"] for point in points} == {0.95, 0.925}
        assert {point["batch"] for point in points} == {64, 45}
    assert {point["act"] for point in points} == {"relu" if sign == 1 else "tanh"}

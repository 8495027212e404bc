"""The summary of whole sweeps: flags, refusals, sentences, stability."""

import json
import math
import re
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sweeps_for_tests import make_runs, make_study, make_table

from provrunner.schema import TABLES
from provrunner.sensitivity import Parameter, Study, build_summary

LR = (0.001, 0.003, 0.01, 0.03, 0.1)
WIDTH = (16, 64)
AXES = {"optimizer.lr": LR, "model.width": WIDTH}
DEFAULTS = {"optimizer.lr": 0.001, "model.width": 16}
CURVE = dict(zip(LR, (0.31, 0.21, 0.20, 0.33, 0.52), strict=True))
JITTER = np.random.default_rng(11).normal(size=400) * 0.02


def _objective(values, replicate):
    cell = LR.index(values["optimizer.lr"]) * 2 + WIDTH.index(values["model.width"])
    return CURVE[values["optimizer.lr"]] + JITTER[cell * 3 + replicate]


def _digits_runs():
    return make_runs(AXES, 3, _objective)


def _summary(rows, axes=AXES, **study):
    return build_summary(make_table(rows), make_study(axes, **study)).to_dict()


def _flags(document):
    return [item["flag"] for item in document["flags"]]


def _noisy(scale=0.1, seed=1):
    rng = np.random.default_rng(seed)
    return lambda values, replicate: scale * rng.normal()


def test_full_grid_with_common_seeds():
    document = _summary(_digits_runs(), defaults=DEFAULTS, planned=30)
    assert document["sweep"] == {
        "name": "a_sweep",
        "metric": "val/loss",
        "direction": "minimize",
        "design": "full_grid",
        "design_text": "full grid of 5 × 2 levels, 3 common seeds a trial",
        "planned": 30,
        "runs": 30,
        "trials": 10,
        "seeds": 3,
        "finished": 30,
        "not_finished": 0,
    }
    assert [part["component"] for part in document["components"]] == [
        "optimizer.lr",
        "model.width",
        "optimizer.lr × model.width",
        "seed",
        "noise",
    ]
    lr = document["parameters"][0]
    assert (lr["name"], lr["worth_tuning"], lr["best"]) == ("optimizer.lr", "yes", 0.01)
    assert lr["as_good"] == [0.003, 0.01]
    assert lr["verdict"] == (
        "optimizer.lr matters: 0.003 may be as good as the best value, 0.01; "
        "the default 0.001 costs 0.11 ± 0.02."
    )
    assert document["parameters"][1]["verdict"] == (
        "model.width: no effect seen; one of up to 0.020 is not excluded. "
        "20 more runs (about 40 s) would show one of 0.016 (1 σ)."
    )
    assert document["parameters"][1]["not_excluded"] == document["components"][1]["effect_high"]
    assert document["noise"]["source"] == "trial x seed residual"
    assert document["noise"]["df"] == 18
    assert document["flags"] == []
    assert document["advice"]["more_runs"] == 20
    assert document["advice"]["seconds"] == 40.0
    assert document["verdicts"][:2] == [item["verdict"] for item in document["parameters"]]


def test_one_lost_run_of_thirty_unbalances_but_does_not_stop_the_analysis():
    rows = _digits_runs()
    rows[17] |= {"status": "lost", "objective": None, "reason": "killed"}
    document = _summary(rows, planned=30)
    assert _flags(document) == ["unbalanced"]
    assert document["sweep"]["finished"] == 29
    assert document["sweep"]["not_finished"] == 1
    assert document["statuses"] == {"finished": 29, "lost": 1}
    assert document["components"][0]["significant"] is True
    assert document["components"][0]["n_runs"] == 29
    assert 17 not in document["components"][0]["runs"]
    assert document["failures"][0]["reason"] == "killed"
    assert document["noise"]["df"] == 17
    whole = _summary(_digits_runs())
    assert document["components"][0]["share"] == pytest.approx(
        whole["components"][0]["share"], abs=0.05
    )


def test_a_lost_trial_drops_the_interaction_and_names_it():
    rows = [row for row in _digits_runs() if row["run"] not in (27, 28, 29)]
    document = _summary(rows)
    assert _flags(document) == ["interactions_not_estimable", "unbalanced"]
    assert "optimizer.lr × model.width" in document["flags"][0]["detail"]
    assert [part["kind"] for part in document["components"]] == [
        "main",
        "main",
        "seed",
        "unresolved",
        "noise",
    ]
    hole = [cell for cell in document["interactions"] if cell["n"] == 0]
    assert [(cell["level_a"], cell["level_b"], cell["mean"]) for cell in hole] == [(0.1, 64, None)]


def test_runs_without_a_finite_objective_are_counted_not_analysed():
    rows = _digits_runs()
    rows[0]["objective"] = math.nan
    rows[7]["objective"] = math.inf
    rows[12] |= {"status": "pruned", "objective": 3.0}
    rows[20] |= {"status": "running", "objective": None}
    document = _summary(rows, planned=30)
    assert [(item["run"], item["reason"]) for item in document["failures"]] == [
        (0, "objective is nan"),
        (7, "objective is inf"),
    ]
    assert document["statuses"] == {"finished": 28, "pruned": 1, "running": 1}
    assert {"unbalanced", "pruned_left_out"} <= set(_flags(document))
    assert document["components"][0]["n_runs"] == 26


def test_grid_without_replicates_calls_the_rest_unresolved():
    axes = {"a": (1, 2, 3), "b": (1, 2, 3), "c": (1, 2)}
    document = _summary(make_runs(axes, 1, lambda v, _: v["a"] + _noise(v)), axes)
    assert _flags(document) == ["noise_not_estimable", "robust_tests"]
    assert [part["kind"] for part in document["components"]][-1] == "unresolved"
    assert "noise" not in {part["kind"] for part in document["components"]}
    assert document["noise"]["estimable"] is False
    assert document["noise"]["sigma"] is None
    assert document["best"]["better"] is None
    assert document["components"][0]["component"] == "a"
    assert document["components"][0]["effect_sigma"] is None
    assert document["components"][0]["significant"] is True
    assert document["advice"]["text"] == (
        "18 more runs (about 36 s), 2 seeds a trial, would show the noise."
    )


def _noise(values):
    return 0.1 * math.sin(sum(37.0 * (i + 1) * x for i, x in enumerate(values.values())))


def test_one_factor_at_a_time_has_mains_only():
    axes = {"a": (0, 1, 2), "b": (0, 1, 2)}
    points = [(0, 0), (1, 0), (2, 0), (0, 1), (0, 2)]
    draw = _noisy()
    rows = make_runs(axes, 3, lambda v, r: v["a"] + draw(v, r), points=points)
    document = _summary(rows, axes)
    assert document["sweep"]["design"] == "one_at_a_time"
    assert _flags(document) == ["interactions_not_estimable"]
    assert [part["component"] for part in document["components"]] == ["a", "b", "seed", "noise"]
    assert document["components"][0]["significant"] is True
    assert document["components"][1]["significant"] is False


def test_single_factor_with_unequal_noise_uses_welch():
    from statsmodels.stats.oneway import anova_oneway

    rng = np.random.default_rng(3)
    groups = [rng.normal(0, 0.01, 6), rng.normal(0.1, 0.02, 6), rng.normal(0.5, 2.0, 6)]
    axes = {"lr": (1, 2, 3)}
    rows = make_runs(axes, 6, lambda v, r: groups[v["lr"] - 1][r])
    document = _summary(rows, axes, seeds="independent")
    assert document["sweep"]["design"] == "single_factor"
    assert _flags(document) == ["heteroscedastic"]
    assert "noisiest at 3" in document["flags"][0]["detail"]
    expected = anova_oneway(groups, use_var="unequal")
    assert document["components"][0]["f"] == pytest.approx(expected.statistic)
    assert document["components"][0]["p"] == pytest.approx(expected.pvalue)


def test_single_factor_with_equal_noise_is_a_one_way_analysis():
    from scipy.stats import f_oneway

    rng = np.random.default_rng(4)
    groups = rng.normal(size=(3, 5)) + np.array([[0.0], [0.0], [3.0]])
    axes = {"lr": (1, 2, 3)}
    rows = make_runs(axes, 5, lambda v, r: groups[v["lr"] - 1][r])
    document = _summary(rows, axes, seeds="independent")
    expected = f_oneway(*groups)
    assert _flags(document) == []
    assert document["components"][0]["f"] == pytest.approx(expected.statistic)
    assert document["components"][0]["p"] == pytest.approx(expected.pvalue)
    assert document["noise"]["source"] == "runs of one trial"


def test_aliased_parameters_are_one_effect():
    axes = {"width": (16, 32, 64), "heads": (1, 2, 4)}
    points = [(16, 1), (32, 2), (64, 4)]
    draw = _noisy()
    rows = make_runs(axes, 4, lambda v, r: v["width"] + draw(v, r), points=points)
    document = _summary(rows, axes, defaults={"width": 16, "heads": 1})
    assert _flags(document) == ["aliased"]
    assert document["components"][0]["parameters"] == ["width", "heads"]
    assert document["parameters"][0]["levels"] == ["16 & 1", "32 & 2", "64 & 4"]
    assert document["parameters"][0]["default"] == "16 & 1"


def test_constants_and_levels_without_a_result_are_listed():
    axes = {**AXES, "data.size": (100,)}
    rows = make_runs(axes, 3, _objective)
    for row in rows:
        if row["optimizer.lr"] == 0.1:
            row |= {"status": "diverged", "objective": None}
    document = _summary(rows, axes)
    assert document["dropped"] == [
        {"name": "optimizer.lr=0.1", "reason": "no run with it finished with a finite objective"},
        {"name": "data.size", "reason": "constant: 100 in all finished runs"},
    ]
    assert document["sweep"]["design"] == "full_grid"
    assert len(document["failures"]) == 6


def test_few_runs_make_means_and_no_conclusion():
    rows = _digits_runs()[:6]
    document = _summary(rows)
    assert _flags(document) == ["cannot_conclude"]
    assert document["flags"][0]["detail"] == "6 finished runs, at least 8 are needed: means only"
    assert document["components"] == []
    assert document["parameters"][0]["verdict"] == "model.width: no conclusion from 6 runs."
    assert document["parameters"][0]["worth_tuning"] == "unknown"
    means = [row["mean"] for row in document["marginals"]]
    assert means == pytest.approx([0.31 + JITTER[:3].mean(), 0.31 + JITTER[3:6].mean()])
    assert document["best"]["better"] is None


def test_no_residual_degrees_of_freedom_make_no_conclusion():
    axes = {"a": tuple(range(9))}
    document = _summary(make_runs(axes, 1, lambda v, _: v["a"] ** 2), axes)
    assert document["flags"][0]["detail"] == (
        "0 residual degrees of freedom, at least 3 are needed: means only"
    )
    assert document["advice"]["more_runs"] == 9


def test_a_constant_metric_is_said():
    document = _summary(make_runs(AXES, 3, lambda v, r: 0.5))
    assert _flags(document)[0] == "constant_metric"
    assert document["components"] == []
    assert document["advice"] is None


def test_bit_identical_reruns_count_once():
    rows = _digits_runs()
    again = [{**row, "run": row["run"] + 30, "run_id": f"00{row['run'] + 30}"} for row in rows[:4]]
    document = _summary([*rows, *again])
    assert _flags(document) == ["reruns_collapsed"]
    assert document["components"] == _summary(rows)["components"]


def test_seeds_without_effect_are_no_replicates():
    axes = {"a": (1, 2, 3), "b": (1, 2, 3), "c": (1, 2)}
    rows = make_runs(axes, 3, lambda v, _: v["a"] + _noise(v))
    document = _summary(rows, axes)
    assert _flags(document)[:2] == ["seeds_have_no_effect", "noise_not_estimable"]
    assert document["components"][0]["n_runs"] == 18


def test_no_runs_at_all_still_make_a_summary():
    rows = make_runs(AXES, 1, _objective)
    for row in rows:
        row |= {"status": "failed", "objective": None}
    document = _summary(rows)
    assert document["best"] is None
    assert _flags(document) == ["cannot_conclude"]
    assert [item["name"] for item in document["dropped"]][-1] == "model.width"


def test_one_run_is_a_sweep_of_one_trial():
    document = _summary(make_runs({}, 1, lambda v, r: 0.4), {})
    assert document["verdicts"] == [
        "Best run 0000-f6fa7209: 0.4 at epoch 9; no other trial to compare it with."
    ]


def test_null_is_a_level_and_text_spells_numbers():
    rows = make_runs({"clip": ("null", "1e-3")}, 6, _noisy())
    for row in rows:
        row["clip"] = None if row["clip"] == "null" else row["clip"]
    document = _summary(rows, {"clip": (None, 0.001)})
    assert document["parameters"][0]["levels"] == [None, 0.001]
    assert document["marginals"][0]["is_default"] is True
    assert document["marginals"][1]["n"] == 6


def test_lists_as_levels_match_their_json():
    axes = {"hidden": ("[64,64]", "[128]")}
    document = _summary(make_runs(axes, 6, _noisy()), {"hidden": ([64, 64], [128])})
    assert document["parameters"][0]["levels"] == [[64, 64], [128]]


def test_interaction_is_said_of_both_factors():
    axes = {"a": (0, 1), "b": (0, 1)}
    draw = _noisy(0.05)
    rows = make_runs(axes, 5, lambda v, r: float(v["a"] == v["b"]) + draw(v, r))
    document = _summary(rows, axes)
    assert document["verdicts"][0] == (
        "a: no effect seen on average, but it changes the effect of b."
    )
    assert document["verdicts"][2].startswith("a and b interact, share ")
    component = [row["component"] for row in document["interactions"]]
    assert component == pytest.approx([0.5, -0.5, -0.5, 0.5], abs=0.05)


def test_a_seed_that_one_run_alone_has_breaks_no_robust_test():
    rng = np.random.default_rng(8)
    axes = {"a": (0, 1, 2, 3), "b": (0, 1)}
    rows = make_runs(axes, 6, lambda v, r: rng.normal() * (0.01 if v["a"] else 5.0))
    rows[-1]["seed"] = 999
    document = _summary(rows, axes)
    assert "heteroscedastic" in _flags(document)
    assert all(0 <= part["p"] <= 1 for part in document["components"][:3])
    assert document["noise"]["df"] == 48 - 8 - 6


def test_a_clear_winner_is_said_with_its_advantage():
    axes = {"a": (0, 1), "b": (0, 1, 2)}
    draw = _noisy(0.01)
    rows = make_runs(axes, 4, lambda v, r: v["a"] + v["b"] + draw(v, r))
    best = _summary(rows, axes)["best"]
    assert best["better"] is True
    assert best["values"] == {"a": 0, "b": 0}
    assert best["low"] < 1.0 < best["high"]
    assert "beats the runner-up by 0.998 ± 0.010" in best["statement"]


def test_the_best_run_of_a_trial_that_is_not_best_on_average_is_not_better():
    axes = {"a": (0, 1)}
    values = {0: (0.1, 0.9, 0.8, 0.9, 0.9), 1: (0.5, 0.5, 0.4, 0.45, 0.5)}
    document = _summary(make_runs(axes, 5, lambda v, r: values[v["a"]][r]), axes)
    assert document["best"]["run"] == 0
    assert document["best"]["better"] is False
    assert "the trial a 1 has the better mean over its seeds" in document["best"]["statement"]


def test_maximize_is_minimize_of_the_negated_objective():
    rows = _digits_runs()
    turned = [{**row, "objective": -row["objective"]} for row in rows]
    low = _summary(rows, defaults=DEFAULTS)
    high = _summary(turned, defaults=DEFAULTS, direction="maximize")
    assert high["components"] == low["components"]
    assert high["parameters"] == low["parameters"]
    assert high["noise"] == low["noise"]
    assert [row["mean"] for row in high["marginals"]] == [-row["mean"] for row in low["marginals"]]
    assert [row["low"] for row in high["marginals"]] == [-row["high"] for row in low["marginals"]]
    assert high["verdicts"][:-1] == low["verdicts"][:-1]
    assert high["best"]["run"] == low["best"]["run"]
    assert high["best"]["difference"] == low["best"]["difference"]
    assert [t["trial_id"] for t in high["trials"]] == [t["trial_id"] for t in low["trials"]]


@settings(max_examples=10, deadline=None)
@given(order=st.permutations(range(30)), lost=st.sets(st.integers(0, 29), max_size=3))
def test_the_order_of_rows_does_not_matter(order, lost):
    rows = _digits_runs()
    for i in lost:
        rows[i] |= {"status": "failed", "objective": None}
    shuffled = [rows[i] for i in order]
    study = make_study(AXES, defaults=DEFAULTS)
    assert (
        build_summary(make_table(shuffled), study).to_json()
        == build_summary(make_table(rows), study).to_json()
    )


def test_json_has_sorted_keys_and_no_nan():
    rows = _digits_runs()
    rows[0]["objective"] = math.nan
    text = build_summary(make_table(rows), make_study(AXES)).to_json()
    document = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert list(document) == sorted(document)
    assert set(document) == {
        "format", "sweep", "statuses", "components", "noise", "parameters", "marginals",
        "interactions", "best", "trials", "failures", "dropped", "flags", "advice", "verdicts",
        "method", "trust", "failure_rates", "better_half", "cost", "objectives", "over_time",
        "precision", "next_points",
    }  # fmt: skip


def test_effects_have_the_public_schema():
    summary = build_summary(make_table(_digits_runs()), make_study(AXES))
    assert summary.effects.schema == TABLES["sensitivity"]
    assert summary.effects["objective"].unique().to_pylist() == ["val/loss"]
    assert summary.to_frame()["component"].tolist()[-1] == "noise"


def test_a_missing_column_is_named():
    table = make_table(_digits_runs()).drop_columns(["model.width"])
    with pytest.raises(ValueError, match=r"no column 'model\.width'"):
        build_summary(table, make_study(AXES))


def test_unknown_words_are_refused():
    with pytest.raises(ValueError, match="direction is 'lower'"):
        Study("s", "m", "lower", ())
    with pytest.raises(ValueError, match="scale is 'log10'"):
        Parameter("lr", (1,), "log10")


def test_a_small_effect_seen_by_many_runs_is_not_worth_tuning():
    axes = {"a": (0, 1), "b": (0, 1)}
    document = _summary(make_runs(axes, 60, _noisy()), axes, defaults={"a": 0, "b": 1})
    assert {item["worth_tuning"] for item in document["parameters"]} == {"no"}
    assert all("four times in five" in item["verdict"] for item in document["parameters"])
    assert document["advice"] is None


def test_summary_loads_no_heavy_package():
    code = (
        "import sys, pyarrow as pa; from provrunner.sensitivity import *;"
        "t = pa.table({'run': list(range(8)), 'status': ['finished'] * 8,"
        " 'objective': [float(i % 3) for i in range(8)], 'lr': [0, 1] * 4});"
        "build_summary(t, Study('s', 'm', 'minimize', (Parameter('lr', (0, 1)),))).to_json();"
        "print([m for m in ('scipy.stats', 'torch', 'sklearn', 'lightning') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_empty_table_makes_an_empty_summary():
    table = pa.table(
        {"run": pa.array([], pa.int32()), "status": pa.array([], pa.utf8()),
         "objective": pa.array([], pa.float64())}
    )  # fmt: skip
    document = build_summary(table, make_study({})).to_dict()
    assert document["sweep"]["runs"] == 0
    assert document["verdicts"] == []


def test_one_run_alone_is_too_few_and_not_constant():
    document = _summary(make_runs({"a": (1,)}, 1, lambda v, r: 0.5), {"a": (1,)})
    assert document["flags"][0] == {
        "flag": "cannot_conclude",
        "detail": "1 finished run, at least 8 are needed: means only",
    }


def test_noise_that_may_differ_is_said_to_and_changes_the_tests_alone():
    rng = np.random.default_rng(0)
    axes = {"a": (0, 1, 2), "b": (0, 1)}
    rows = make_runs(axes, 4, lambda v, _: rng.normal() * (1.0 + 0.7 * v["a"]))
    (flag,) = _summary(rows, axes, seeds="independent")["flags"]
    assert flag["flag"] == "robust_tests"
    p = float(re.search(r"may differ between levels of a \(p = ([\d.]+)\)", flag["detail"])[1])
    assert 0.05 <= p < 0.2
    assert flag["detail"].endswith("tests that allow for it are used")


def test_what_one_trial_makes_up_alone_is_said_to_rest_on_it():
    rng = np.random.default_rng(4)
    axes = {"a": (0, 1, 2), "b": (0, 1, 2), "c": (0, 1)}
    lone = {"a": 1, "b": 2, "c": 0}
    document = _summary(
        make_runs(axes, 2, lambda v, _: 10.0 * (v == lone) + rng.normal()),
        axes,
        seeds="independent",
    )
    assert any(part["significant"] for part in document["components"])
    (detail,) = [f["detail"] for f in document["flags"] if f["flag"] == "one_trial_decides"]
    assert "without one trial, a 1, b 2, c 0 (2 runs), nothing is significant" in detail


@pytest.mark.parametrize(
    "effect", [lambda v: 10.0 * (v["a"] == 1), lambda v: 10.0 * v["a"] * v["b"]]
)
def test_what_several_trials_show_rests_on_none_of_them(effect):
    rng = np.random.default_rng(2)
    axes = {"a": (0, 1, 2), "b": (0, 1, 2), "c": (0, 1)}
    rows = make_runs(axes, 2, lambda v, _: effect(v) + rng.normal())
    document = _summary(rows, axes, seeds="independent")
    assert any(part["significant"] for part in document["components"])
    assert "one_trial_decides" not in _flags(document)


def test_the_documents_intervals_are_the_textbooks():
    rng = np.random.default_rng(0)
    axes = {"a": (0, 1, 2), "b": (0, 1)}
    rows = make_runs(axes, 4, lambda v, _: 2.0 * v["b"] + rng.normal())
    document = _summary(rows, axes, seeds="independent", defaults={"b": 1})
    assert document["flags"] == []
    y = np.array([row["objective"] for row in rows]).reshape(3, 2, 4)
    s = np.sqrt(((y - y.mean(axis=2, keepdims=True)) ** 2).sum() / 18)
    noise = document["noise"]
    assert noise["sigma"] == pytest.approx(s)
    assert noise["sigma_low"] == pytest.approx(s * np.sqrt(18 / 31.5264), rel=1e-4)
    assert noise["sigma_high"] == pytest.approx(s * np.sqrt(18 / 8.2307), rel=1e-4)
    difference = y[:, 1].mean() - y[:, 0].mean()
    width = 2.10092 * s * np.sqrt(2 / 12)
    main = next(part for part in document["components"] if part["component"] == "b")
    assert main["effect"] == pytest.approx(difference)
    assert main["effect_low"] == pytest.approx(difference - width, rel=1e-3)
    assert main["effect_high"] == pytest.approx(difference + width, rel=1e-3)
    assert main["effect_sigma"] == pytest.approx(difference / s)
    b = next(row for row in document["parameters"] if row["name"] == "b")
    assert (b["best"], b["worth_tuning"]) == (0, "yes")
    assert b["gain"] == pytest.approx(difference)
    assert b["gain_low"] == pytest.approx(difference - width, rel=1e-3)
    assert b["gain_high"] == pytest.approx(difference + width, rel=1e-3)
    trust = document["trust"]
    assert (trust["residual_df"], trust["runs_per_parameter"]) == (18, 4)
    assert trust["leverage"] == pytest.approx(6 / 24)
    best = document["best"]
    assert best["objective"] == y.min()
    others = y.reshape(6, 4)[[i for i in range(6) if y.min() not in y.reshape(6, 4)[i]]]
    nearest = others[np.argmin(others.mean(axis=1))]
    assert best["runner_up"]["objective"] == nearest.min()

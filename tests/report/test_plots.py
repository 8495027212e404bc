import math
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provrunner.report.axes import choose_axis, value_scale
from provrunner.report.curves import curve_rows, learning_curves
from provrunner.report.frame import render_svg
from provrunner.report.marginals import marginal
from provrunner.report.plots import importance, interaction, seed_noise
from provrunner.report.svg import inline_svg
from provrunner.report.theme import BLUE, GREY, PALE

LR, WIDTH = "optimizer.lr", "model.width"


@pytest.fixture
def values(plan):
    return {point.run: point.values for point in plan.points}


def rows_of(layer: dict[str, Any], chart: dict[str, Any]) -> list[dict[str, Any]]:
    return chart["datasets"][layer["data"]["name"]]


def layer_rows(chart: Any, key: str) -> list[dict[str, Any]]:
    document = chart.to_dict()
    found = [rows_of(layer, document) for layer in document["layer"] if "data" in layer]
    found += [rows_of(document, document)] if "data" in document else []
    return next(rows for rows in found if rows and key in rows[0])


def test_importance_keeps_the_axis_from_0_to_1_and_noise_as_a_grey_bar(summary):
    chart = importance(summary)
    assert chart.to_dict()["layer"][0]["encoding"]["x"]["scale"]["domain"] == [0, 1]
    bars = {row["name"]: row for row in layer_rows(chart, "share")}
    assert list(bars) == [
        "optimizer.lr",
        "model.width",
        "lr × width",
        "seed (shared)",
        "seed noise",
    ]
    assert [row["fill"] for row in bars.values()] == [BLUE, PALE, PALE, GREY, GREY]
    assert bars["seed noise"]["share"] == 0.1


def test_importance_says_verdict_and_size(summary):
    title = importance(summary).to_dict()["title"]
    assert " ".join(title["text"]) == summary["verdicts"][0]
    assert "n = 29 finished runs; 30 runs = 10 trials × 3 seeds" in " ".join(title["subtitle"])


def test_nothing_is_drawn_from_nothing(summary, tables):
    summary["components"] = summary["marginals"] = summary["interactions"] = summary["trials"] = []
    assert importance(summary) is None
    assert marginal(summary, LR, tables["runs"], {}) is None
    assert interaction(summary, LR, WIDTH) is None
    assert seed_noise(summary, tables["runs"]) is None


def test_a_marginal_curve_has_a_log_axis_points_default_and_shade(summary, tables, values):
    chart = marginal(summary, LR, tables["runs"], values)
    svg = render_svg(chart)
    scales = [layer["encoding"]["x"]["scale"]["type"] for layer in chart.to_dict()["layer"]]
    assert set(scales) == {"log"}
    assert svg.count('aria-label="run ') == 30
    assert ">default<" in svg
    assert svg.count('aria-label="as good as the best"') == 2
    assert 'aria-label="run 26: diverged"' in svg


def test_many_runs_are_shown_by_150_dots_and_the_subtitle_says_so(summary, tables, values):
    runs = pa.concat_tables([tables["runs"]] * 40)
    chart = marginal(summary, LR, runs, values)
    assert render_svg(chart).count('aria-label="run ') == 190
    assert "Dots: 150 of 1160 runs." in " ".join(chart.to_dict()["title"]["subtitle"])


def test_categorical_levels_stand_side_by_side(summary, tables, values):
    summary["parameters"][1]["scale"] = "categorical"
    chart = marginal(summary, WIDTH, tables["runs"], values).to_dict()
    assert {layer["encoding"]["x"]["type"] for layer in chart["layer"]} == {"nominal"}


def test_a_heat_map_shows_the_pair_component_around_zero(summary):
    chart = interaction(summary, LR, WIDTH).to_dict()
    scale = chart["layer"][0]["encoding"]["color"]["scale"]
    assert scale["domain"] == [-0.008, 0.008]
    assert "not significant" in " ".join(chart["title"]["subtitle"])


def test_trials_without_a_second_seed_show_no_noise(summary, tables):
    for trial in summary["trials"]:
        trial["n"] = 1
    assert seed_noise(summary, tables["runs"]) is None


def test_curves_give_median_and_quartiles_by_level(tables, values):
    rows = curve_rows(tables["epochs"], values, metric="val/loss", parameter=LR)
    assert len(rows) == 50
    assert [row["level"] for row in rows[::10]] == ["0.001", "0.003", "0.01", "0.03", "0.1"]
    assert all(row["low"] <= row["value"] <= row["high"] for row in rows)
    assert {row["n"] for row in rows if row["level"] == "0.1"} == {6, 5}


def long_epochs(runs: int, epochs: int) -> pa.Table:
    numbers = [run for run in range(runs) for _ in range(epochs)]
    steps = list(range(epochs)) * runs
    return pa.table(
        {
            "run": pa.array(numbers, pa.int32()),
            "epoch": pa.array(steps, pa.int32()),
            "m": pa.array([math.nan if step == 7 else 1.0 for step in steps]),
        }
    )


def test_curves_never_have_more_than_5000_rows():
    values = {run: {"lr": run / 10} for run in range(20)}
    rows = curve_rows(long_epochs(20, 3000), values, metric="m", parameter="lr")
    assert 4000 < len(rows) <= 5000
    assert {row["level"] for row in rows} == {
        "0 to 0.30", "0.40 to 0.70", "0.80 to 1.1", "1.2 to 1.5", "1.6 to 1.9",
    }  # fmt: skip
    assert {rows[0]["epoch"], rows[-1]["epoch"]} == {0, 2999}


def test_values_that_are_no_numbers_leave_the_curves():
    rows = curve_rows(long_epochs(2, 9), {0: {}, 1: {}}, metric="m", parameter=None)
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3, 4, 5, 6, 8]


def test_one_epoch_makes_no_curve():
    values = {0: {}}
    assert learning_curves(long_epochs(1, 1), values, metric="m", parameter=None) is None
    assert learning_curves(long_epochs(1, 9), values, metric="x", parameter=None) is None


def test_a_chart_drawn_again_is_the_same(summary):
    first, second = (
        inline_svg(render_svg(importance(summary)), prefix="a-", label="x") for _ in range(2)
    )
    assert first == second


HOSTILE = "</text><script>alert(1)</script>{{x}} ' \" \u202e\n${y}"


def test_a_hostile_name_stays_text_in_every_chart(summary, tables, plan):
    summary["sweep"]["metric"] = summary["verdicts"][0] = HOSTILE
    for row in [*summary["marginals"], *summary["parameters"]]:
        row["level" if "level" in row else "name"] = HOSTILE
        row["parameter"] = HOSTILE
    summary["parameters"][0]["scale"] = "categorical"
    for cell in summary["interactions"]:
        cell["a"] = cell["level_b"] = HOSTILE
    for trial in summary["trials"]:
        trial["values"] = {HOSTILE: HOSTILE}
    charts = [
        importance(summary),
        marginal(summary, HOSTILE, tables["runs"], {0: {HOSTILE: HOSTILE}}),
        interaction(summary, HOSTILE, WIDTH),
        seed_noise(summary, tables["runs"]),
    ]
    for chart in charts:
        svg = inline_svg(render_svg(chart), prefix="h-", label=HOSTILE)
        assert "<script" not in svg
        assert "alert(1)" in svg
        assert "\u202e" not in svg


@given(
    st.lists(st.integers(1, 10**6).map(lambda n: n / 1000), min_size=2, max_size=8, unique=True),
    st.sampled_from(["linear", "log"]),
)
def test_every_level_lies_on_its_axis(levels, scale):
    rows = [{"level": level, "position": i} for i, level in enumerate(levels)]
    axis = choose_axis(rows, {"name": "x", "scale": scale, "default": None})
    low, high = axis.domain
    assert low < min(levels)
    assert max(levels) < high
    spans = axis.spans(levels)
    assert all(a["x2"] == b["x"] for a, b in pairwise(spans))


@pytest.mark.parametrize(
    ("levels", "default", "kind"),
    [
        ([0.001, 0.01, 0.1, 0.3], None, "log"),
        ([1.0, 50.0, 100.0], None, "linear"),
        ([1.0, 10.0], 1.0, "linear"),
        ([0.001, 0.01, 0.1], 0.0, "linear"),
        ([0.01, 3.3, 1.1 * 3, 5.0], None, "linear"),
        ([1, 100, 100.00000000000001, 1e4], None, "linear"),
    ],
)
def test_levels_that_grow_by_factors_get_a_log_axis(levels, default, kind):
    rows = [{"level": level, "position": i} for i, level in enumerate(levels)]
    assert choose_axis(rows, {"name": "x", "scale": "linear", "default": default}).scale == kind


def test_a_log_axis_needs_positive_levels():
    rows = [{"level": level, "position": i} for i, level in enumerate([0.0, 0.1])]
    assert choose_axis(rows, {"name": "x", "scale": "log", "default": None}).scale == "linear"


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_a_value_of_failed_runs_alone_must_have_a_place_on_the_axis(scale):
    rows = [{"level": level, "position": i} for i, level in enumerate([0.001, 0.01, 0.1])]
    parameter = {"name": "x", "scale": scale, "default": None}
    assert choose_axis(rows, parameter, [0.001, 0.5, None]).scale == "log"
    assert choose_axis(rows, parameter, [0.001, 0.0]).scale == "linear"


def test_truth_values_are_no_numbers():
    rows = [{"level": level, "position": i} for i, level in enumerate([False, True])]
    axis = choose_axis(rows, {"name": "x", "scale": "linear", "default": True})
    assert (axis.scale, axis.place(True)) == ("categorical", "true")


@pytest.mark.parametrize(
    ("values", "kind"),
    [([0.001, 1.0], "log"), ([0.5, 1.0], None), ([-1.0, 100.0], None), ([], None)],
)
def test_an_objective_over_a_factor_of_100_gets_a_log_axis(values, kind):
    scale, _ = value_scale(values, "minimize")
    assert scale.to_dict().get("type") == kind

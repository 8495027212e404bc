"""What the page says of failures, cost, time and the next runs, from an analysis made for real."""

import re
from types import SimpleNamespace
from typing import Any

import pytest

from provrunner.report.chart_files import write_charts
from provrunner.report.figures import list_pictures
from provrunner.report.frame import render_svg
from provrunner.report.html import build_page
from provrunner.report.latex import latex_text, summary_latex
from provrunner.report.lines import run_lines
from provrunner.report.marginals import marginal
from provrunner.report.points import design_map, failure_rate, quality_cost
from provrunner.report.results import build_study, objective_by_epoch, trials_table
from provrunner.report.shares import better_half, course, course_names, precision
from provrunner.report.theme import GREEN, GREY, VERMILION
from provrunner.sensitivity import build_summary

LR, WIDTH = "optimizer.lr", "model.width"
LOST = {"status": "diverged", "objective": None, "reason": "val/loss is NaN"}


@pytest.fixture(scope="session")
def lossy_runs(plan, tables):
    """The runs, of which those at the highest rate diverged."""
    import pyarrow as pa

    runs = tables["runs"]
    rows = [{**row, **(LOST if row[LR] == 0.1 else {})} for row in runs.to_pylist()]
    return pa.Table.from_pylist(rows, runs.schema)


@pytest.fixture(scope="session")
def analysed(plan, tables, lossy_runs) -> dict[str, Any]:
    epochs = objective_by_epoch(tables["epochs"], "val/loss")
    return build_summary(trials_table(plan, lossy_runs), build_study(plan), epochs=epochs).to_dict()


@pytest.fixture(scope="session")
def values(plan):
    return {point.run: point.values for point in plan.points}


def rows_of(chart: Any, layer: int) -> list[dict[str, Any]]:
    document = chart.to_dict()
    data = document["layer"][layer].get("data") or document["data"]
    return document["datasets"][data["name"]]


def words(chart: Any, part: str) -> str:
    return " ".join(chart.to_dict()["title"][part])


def test_shares_by_epoch_are_stacked_with_the_runs_at_each_epoch(analysed):
    chart = course(analysed)
    rows = rows_of(chart, 0)
    assert {row["epoch"] for row in rows} == set(range(10))
    assert {row["name"] for row in rows} >= {LR, WIDTH, "seed noise"}
    assert words(chart, "subtitle").startswith("n = 24 runs at each epoch.")
    assert words(chart, "text") == analysed["over_time"]["text"]


def test_small_components_are_told_together_in_the_picture_by_epoch(analysed):
    names = [f"p{i}" for i in range(8)]
    shares = dict.fromkeys(names, 0.1) | {"noise": 0.2}
    moments = [{"epoch": epoch, "runs": 9, "shares": shares} for epoch in (0, 1)]
    summary = {**analysed, "over_time": {**analysed["over_time"], "epochs": moments}}
    assert list(course_names(summary).values()).count("all others") == 3
    assert sum(row["share"] for row in rows_of(course(summary), 0)) == pytest.approx(2.0)


def test_the_better_half_stands_beside_all_runs(analysed):
    chart = better_half(analysed)
    half = analysed["better_half"]
    assert f"the better {half['n_runs']}," in words(chart, "subtitle")
    assert "without tests" in words(chart, "subtitle")
    tips = [row["tip"] for row in [*rows_of(chart, 0), *rows_of(chart, 2)]]
    assert any(tip.startswith(f"{LR}, all runs: ") for tip in tips)
    assert any(tip.startswith(f"{LR}, better half: ") for tip in tips)


def test_shares_that_are_not_known_well_enough_stand_out(analysed):
    found = analysed["precision"]
    rows = {row["name"]: row for row in rows_of(precision(analysed), 0)}
    assert rows[found["component"]]["half"] == pytest.approx(found["half_width"], abs=1e-6)
    wide = {name for name in (LR, WIDTH) if rows[name]["half"] > 0.1}
    assert {name for name, row in rows.items() if row["fill"] == VERMILION} >= wide != set()
    assert rows["seed noise"]["fill"] == GREY
    assert words(precision(analysed), "text") == found["text"]


def test_failure_rates_have_wilsons_intervals_and_their_counts(analysed):
    rows = {row["level"]: row for row in rows_of(failure_rate(analysed, LR), 1)}
    assert [row["text"] for row in rows.values()] == ["0/6", "0/6", "0/6", "0/6", "6/6"]
    assert rows["0.1"]["low"] == pytest.approx(0.6097, abs=1e-4)
    assert words(failure_rate(analysed, LR), "text") == f"How often runs fail depends on {LR}"
    assert "n = 30 ended runs" in words(failure_rate(analysed, LR), "subtitle")
    assert failure_rate(analysed, "no such name") is None


def test_failures_of_a_number_have_a_logistic_curve_on_its_own_scale(analysed):
    chart = failure_rate(analysed, LR)
    curve, points = rows_of(chart, 0), rows_of(chart, 1)
    assert chart.to_dict()["layer"][0]["encoding"]["x"]["scale"]["type"] == "log"
    assert [row["x"] for row in points] == pytest.approx([0.001, 0.003, 0.01, 0.03, 0.1])
    chances = [row["rate"] for row in curve]
    assert chances[0] < 0.1 < 0.9 < chances[-1]
    assert "logistic regression" in words(chart, "subtitle")
    own = next(row for row in analysed["failure_rates"]["parameters"] if row["name"] == LR)
    drawn = {
        "rates": [
            {
                "level": None,
                "start": a,
                "stop": b,
                "runs": 9,
                "failed": 3,
                "rate": 1 / 3,
                "low": 0.1,
                "high": 0.6,
            }
            for a, b in ((0.001, 0.01), (0.01, 0.1))
        ]
    }
    told = {**analysed["failure_rates"], "parameters": [{**own, **drawn}]}
    bins = failure_rate({**analysed, "failure_rates": told}, LR)
    assert bins.to_dict()["layer"][0]["encoding"]["x"]["scale"]["domain"] == [0.001, 0.1]
    middles = [row["x"] for row in rows_of(bins, 1)]
    assert middles == pytest.approx([0.001 * 10**0.5, 0.01 * 10**0.5])
    bare = {**next(row for row in analysed["failure_rates"]["parameters"] if row["name"] == LR)}
    bare["curve"] = []
    plain = failure_rate(
        {**analysed, "failure_rates": {**analysed["failure_rates"], "parameters": [bare]}}, LR
    )
    assert plain.to_dict()["layer"][0]["encoding"]["x"]["type"] == "nominal"


def test_the_front_of_quality_and_cost_is_the_analysis_own(analysed, lossy_runs):
    chart = quality_cost(analysed, lossy_runs)
    front = rows_of(chart, 1)
    assert {row["value"] for row in front} == {
        row["objective"] for row in analysed["cost"]["front"]
    }
    seconds = [row["seconds"] for row in front]
    assert seconds == sorted(seconds)
    assert len(rows_of(chart, 0)) + len(front) == 8


def test_the_design_shows_counts_failures_and_where_to_run_next(analysed, lossy_runs, values):
    chart = design_map(analysed, [LR, WIDTH], lossy_runs, values)
    svg = render_svg(chart)
    assert svg.count('aria-label="3 runs finished here: ') == 8
    assert svg.count('aria-label="3 runs did not finish here: ') == 2
    named = [f'aria-label="{i}: ' for i, _ in enumerate(analysed["next_points"]["points"], 1)]
    assert all(name in svg for name in named)
    assert GREEN in svg
    assert design_map(analysed, [LR], lossy_runs, values) is None


@pytest.mark.parametrize("given", ["run", "next point"])
def test_what_lies_at_0_stays_on_charts_of_levels_that_grow_by_factors(
    analysed, lossy_runs, values, given
):
    points = analysed["next_points"]["points"]
    if given == "run":  # those at the highest rate, which all diverged
        values = {run: {**at, LR: 0.0 if at[LR] == 0.1 else at[LR]} for run, at in values.items()}
    else:
        points = [{**points[0], LR: 0.0}]
    parameters = [
        {**item, "scale": "linear"} if item["name"] == LR else item
        for item in analysed["parameters"]
    ]
    marginals = [
        {**row, "level": 0.9} if row["parameter"] == LR and row["level"] == 0.03 else row
        for row in analysed["marginals"]
    ]
    values = {run: {**at, LR: 0.9 if at[LR] == 0.03 else at[LR]} for run, at in values.items()}
    told = {**analysed, "parameters": parameters, "marginals": marginals}
    told["next_points"] = {**analysed["next_points"], "points": points}
    svg = render_svg(design_map(told, [LR, WIDTH], lossy_runs, values))
    assert svg.count('aria-label="3 runs did not finish here: ') == 2
    assert 'aria-label="1: ' in svg
    drawn = marginal(told, LR, lossy_runs, values).to_dict()["layer"][0]["encoding"]["x"]["scale"]
    assert drawn["type"] == "linear"


def test_every_run_is_a_line_that_the_filter_can_find(analysed, lossy_runs, values):
    svg = render_svg(run_lines(analysed, [LR, WIDTH], lossy_runs, values))
    told = re.findall(r'<path aria-label="(run \d+: [^"]*)"', svg)
    assert len(set(told)) == 30
    assert sum(text.endswith("diverged") for text in told) == 6


def test_sections_that_the_analysis_does_not_know_have_no_picture(analysed, plan, lossy_runs):
    names = ("over_time", "better_half", "precision", "cost", "failure_rates", "next_points")
    bare = {**analysed, **dict.fromkeys(names)}
    pictures = list_pictures(bare, plan, lossy_runs, lossy_runs)
    drawn = {one.key for one in pictures if one.key != "curves" and one.draw(300) is not None}
    assert not {"course", "better-half", "precision", "cost", "failure0"} & drawn
    assert "design" in drawn


def test_the_page_leads_from_numbers_to_their_runs(analysed, plan, tables, lossy_runs):
    page = build_page(
        summary=analysed, plan=plan, tables={**tables, "runs": lossy_runs}, configs={"0015-x"}
    )
    links = set(re.findall(r'href="#(run-\d+)"', page))
    assert links <= set(re.findall(r'id="(run-\d+)"', page))
    assert len(links) == 30
    assert page.count('class="spark"') == 30
    headings = re.findall(r"<h2[^>]*>([^<]*)", page)
    for title in ("Quality and cost", "What to run next", "Runs that did not finish"):
        assert title in headings
    assert "Beaten by no other in both" in page
    assert "provrunner ask overfitting" in page


def test_a_run_leads_to_its_configuration_where_it_left_one(plan, tables, summary):
    run_id = tables["runs"]["run_id"][4].as_py()
    page = build_page(summary=summary, plan=plan, tables=tables, configs={run_id})
    assert re.findall(r'href="(runs/[^"]*)"', page) == [f"runs/{run_id}/config.yaml"]


def test_the_latex_table_has_every_component_and_no_command_of_a_name(analysed):
    text = summary_latex(analysed)
    assert text.count(" \\\\\n") == len(analysed["components"]) + 1
    assert "\\label{tab:lr-grid}" in text
    assert f"    {LR} & " in text
    hostile = {**analysed["components"][0], "parameters": ["a_b\\input{x}%"]}
    text = summary_latex({**analysed, "components": [hostile]})
    assert "a\\_b\\textbackslash{}input\\{x\\}\\%" in text
    # after the end of a row these would be read as its arguments
    assert latex_text("[2cm]*") == "{[}2cm]{*}"


def test_every_chart_becomes_an_svg_and_a_png_beside_a_latex_table(
    analysed, plan, tables, lossy_runs, tmp_path
):
    sweep: Any = SimpleNamespace(
        folder=tmp_path,
        plan=plan,
        runs=lossy_runs,
        sensitivity=lambda: SimpleNamespace(to_dict=lambda: analysed),
        table=lambda name: tables[name],
    )
    written = write_charts(sweep)
    assert {path.parent for path in written} == {tmp_path / "charts"}
    stems = {path.stem for path in written if path.suffix == ".svg"}
    assert stems == {path.stem for path in written if path.suffix == ".png"}
    assert {"importance", "marginal0", "course", "cost", "lines", "failure0", "design"} <= stems
    assert written[-1].name == "summary.tex"
    assert written[0].read_text().startswith("<svg ")
    assert written[1].read_bytes().startswith(b"\x89PNG")


def test_a_level_that_no_run_finished_with_lies_on_the_axis_with_its_crosses(
    analysed, lossy_runs, values
):
    chart = marginal(analysed, LR, lossy_runs, values).to_dict()
    places = [
        (layer["encoding"]["x"]["scale"]["domain"], layer["encoding"]["x"]["axis"]["values"])
        for layer in chart["layer"]
        if "scale" in layer["encoding"].get("x", {})
    ]
    assert all(low < 0.001 < 0.1 < high for (low, high), _ in places)
    assert all(ticks == [0.001, 0.003, 0.01, 0.03, 0.1] for _, ticks in places)

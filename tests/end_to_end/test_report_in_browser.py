"""The page as a browser shows it: one Chromium for all tests here, driven by its own protocol."""

import importlib.util
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.browser import Browser, find_chromium
from benchmarks.sensitivity import random_case
from provrunner.graph import BASE_IRI, Graph, build_view
from provrunner.graph.statements import Statements
from provrunner.report.compact_svg import compact_svg
from provrunner.report.figures import list_pictures
from provrunner.report.frame import WIDE, render_svg
from provrunner.report.html import build_page
from provrunner.report.results import build_study, objective_by_epoch, trials_table
from provrunner.report.runs_table import runs_table
from provrunner.report.surface import surface
from provrunner.report.svg import inline_svg
from provrunner.sensitivity import build_summary

pytestmark = pytest.mark.skipif(find_chromium() is None, reason="no Chromium is on PATH")

HOSTILE = (
    "\"'><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    "</style></script></title>\u202e\u2066{{7*7}}${7*7}" + "w" * 4096
)
SMALL, LARGE = 390, 1280


@pytest.fixture(scope="module")
def browser():
    with Browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def page() -> str:
    data = report_data()
    points, plan = data.sweep_points(), data.sweep_plan()
    runs, epochs = data.runs_table(points), data.epochs_table(points)
    study, course = build_study(plan), objective_by_epoch(epochs, "val/loss")
    summary = build_summary(trials_table(plan, runs), study, epochs=course).to_dict()
    summary["verdicts"].append(HOSTILE)
    summary["failures"][0]["reason"] = HOSTILE
    tables = {"runs": runs, "epochs": epochs, **data.fact_tables()}
    return build_page(summary=summary, plan=plan, tables=tables, view=build_view(small_graph()))


def report_data() -> Any:
    path = Path(__file__).parents[1] / "report" / "conftest.py"
    spec = importlib.util.spec_from_file_location("report_data", path)
    assert spec is not None
    assert spec.loader is not None
    data = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(data)
    return data


def small_graph() -> Graph:
    """A graph whose best run is not that of the summary, with hostile labels."""
    s = Statements()
    s.add("entity", "data-1", ("pr:Dataset", "mls:Dataset"), "digits")
    s.add("entity", "code-1", "pr:SourceCode", HOSTILE)
    for run in range(6):
        told = {"runId": f"000{run}-abc"}
        s.add("activity", f"run-{run}", "pr:Run", f"run 000{run}-abc", run=run, attributes=told)
        s.relate("used", f"run-{run}", "data-1", "data", run=run)
        s.relate("used", f"run-{run}", "code-1", "code", run=run)
        for step in range(2):
            checkpoint = f"run-{run}.checkpoint.{step}"
            told = {"path": f"checkpoints/epoch={step}.ckpt", "step": step}
            s.add("entity", checkpoint, "pr:Checkpoint", "file", run=run, attributes=told)
            s.relate("was_generated_by", checkpoint, f"run-{run}", run=run)
    return s.to_graph(BASE_IRI)


@pytest.fixture
def opened(browser, page, tmp_path):
    """The page as it is first seen, on a large screen."""
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    browser.look(LARGE, 900)
    browser.open(path)
    return browser


def type_filter(browser: Browser, words: str) -> str:
    return browser.run(
        f"""(() => {{ const filter = document.getElementById("filter");
        filter.value = {words!r}; filter.dispatchEvent(new Event("input"));
        return document.getElementById("shown").textContent; }})()"""
    )


def test_the_page_asks_for_nothing_but_itself_and_complains_of_nothing(opened):
    assert len(opened.requests) == 1
    assert opened.requests[0].startswith("file://")
    assert opened.complaints == []
    assert opened.run("document.querySelectorAll('.tools[hidden]').length") == 0


def test_every_chart_is_drawn(opened):
    seen = opened.run(
        """[...document.querySelectorAll("figure[id^=figure-]")].map((figure) => {
        const box = [...figure.querySelectorAll("svg")].map((one) => one.getBoundingClientRect())
          .find((one) => one.width > 0);
        return [figure.id.slice(7), box.width > 200 && box.height > 80]; })"""
    )
    expected = {
        "importance", "better-half", "marginal0", "marginal1", "pair0", "curves", "course", "noise",
        "cost", "lines", "failure0", "failure1", "design", "precision",
    }  # fmt: skip
    assert {name for name, is_drawn in seen if is_drawn} == expected


def grid_charts() -> list[str]:
    """All charts of a grid."""
    data = report_data()
    plan = data.sweep_plan()
    runs, epochs = data.runs_table(data.sweep_points()), data.epochs_table(data.sweep_points())
    summary = build_summary(trials_table(plan, runs), build_study(plan)).to_dict()
    pictures = list_pictures(summary, plan, runs, epochs)
    return [render_svg(chart) for one in pictures if (chart := one.draw(WIDE)) is not None]


def surface_charts() -> list[str]:
    """A fitted surface, and the same where half of it is uncertain."""
    rng = np.random.default_rng(0)
    unit = rng.random((80, 2))
    y = (unit[:, 0] - 0.5) * (unit[:, 1] - 0.5) + 0.01 * rng.normal(size=80)
    runs, study = random_case(unit, y)
    values = {run: {"x0": float(a), "x1": float(b)} for run, (a, b) in enumerate(unit)}
    summary = build_summary(runs, study).to_dict()
    cells = [
        {**row, "half_width": 1.0 if row["level_a"] > 0.5 else row["half_width"]}
        for row in summary["interactions"]
    ]
    told = (summary, {**summary, "interactions": cells})
    charts = [surface(one, "x0", "x1", runs, values) for one in told]
    return [render_svg(chart) for chart in charts if chart is not None]


@pytest.mark.parametrize(("draw", "number"), [(grid_charts, 13), (surface_charts, 2)])
def test_a_chart_in_fewer_bytes_looks_the_same(browser, tmp_path, draw, number):
    whole = draw()
    assert len(whole) == number
    compact = [compact_svg(svg) for svg in whole]
    if draw is surface_charts:  # whose cells become a few paths
        assert all("Z" in svg and svg.count("Z") < svg.count("ZM") * 2 for svg in compact)
    seen = []
    for charts in (whole, compact):
        drawn = (inline_svg(svg, prefix=f"p{i}-", label="x") for i, svg in enumerate(charts))
        path = tmp_path / "charts.html"
        path.write_text(f'<!DOCTYPE html><meta charset="utf-8">{"".join(drawn)}', encoding="utf-8")
        browser.look(LARGE, 900)
        browser.open(path)
        height = browser.run("document.documentElement.scrollHeight")
        clip = {"x": 0, "y": 0, "width": LARGE, "height": height}
        seen.append(browser.read_pixels(browser.shoot(tmp_path / "charts.png", clip)).astype(int))
    # a tenth of a pixel makes another grey of an edge; eight pixels square hardly change
    squares = [
        one[: len(one) // 8 * 8].reshape(-1, 8, LARGE // 8, 8, 3).mean(axis=(1, 3)) for one in seen
    ]
    assert np.abs(squares[0] - squares[1]).max() < 20  # a dot that is missing makes 40
    assert sum(map(len, compact)) < 0.6 * sum(map(len, whole))


def test_escaping_holds_even_without_the_policy(browser, page, tmp_path):
    path = tmp_path / "open.html"
    path.write_text(
        re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page), encoding="utf-8"
    )
    browser.open(path)
    assert browser.run("document.title") == "lr_grid: sweep report"
    assert browser.run("document.images.length") == 0
    assert "onerror" in browser.run("document.querySelector('.verdicts').textContent")
    assert "\u202e" not in browser.run("document.body.textContent")
    assert browser.complaints == []


def test_a_click_sorts_up_and_down(opened):
    script = """(() => { const button = document.querySelectorAll("#all-runs th button")[2];
      const first = () => document.querySelector("#all-runs tbody td[data-v]").textContent;
      button.click(); const low = first(); button.click();
      return [low, first(), button.parentElement.getAttribute("aria-sort")]; })()"""
    assert opened.run(script) == ["0.0960", "0.5500", "descending"]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("", "30 runs"),
        ("diverged 0.1", "1 run"),
        ("optimizer.lr<0.01", "12 runs"),
        ("lr>=0.01 width=16", "9 runs"),
        ("status=diverged", "1 run"),
        ("status!=finished seed=2", "1 run"),
        ("val/loss<=0.096", "1 run"),
        ("nosuch<3", "0 runs"),
    ],
)
def test_the_filter_takes_words_and_comparisons(opened, words, shown):
    assert type_filter(opened, words) == shown
    lines = "document.querySelectorAll('#figure-lines .large path:not(.out) > title').length"
    assert opened.run(lines) == int(shown.split()[0])


def open_table(browser: Browser, folder: Path, table: str) -> None:
    script = files("provrunner.report").joinpath("page.js").read_text("utf-8")
    path = folder / "table.html"
    path.write_text(f"<!DOCTYPE html>{table}<script>{script}</script>", encoding="utf-8")
    browser.open(path)


def shown_column(browser: Browser, column: int) -> list[str]:
    rows = "[...document.querySelectorAll('#all-runs tbody tr')]"
    return browser.run(f"{rows}.map((row) => row.cells[{column}].innerText)")


def test_long_numbers_are_shown_short_and_compared_by_nine_digits(browser, tmp_path):
    data = report_data()
    runs = data.runs_table(data.sweep_points()[:6])
    rates = [0.0123456789012, 0.01234567, 1e-05, 0.1, 3.3e-07, None]
    place = runs.column_names.index("optimizer.lr")
    runs = runs.set_column(place, "optimizer.lr", pa.array(rates))
    place = runs.column_names.index("seed")
    seeds = pa.array([4294967295, *runs["seed"].to_pylist()[1:]])
    runs = runs.set_column(place, "seed", seeds)
    open_table(browser, tmp_path, runs_table(data.sweep_plan(), runs, None))
    told = ["0.01235", "0.01235", "1e-05", "0.1", "3.3e-07", "null"]
    assert shown_column(browser, 4) == told
    assert shown_column(browser, 6) == ["4294967295", *map(str, runs["seed"].to_pylist()[1:])]
    for words, count in {
        "lr=0.0123456789012": 1, "lr=0.01234567": 1, "lr=0.01235": 2, "lr<0.0123456789012": 3,
        "lr<=0.0123456789012": 4, "lr>0.0123456789012": 1, "lr=null": 1, "lr<1e-6": 1,
        "lr!=0.01235": 4, "lr>=0.01235": 1, "lr<0.01235": 4, "lr>0.01235": 1, "lr<=0.01235": 4,
    }.items():  # fmt: skip
        assert type_filter(browser, words).split()[0] == str(count), words
    browser.run("""document.querySelectorAll("#all-runs th button")[4].click()""")
    type_filter(browser, "")
    told = ["3.3e-07", "1e-05", "0.01235", "0.01235", "0.1", "null"]
    assert shown_column(browser, 4) == told
    assert browser.complaints == []


def test_digits_before_the_point_are_never_rounded_and_an_unknown_seed_is_empty(browser, tmp_path):
    data = report_data()
    runs = data.runs_table(data.sweep_points()[:6])
    steps = [1234567.0, 12345.678, -12345.678, 1234567891.0, 2.5, 1234.56789]
    seeds = [None, 3, 2, None, 1, 0]
    for name, column in {"optimizer.lr": steps, "seed": seeds}.items():
        runs = runs.set_column(runs.column_names.index(name), name, pa.array(column))
    open_table(browser, tmp_path, runs_table(data.sweep_plan(), runs, None))
    told = ["1234567.0", "12346", "-12346", "1234567891.0", "2.5", "1235"]
    assert shown_column(browser, 4) == told
    assert shown_column(browser, 6) == ["", "3", "2", "", "1", "0"]
    assert type_filter(browser, "seed<1") == "1 run"
    browser.run("""document.querySelectorAll("#all-runs th button")[6].click()""")
    type_filter(browser, "")
    assert shown_column(browser, 6) == ["0", "1", "2", "3", "", ""]


def test_a_link_to_a_run_shows_the_row_that_the_filter_hides(opened):
    type_filter(opened, "diverged")
    script = """(() => { const link = document.querySelector(".key a"); link.click();
      return document.querySelector(link.hash).parentElement.hidden; })()"""
    assert opened.run(script) is False


@pytest.mark.parametrize("width", [SMALL, LARGE])
def test_no_label_leaves_its_box_in_the_graph(opened, width):
    opened.look(width, 900)
    opened.run("document.querySelectorAll('#all-runs .ways button')[4].click()")
    out = opened.run(
        """[...document.querySelectorAll("#graph-picture .box")].flatMap((box) => {
        const frame = box.querySelector("rect").getBoundingClientRect();
        return [...box.querySelectorAll("text")]
          .filter((one) => one.getBoundingClientRect().right > frame.right - 4)
          .map((one) => one.textContent); })"""
    )
    assert out == []
    assert opened.run("document.querySelectorAll('#graph-picture .box text').length") == 10


def test_a_run_opens_its_lineage(opened):
    script = """(() => { document.querySelectorAll("#all-runs .ways button")[4].click();
      return document.querySelector("#graph-told h3").textContent; })()"""
    assert opened.run(script) == "run 0004-abc"


def test_a_chart_is_saved_as_a_picture_of_its_own(opened):
    script = """new Promise((done) => {
      URL.createObjectURL = (blob) => {
        blob.text().then((text) => done([blob.type, text])); return ""; };
      HTMLAnchorElement.prototype.click = () => {};
      document.querySelector("#figure-importance .save button").click(); })"""
    kind, text = opened.run(script)
    assert kind == "image/svg+xml"
    assert text.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert "optimizer.lr" in text
    script = script.replace(".save button", ".save button:last-of-type")
    assert opened.run(script)[0] == "image/png"


def test_the_keyboard_reaches_and_works_the_controls(opened):
    for _ in range(80):
        opened.press("Tab")
        if opened.run("document.activeElement.id") == "filter":
            break
    for key in "lr=0.03":
        opened.press(key)
    assert opened.run("document.getElementById('shown').textContent") == "6 runs"
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert opened.run(outline) == "solid"
    opened.press("Tab")
    opened.press("Tab")
    assert opened.run("document.activeElement.textContent") == "run"
    opened.press("Enter")
    sorted_ = "document.querySelector('#all-runs th').getAttribute('aria-sort')"
    assert opened.run(sorted_) == "ascending"


@pytest.mark.parametrize("width", [320, SMALL, 768, LARGE])
def test_the_page_never_scrolls_sideways_as_a_whole(opened, width):
    opened.look(width, 900)
    assert opened.run("document.documentElement.scrollWidth") <= width


def test_print_hides_the_controls_and_shows_every_run(opened):
    opened.look(LARGE, 900, media="print")
    hidden = """[...document.querySelectorAll("nav, .tools, .save, .ways button, #graph-view")]
      .every((one) => one.getBoundingClientRect().height === 0)"""
    assert opened.run(hidden) is True
    opened.look(720, 900, media="print")
    wide = """[...document.querySelectorAll("table")].filter((one) =>
      one.getBoundingClientRect().right > document.documentElement.clientWidth).length"""
    assert opened.run(wide) == 0
    whole = """(() => { const box = document.querySelector(".tall");
      return box.scrollHeight <= box.clientHeight + 1; })()"""
    assert opened.run(whole) is True


CONTRAST = """(() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => { const [r, g, b] = parts(colour).map((part) => { const x = part / 255;
    return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = (one) => { for (let at = one; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if ((parts(colour)[3] ?? 1) === 1) return colour; } return "rgb(255, 255, 255)"; };
  const told = [...document.querySelectorAll("h1,h2,p,li,dt,dd,small,th,td,a,summary,button")]
    .filter((one) => one.getBoundingClientRect().height > 0 && !one.closest(".paper"));
  return Math.min(...told.map((one) => { const pair = [light(getComputedStyle(one).color),
    light(ground(one))].sort((a, b) => b - a); return (pair[0] + 0.05) / (pair[1] + 0.05); }));
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_keeps_a_contrast_of_four_and_a_half(opened, scheme):
    opened.look(LARGE, 900, scheme=scheme)
    assert opened.run(CONTRAST) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_marks_of_charts_stand_out_from_the_paper(opened, scheme):
    opened.look(LARGE, 900, scheme=scheme)
    fills = """(() => { const light = (colour) => { const [r, g, b] = colour.match(/[\\d.]+/g)
        .map((part) => { const x = part / 255;
          return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4; });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
      const paper = light(getComputedStyle(document.querySelector("section")).backgroundColor);
      const strong = ["#0072B2", "#D55E00", "#009E73"];
      const marks = [...document.querySelectorAll(".chart .large :is(path, use)")].filter(
        (one) => strong.includes(one.closest("[fill]")?.getAttribute("fill")));
      return marks.map((one) => {
        const pair = [light(getComputedStyle(one).fill), paper].sort((a, b) => b - a);
        return (pair[0] + 0.05) / (pair[1] + 0.05); }); })()"""
    found = opened.run(fills)
    assert len(found) > 20
    assert min(found) >= 3.0


def test_graph_opens_a_run_and_shows_what_came_of_a_box(opened):
    script = """(() => {
      const box = (words) => [...document.querySelectorAll("#graph-picture .box")]
        .find((one) => one.getAttribute("aria-label").startsWith(words));
      const click = (element) => element.dispatchEvent(new MouseEvent("click", {bubbles: true}));
      const press = (words) => click([...document.querySelectorAll("#graph-view button")]
        .find((one) => one.textContent.startsWith(words)));
      click(box("other runs"));
      press("run 0004");
      click(box("digits"));
      const dim = document.querySelectorAll("#graph-picture .box.dim").length;
      click(box("checkpoint"));
      const file = document.querySelector("#graph-told a").getAttribute("href");
      const open = document.querySelectorAll("#graph-picture .box").length;
      click(box("run 0004"));
      press("close");
      return [dim, file, open, document.querySelectorAll(".box").length];
    })()"""
    path = "runs/0004-abc/checkpoints/epoch%3D1.ckpt"
    assert opened.run(script) == [1, path, 5, 3]


def test_graph_finds_a_checkpoint_by_its_run(opened):
    script = """(() => {
      const find = document.getElementById("graph-find");
      find.value = "checkpoint 0005"; find.dispatchEvent(new Event("input"));
      const found = document.querySelectorAll("#graph-found button");
      found[0].click();
      return [found.length, document.querySelector("#graph-told h3").textContent,
        document.querySelectorAll(".box.up").length];
    })()"""
    assert opened.run(script) == [1, "checkpoint", 3]

import base64
import hashlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from provrunner.report.html import build_page
from provrunner.report.markup import Markup, element, table
from provrunner.report.runs_table import runs_table
from provrunner.report.stopped import flag_stopped
from provrunner.sensitivity import Summary

HOSTILE = "\"'><img src=x onerror=alert(1)><script>alert(2)</script>\u202e"
VOID = {"meta", "link", "input", "img", "br"}
ENDED_BY_START = {"td": ("td", "th"), "th": ("td", "th"), "tr": ("td", "th", "tr")}
ENDED_BY_END = {"tr": ("td", "th"), "tbody": ("td", "th", "tr")}


class Outline(HTMLParser):
    """Tags, attributes and ids of a page, with a check that elements nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        # cells and rows may end without an end tag
        while self.open and self.open[-1] in ENDED_BY_START.get(tag, ()):
            self.open.pop()
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        while self.open[-1] in ENDED_BY_END.get(tag, ()):
            self.open.pop()
        assert self.open.pop() == tag

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]

    def values(self, attribute: str) -> list[str]:
        return [value for _, found in self.tags if (value := found.get(attribute)) is not None]


@pytest.fixture
def inputs(summary, plan, tables, picture) -> dict[str, Any]:
    return page_inputs(summary, plan, tables, picture)


def page_inputs(summary: Any, plan: Any, tables: Any, picture: Any) -> dict[str, Any]:
    return {
        "summary": summary, "plan": plan, "tables": tables,
        "pictures": {"What a run makes and uses": picture},
        "links": {"summary.json": "summary.json", "PROV-N": "prov/sweep.provn"},
    }  # fmt: skip


@pytest.fixture(scope="module")
def page(whole_summary, plan, tables, picture) -> str:
    return build_page(**page_inputs(whole_summary, plan, tables, picture))


def test_the_page_tells_the_verdict_first(page):
    headings = re.findall(r"<h[12][^>]*>([^<]*)", page)
    assert headings == [
        "lr_grid", "Verdict", "What explains one run&#x27;s val/loss",
        "What each hyperparameter does", "Learning curves", "Seed noise", "Best run",
        "What to run next", "Runs", "Runs that did not finish", "Design and limits",
        "Where it comes from", "Code, data and environment", "What else to ask", "Repeat it",
    ]  # fmt: skip
    assert "the default 0.001 costs 0.11 ± 0.02." in page


def test_the_same_inputs_give_the_same_bytes(inputs, page):
    assert build_page(**inputs) == page
    assert len(page.encode()) < 3_000_000


def test_the_policy_names_the_digests_of_the_one_style_and_the_one_script(page):
    outline = Outline(page)
    policy = next(meta["content"] for meta in outline.all("meta") if "http-equiv" in meta)
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for name in ("style", "script"):
        bodies = re.findall(rf"<{name}>(.*?)</{name}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(bodies[0].encode()).digest()).decode()
        assert len(bodies) == len(outline.all(name)) == 1
        assert f"{name}-src 'sha256-{digest}'" in policy


def test_the_page_refers_to_nothing_outside_its_folder(page):
    outline = Outline(page)
    links = outline.values("href") + outline.values("src")
    assert all(link.startswith(("#", "data:,")) or ":" not in link for link in links)
    assert "http:" not in page
    assert "https:" not in page
    assert not outline.values("style")
    assert not [name for _, found in outline.tags for name in found if name.startswith("on")]


def test_ids_are_unique_and_every_anchor_has_its_place(page):
    outline = Outline(page)
    ids = outline.values("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in outline.values("href") if link.startswith("#")} <= set(ids)


def test_every_picture_says_what_it_shows(page):
    pictures = [one for one in Outline(page).all("svg") if one.get("class") != "spark"]
    assert len(pictures) == 14
    assert all(picture["aria-label"] and picture["role"] == "img" for picture in pictures)


def test_facts_of_data_and_machine_are_told(page):
    assert '<th scope="row">memory</th><td>23.5 GiB</td>' in page
    assert "<summary>packages (3)</summary>" in page
    assert '<td>train</td><td class="n">1257</td><td>none</td>' in page


def test_every_run_has_a_row_with_its_values(page):
    body = page.split('id="all-runs"')[1].split("<tbody>")[1].split("</tbody>")[0]
    assert body.count("<tr>") == 30
    assert "val/loss is NaN at step 112" in body
    assert '<td data-v="0.096">0.0960<' in body
    head = page.split('id="all-runs"')[1].split("</thead>")[0]
    assert head.endswith('curve<span class="unseen"> of val/loss</span></th></tr>')


@pytest.mark.parametrize(("epochs", "corners"), [(2, 2), (18, 18), (19, 10), (36, 13), (307, 18)])
def test_a_curve_in_the_table_has_at_most_eighteen_corners(plan, tables, epochs, corners):
    import pyarrow as pa

    told = {"run": [0] * epochs, "epoch": list(range(epochs)), "val/loss": [1.0] * epochs}
    path = re.findall(r'<path d="([^"]*)"', runs_table(plan, tables["runs"], pa.table(told)))
    assert len(path) == 1
    numbers = re.findall(r"-?\d*\.?\d+", path[0])
    assert len(numbers) == 2 * corners


def test_degrees_of_freedom_are_counted_in_full(inputs):
    for df, told in ((1200, "1200 degrees of freedom"), (1.0, "1 degree of freedom")):
        inputs["summary"]["noise"]["df"] = df
        page = build_page(**inputs)
        assert told in page.split('<dl class="key">')[1].split("</dl>")[0]


@pytest.mark.parametrize(("left", "told"), [(1, "1 run was"), (2, "2 runs were")])
def test_what_was_not_begun_is_counted(plan, left, told):
    summary = Summary({"flags": [], "statuses": {"planned": left}})
    (flag,) = flag_stopped(summary, replace(plan, stopped="no time")).document["flags"]
    assert flag["detail"] == f"no time; {told} not begun"


def hostile_inputs(inputs: dict[str, Any]) -> dict[str, Any]:
    summary, plan = inputs["summary"], inputs["plan"]
    summary["sweep"]["metric"] = summary["verdicts"][0] = HOSTILE
    summary["failures"][0]["reason"] = summary["flags"][0]["detail"] = HOSTILE
    summary["flags"][0]["flag"] = summary["dropped"][0]["name"] = HOSTILE
    summary["best"]["values"] = {HOSTILE: HOSTILE}
    summary["best"]["run_id"] = HOSTILE
    named = {point.run: {HOSTILE: HOSTILE} for point in plan.points}
    points = tuple(replace(point, values=named[point.run]) for point in plan.points)
    axis = replace(plan.hyperparameters[0], name=HOSTILE, grammar=HOSTILE, default=HOSTILE)
    runs = inputs["tables"]["runs"]
    for name in ("status", "reason", "host", "user", "commit", "run_id"):
        position = runs.column_names.index(name)
        runs = runs.set_column(position, name, [[HOSTILE] * runs.num_rows])
    return {
        "summary": summary,
        "plan": replace(
            plan, name=HOSTILE, points=points, hyperparameters=(axis,), command=(HOSTILE,)
        ),
        "tables": {**inputs["tables"], "runs": runs},
        "pictures": {HOSTILE: "<svg onload='alert(1)'/>"},
        "links": {HOSTILE: "prov/x", "a": "javascript:alert(1)", "b": "//evil", "c": "../../x"},
    }


def test_hostile_names_and_values_stay_text_everywhere(inputs):
    page = build_page(**hostile_inputs(inputs))
    outline = Outline(page)
    assert not outline.all("img")
    assert len(outline.all("script")) == 1
    assert not [name for _, found in outline.tags for name in found if name.startswith("on")]
    assert "\u202e" not in page
    assert page.count("onerror=alert(1)") > 20
    assert [link for link in outline.values("href") if link.startswith(("java", "/", "."))] == []


def test_a_picture_that_cannot_be_shown_says_why(inputs):
    pictures = {"graph": b"no picture", "lineage": b" " * 800_000}
    page = build_page(**{**inputs, "pictures": pictures})
    assert "Not shown: the picture is no SVG document" in page
    assert "Too large to show here; see prov/." in page


def test_a_sweep_without_a_finished_run_still_has_a_page(inputs):
    summary = inputs["summary"]
    keys = ("components", "parameters", "marginals", "interactions", "trials", "verdicts")
    summary.update({key: [] for key in keys})
    summary.update(best=None, advice=None, noise={"estimable": False, "sigma": None})
    summary["flags"] = [{"flag": "cannot_conclude", "detail": "no run finished"}]
    tables = {name: inputs["tables"][name].slice(0, 0) for name in ("runs", "epochs")}
    page = build_page(summary=summary, plan=inputs["plan"], tables=tables)
    assert "cannot conclude: no run finished" in page
    assert 'id="curves"' not in page
    Outline(page)


def test_thousands_of_runs_keep_the_page_small(inputs):
    import pyarrow as pa

    many = pa.concat_tables([inputs["tables"]["runs"]] * 100)
    page = build_page(**{**inputs, "tables": {**inputs["tables"], "runs": many}})
    assert "1000 more runs in tables/runs.parquet." in page
    assert len(page.encode()) < 3_000_000


def test_content_that_is_no_markup_is_escaped():
    assert element("td", "<b>", Markup("<i></i>"), 3) == "<td>&lt;b&gt;<i></i>3</td>"
    assert table("x", ("a",), []) == ""


def test_the_package_loads_no_chart_library_until_a_page_is_built():
    code = (
        "import sys, provrunner.report.html, provrunner.report\n"
        "heavy = {'altair', 'vl_convert', 'torch', 'rich.console', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_graph_brings_its_own_script_and_data_that_cannot_end_their_block(inputs):
    view = {"strings": ["</script><script>alert(1)</script>\u2028"], "shared": [], "runs": []}
    page = build_page(**inputs, view=view)
    assert page.count("<script") == 3
    block = page.partition('id="graph-data"')[2].partition("</script>")[0]
    assert json.loads(block.partition(">")[2]) == view
    policy = page.partition("script-src ")[2].partition("img-src")[0]
    assert policy.count("sha256-") == 2


def test_a_graph_that_would_make_the_page_too_large_is_not_in_it(inputs):
    view = {"strings": ["x" * 2_000_000], "shared": [], "runs": []}
    page = build_page(**inputs, view=view)
    assert "The graph is too large to open here" in page
    assert len(page) < 1_500_000

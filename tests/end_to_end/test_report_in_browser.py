import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from provrunner.graph import BASE_IRI, Graph, build_view
from provrunner.graph.statements import Statements
from provrunner.report.html import build_page

pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not on PATH")

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--enable-logging=stderr", "--hide-scrollbars",
)  # fmt: skip
HOSTILE = (
    "\"'><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
)


@pytest.fixture(scope="module")
def page() -> str:
    path = Path(__file__).parents[1] / "report" / "conftest.py"
    spec = importlib.util.spec_from_file_location("report_data", path)
    assert spec is not None
    assert spec.loader is not None
    data = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(data)
    summary, points = data.sweep_summary(), data.sweep_points()
    summary["verdicts"].append(HOSTILE)
    summary["failures"][0]["reason"] = HOSTILE
    tables = {
        "runs": data.runs_table(points), "epochs": data.epochs_table(points), **data.fact_tables(),
    }  # fmt: skip
    return build_page(
        summary=summary, plan=data.sweep_plan(), tables=tables, view=build_view(small_graph())
    )


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


def browse(page: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    command = ["chromium", *FLAGS, f"--user-data-dir={folder / 'profile'}", *options, path.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)


def with_script(page: str, script: str) -> str:
    """Add a script of the test's own, which the page's policy would refuse."""
    open_page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    return open_page.replace("</body>", f"<script>{script}</script></body>")


def test_the_page_works_under_its_own_policy(page, tmp_path):
    seen = browse(page, tmp_path, "--dump-dom")
    assert '<p class="tools">' in seen.stdout
    assert "Content Security Policy" not in seen.stderr
    assert "Refused" not in seen.stderr
    assert "Uncaught" not in seen.stderr


def test_escaping_holds_even_without_the_policy(page, tmp_path):
    seen = browse(with_script(page, ""), tmp_path, "--dump-dom")
    assert "<title>lr_grid: sweep report</title>" in seen.stdout
    assert "<img" not in seen.stdout


def test_a_click_sorts_and_the_filter_filters(page, tmp_path):
    script = """
      const button = document.querySelectorAll("#all-runs th button")[2];
      button.click(); const low = document.querySelector("#all-runs tbody td[data-v]").textContent;
      button.click(); const high = document.querySelector("#all-runs tbody td[data-v]").textContent;
      const filter = document.getElementById("filter");
      filter.value = "diverged 0.1"; filter.dispatchEvent(new Event("input"));
      document.title = [low, high, document.getElementById("shown").textContent,
        button.parentElement.getAttribute("aria-sort")].join(" | ");
    """
    seen = browse(with_script(page, script), tmp_path, "--dump-dom")
    assert "<title>0.0960 | 0.5500 | 1 run | descending</title>" in seen.stdout


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_never_scrolls_sideways_as_a_whole(page, tmp_path, width):
    script = "document.title = document.documentElement.scrollWidth <= innerWidth"
    sized = with_script(page, script)
    seen = browse(sized, tmp_path, f"--window-size={width},900", "--dump-dom")
    assert "<title>true</title>" in seen.stdout


def test_graph_opens_a_run_and_shows_what_came_of_a_box(page, tmp_path):
    script = """
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
      document.title = [dim, file, open, document.querySelectorAll(".box").length].join(" | ");
    """
    seen = browse(with_script(page, script), tmp_path, "--dump-dom")
    path = "runs/0004-abc/checkpoints/epoch%3D1.ckpt"
    assert f"<title>1 | {path} | 5 | 3</title>" in seen.stdout


def test_graph_finds_a_checkpoint_by_its_run(page, tmp_path):
    script = """
      const find = document.getElementById("graph-find");
      find.value = "checkpoint 0005"; find.dispatchEvent(new Event("input"));
      const found = document.querySelectorAll("#graph-found button");
      found[0].click();
      document.title = [found.length, document.querySelector("#graph-told h3").textContent,
        document.querySelectorAll(".box.up").length].join(" | ");
    """
    seen = browse(with_script(page, script), tmp_path, "--dump-dom")
    assert "<title>1 | checkpoint | 3</title>" in seen.stdout

"""The script finds the origin of a number in sweep.ttl, by rdflib and PROV's properties alone."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from provrunner.graph import build_graph
from provrunner.graph.export import write_turtle

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "lineage_of_a_checkpoint"


@pytest.fixture(scope="module")
def small():
    spec = importlib.util.spec_from_file_location(
        "small_sweep", ROOT / "tests" / "graph" / "small_sweep.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_leads_from_the_best_number_to_all_that_made_it(small, tmp_path):
    plan = small.make_plan()
    graph = build_graph(small.make_tables(plan), plan, sensitivity=small.make_effects())
    write_turtle(graph, tmp_path / "sweep.ttl")
    done = subprocess.run(
        [sys.executable, str(RECIPE / "trace.py"), str(tmp_path / "sweep.ttl")],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    number, *lines = done.stdout.splitlines()
    origin, _, fitted = "\n".join(lines).partition("\n\n")
    assert number == "val/loss = 0.379333"
    assert f"  digits: sha256 {small.DATA}" in origin
    assert f"  commit c0ffee0000: gitCommit {small.COMMIT}" in origin
    assert f"  patch {small.PATCH[:10]}: sha256 {small.PATCH}" in origin
    assert "  Python 3.11.7: package numpy==2.3.0" in origin
    assert "  Python 3.11.7: package torch==2.9.0" in origin
    assert "  seed = 0: value 0" in origin
    assert "  optimizer.lr = 0.01: value 0.01" in origin
    assert "  trainer.max_epochs = 3: value 3" in origin
    assert "  ada: name ada" in origin
    rates = [line.partition("optimizer.lr = ")[2] for line in fitted.splitlines()]
    assert sorted(filter(None, rates)) == ["0.01"] * 4 + ["0.1"] * 4


def test_the_readme_shows_the_query_of_the_script():
    shown = (RECIPE / "README.md").read_text(encoding="utf-8")
    script = (RECIPE / "trace.py").read_text(encoding="utf-8")
    path = shown[shown.index("?number (") : shown.index(")* ?thing .")]
    assert path in script

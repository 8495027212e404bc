"""The script finds the origin of a number in sweep.ttl, by rdflib and PROV's properties alone."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
import rdflib

from provrunner.graph import NAMESPACES, build_graph
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


def write_sweep(small, path, granularity="checkpointed"):
    plan = small.make_plan()
    tables, effects = small.make_tables(plan), small.make_effects()
    write_turtle(build_graph(tables, plan, sensitivity=effects, granularity=granularity), path)
    return path


@pytest.fixture(scope="module")
def queries():
    """The two queries that the docs show: for the best number, and for the origin of one."""
    shown = (ROOT / "docs" / "provenance.md").read_text(encoding="utf-8")
    best, origin = re.findall(r"```sparql\n(prefix .+?)```", shown, re.DOTALL)
    return best, origin


def test_the_queries_of_the_docs_need_nothing_beside_them(small, queries, tmp_path):
    turtle = rdflib.Graph().parse(write_sweep(small, tmp_path / "sweep.ttl"))
    best, origin = queries
    ((number,),) = turtle.query(best, initNs={})
    rows = turtle.query(re.sub(r"art:run\S+", number.n3(), origin), initNs={})
    told = {(str(row.label), str(row.what).rpartition("#")[2], row.told.toPython()) for row in rows}
    assert told >= {
        ("val/loss = 0.379333", "value", 0.379333),
        ("digits", "sha256", small.DATA),
        ("ada", "name", "ada"),
        ("commit c0ffee0000", "gitCommit", small.COMMIT),
        (f"patch {small.PATCH[:10]}", "sha256", small.PATCH),
        ("Python 3.11.7, 2 packages", "package", "numpy==2.3.0"),
        ("Python 3.11.7, 2 packages", "package", "torch==2.9.0"),
        ("optimizer.lr = 0.01", "value", 0.01),
        ("trainer.max_epochs = 3", "value", 3),
        ("seed = 0", "value", 0),
    }
    assert len({label for label, what, _ in told if what == "seed"}) == 4  # three splits, a run


@pytest.mark.parametrize("granularity", ["run", "stage", "epoch", "checkpointed"])
def test_the_same_path_leads_from_every_metric_to_its_origin(small, queries, tmp_path, granularity):
    turtle = rdflib.Graph().parse(write_sweep(small, tmp_path / "sweep.ttl", granularity))
    path = {
        rdflib.URIRef(f"http://www.w3.org/ns/prov#{word}")
        for word in re.findall(
            r"prov:(\w+)", re.findall(r"\(prov:.+?\)\*", queries[1], re.DOTALL)[0]
        )
    }
    assert len(path) == 6
    metrics = {*turtle.subjects(rdflib.RDF.type, rdflib.URIRef(f"{NAMESPACES['pr']}Metric"))}
    assert len(metrics) > 8
    for metric in metrics:
        reached, frontier = set(), {metric}
        while frontier:
            reached |= frontier
            steps = ((thing, word) for thing in frontier for word in path)
            frontier = {end for step in steps for end in turtle.objects(*step)} - reached
        types = {type_ for thing in reached for type_ in turtle.objects(thing, rdflib.RDF.type)}
        names = {str(type_).rpartition("#")[2] for type_ in types}
        assert names >= {"Dataset", "Person", "Commit", "Environment", "SweptSetting", "Seed"}


def test_the_script_leads_from_the_best_number_to_all_that_made_it(small, tmp_path):
    write_sweep(small, tmp_path / "sweep.ttl")
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
    assert "  Python 3.11.7, 2 packages: package numpy==2.3.0" in origin
    assert "  Python 3.11.7, 2 packages: package torch==2.9.0" in origin
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

from __future__ import annotations

from types import ModuleType

import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provrunner.errors import GraphError
from provrunner.graph import Graph, find_term, lineage
from provrunner.graph.statements import Statements
from provrunner.graph.terms import BASE_IRI
from provrunner.ids import digest


def label(graph: Graph, id_: str) -> str:
    return next(row["label"] for row in graph.nodes.to_pylist() if row["id"] == id_)


def types(graph: Graph) -> set[str]:
    return set(graph.nodes["type"].to_pylist())


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("3", "run 0003-"),
        ("best", "val/loss = 0.379333"),
        ("val/loss", "val/loss = 0.379333"),
        ("val/loss@0", "val/loss = 0.649333"),
        ("val/loss@0/1", "val/loss = 0.816"),
        ("test/acc@0", "test/acc = 0.9"),
        ("optimizer.lr@2", "optimizer.lr = 0.1"),
        ("optimizer.lr", "optimizer.lr: 80%"),
        ("trainer.max_epochs", "trainer.max_epochs = 3"),
        ("digits", "digits"),
        ("train", "train split of digits"),
        ("scale", "scale"),
        ("c0ffee", "commit c0ffee0000"),
    ],
)
def test_words_of_people_are_found(graph: Graph, term: str, expected: str) -> None:
    assert label(graph, find_term(graph, term)).startswith(expected)


def test_ids_and_run_ids_are_found_whole_prefixed_or_begun(graph: Graph) -> None:
    run = find_term(graph, "3")
    assert find_term(graph, run) == run
    assert find_term(graph, f"art:{run}") == run
    assert find_term(graph, f"{graph.base_iri}{run}") == run
    run_id = label(graph, run).removeprefix("run ")
    assert find_term(graph, run_id) == run
    assert find_term(graph, run_id[:6]) == run


def test_checkpoint_is_found_by_its_digest(graph: Graph) -> None:
    run = find_term(graph, "0")
    run_id = label(graph, run).removeprefix("run ")
    assert find_term(graph, digest(f"{run_id} 1")[:12]) == f"{run}.checkpoint.20"


def test_path_that_many_runs_have_is_refused_with_examples(graph: Graph) -> None:
    with pytest.raises(GraphError, match="may be one of 8 things: run-"):
        find_term(graph, "epoch=0.ckpt")


def test_unknown_term_names_the_nearest(graph: Graph) -> None:
    with pytest.raises(GraphError, match="called 'val/los'; did you mean 'val/loss'"):
        find_term(graph, "val/los")
    run = find_term(graph, "0")
    for id_, meant in (
        (f"art:{run}.checkpoint.21", f"{run}.checkpoint.20"),
        (f"{run[:-1]}x", run),
    ):
        with pytest.raises(GraphError, match=f"called '{id_}'; did you mean '{meant}'"):
            find_term(graph, id_)
    with pytest.raises(GraphError, match="no run is called '99'"):
        find_term(graph, "val/loss@99")
    with pytest.raises(GraphError, match="no node of this graph has the id 'x'"):
        lineage(graph, "x")


def test_origin_of_the_best_value_is_whole(graph: Graph, small: ModuleType) -> None:
    found = graph.lineage("best")
    assert types(found) >= {
        "pr:Checkpoint", "pr:Dataset", "pr:Split", "pr:Transform", "pr:RunConfig", "pr:SweepConfig",
        "mls:HyperParameterSetting", "pr:SourceCode", "pr:Commit", "pr:Patch", "pr:SourceFile",
        "pr:Environment", "pr:Hardware", "prov:Person", "prov:SoftwareAgent", "pr:Adaptation",
    }  # fmt: skip
    assert set(found.nodes["run"].drop_null().to_pylist()) == {4}
    assert {"seed = 0", "trainer.max_epochs = 3"} <= set(found.nodes["label"].to_pylist())
    depth = dict(zip(found.nodes["id"].to_pylist(), found.nodes["depth"].to_pylist(), strict=True))
    assert min(depth.values()) == 0
    assert depth[find_term(graph, "best")] == 0


def test_statement_of_the_summary_leads_to_the_runs_it_rests_on(graph: Graph) -> None:
    found = graph.lineage("optimizer.lr")
    runs = set(found.nodes.filter(pc.equal(found.nodes["type"], "pr:Metric"))["run"].to_pylist())
    assert {0, 1, 2, 3, 4, 7} <= runs


def test_everything_that_came_of_the_data_is_found_downwards(graph: Graph) -> None:
    found = lineage(graph, find_term(graph, "digits"), "down")
    assert {"pr:Split", "pr:Run", "pr:Checkpoint", "pr:Metric", "pr:Summary"} <= types(found)
    assert set(found.nodes["run"].drop_null().to_pylist()) == set(range(8))
    assert "pr:SourceCode" not in types(found)


def test_direction_is_up_or_down(graph: Graph) -> None:
    with pytest.raises(ValueError, match="up or down"):
        lineage(graph, find_term(graph, "best"), "sideways")


@settings(max_examples=60, deadline=None)
@given(pairs=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=30))
def test_lineage_is_what_a_plain_search_finds(pairs: list[tuple[int, int]]) -> None:
    statements = Statements()
    for number in range(9):
        statements.add("entity", f"e-{number}", "pr:Setting", "")
    for later, earlier in pairs:
        statements.relate("was_derived_from", f"e-{later}", f"e-{earlier}", str(earlier))
    found = lineage(statements.to_graph(BASE_IRI), "e-0")
    depths, frontier, depth = {}, {0}, 0
    while frontier:
        depths |= dict.fromkeys(frontier, depth)
        frontier = {b for a, b in pairs if a in frontier} - set(depths)
        depth += 1
    assert dict(
        zip(found.nodes["id"].to_pylist(), found.nodes["depth"].to_pylist(), strict=True)
    ) == {f"e-{number}": depth for number, depth in depths.items()}

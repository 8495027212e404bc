from __future__ import annotations

import re
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest

from provrunner.errors import GraphError
from provrunner.graph import (
    Graph,
    build_graph,
    draw_lineage,
    draw_run,
    draw_types,
    find_term,
    lineage,
)
from provrunner.graph.statements import Statements
from provrunner.graph.terms import BASE_IRI


def texts(svg: bytes) -> list[str]:
    root = ET.fromstring(svg)
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


def count_nodes(svg: bytes) -> int:
    return svg.count(b'class="node"')


def test_types_have_counts_on_nodes_and_edges(graph: Graph) -> None:
    svg = draw_types(graph)
    assert {"run × 8", "train epoch × 22", "started by × 22"} <= set(texts(svg))
    assert count_nodes(svg) <= 40


def test_run_is_drawn_by_its_stages(graph: Graph) -> None:
    found = set(texts(draw_run(graph, 0)))
    assert {"train epoch × 3", "validation × 3", "checkpoint × 2", "seed = 0", "ada"} <= found


def test_unknown_run_is_refused(graph: Graph) -> None:
    with pytest.raises(GraphError, match="no run 99"):
        draw_run(graph, 99)


def test_lineage_is_drawn_node_by_node(graph: Graph) -> None:
    found = lineage(graph, find_term(graph, "best"))
    svg = draw_lineage(found)
    assert "val/loss = 0.379333" in texts(svg)
    assert count_nodes(svg) > 35


def test_large_lineage_is_collapsed(small: ModuleType) -> None:
    plan = small.make_plan(seeds=10)
    graph = build_graph(small.make_tables(plan), plan, sensitivity=small.make_effects())
    svg = draw_lineage(lineage(graph, find_term(graph, "digits"), "down"))
    assert count_nodes(svg) <= 150


def test_pictures_are_the_same_every_time(graph: Graph) -> None:
    assert draw_types(graph) == draw_types(graph)


def test_hostile_labels_are_text_and_nothing_else() -> None:
    statements = Statements()
    for number, label in enumerate(
        ['<script>alert("x")</script>', "<b>", r"a\Nb\G", '"', "&amp;", ""]
    ):
        statements.add("entity", f"e-{number}", "pr:Setting", label)
    svg = draw_lineage(statements.to_graph(BASE_IRI))
    assert b"<script" not in svg
    assert not re.search(rb"<b[ >]", svg)
    assert r"a\Nb\G" in texts(svg)
    assert "&amp;" in texts(svg)

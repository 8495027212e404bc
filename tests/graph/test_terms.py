from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provrunner.graph import Graph
from provrunner.graph.terms import NAME, clean_text, local_name, prov_value

ONTOLOGY = Path(__file__).parents[2] / "docs" / "provrunner-ns.ttl"


def test_ontology_defines_every_word_of_the_graph(graph: Graph) -> None:
    defined = set(re.findall(r"^(pr:\w+) a ", ONTOLOGY.read_text("utf-8"), re.MULTILINE))
    used = {*graph.nodes["type"].to_pylist(), *graph.edges["role"].drop_null().to_pylist()}
    for text in (*graph.nodes["attributes"].to_pylist(), *graph.edges["attributes"].to_pylist()):
        attributes = json.loads(text)
        used |= set(attributes)
        used |= {one for one in attributes.get("prov:type", ()) if isinstance(one, str)}
    assert {word for word in used if word.startswith("pr:")} - defined == set()


def test_ontology_is_turtle() -> None:
    rdflib = pytest.importorskip("rdflib")
    assert len(rdflib.Graph().parse(ONTOLOGY)) > 300


@given(st.text())
def test_any_text_makes_a_legal_part_of_an_id(text: str) -> None:
    assert re.fullmatch(NAME, f"run-1.hp.{local_name(text)}")


@given(st.lists(st.text(), min_size=2, max_size=8, unique=True))
def test_different_texts_make_different_parts(texts: list[str]) -> None:
    assert len({local_name(text) for text in texts}) == len(texts)


@pytest.mark.parametrize("text", ["lr.use.x", "use", "a.gen", "der.b"])
def test_part_that_could_be_taken_for_a_relations_id_is_hashed(text: str) -> None:
    assert "-" in local_name(text)


def test_long_text_is_cut_and_marked_with_its_digest() -> None:
    cut = clean_text("x" * 5000)
    assert len(cut) < 4096
    assert cut.endswith("[5000 characters, sha256 c59d3c0480cc2d71]")


def test_numbers_keep_their_type_and_odd_ones_their_meaning() -> None:
    assert [prov_value(value) for value in (1, 1.0, True, 2**70, float("nan"))] == [
        1, 1.0, True, "1180591620717411303424", "NaN",
    ]  # fmt: skip
    assert prov_value({"b": None}) == {"$": '{"b":null}', "type": "pr:json"}

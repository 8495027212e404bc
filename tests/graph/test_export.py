from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import rdflib
from hypothesis import given, settings
from hypothesis import strategies as st
from prov.identifier import Namespace
from prov.model import ProvDocument, ProvElement, ProvRelation
from prov.serializers.provjsonld import load_vendored_context
from support.prov_documents import read_document

from provrunner.graph import RELATIONS, Graph, check_graph, find_term
from provrunner.graph.export import (
    write_nquads,
    write_prov_json,
    write_prov_jsonld,
    write_prov_n,
    write_prov_xml,
    write_turtle,
)
from provrunner.graph.export.prov_jsonld import CONTEXT_IRI
from provrunner.graph.statements import Statements
from provrunner.graph.terms import BASE_IRI, NAMESPACES

# rdflib warns of itself.
pytestmark = pytest.mark.filterwarnings("ignore:(Dataset|ConjunctiveGraph):DeprecationWarning")

SWEEP = Path(__file__).with_name("small_sweep.py")
WRITERS: dict[str, Callable[[Graph, Path], None]] = {
    "json": write_prov_json,
    "provn": write_prov_n,
    "xml": write_prov_xml,
    "jsonld": write_prov_jsonld,
    "nq": write_nquads,
    "ttl": write_turtle,
}
PROV = "http://www.w3.org/ns/prov#"


def read(graph: Graph, folder: Path, format_: str) -> ProvDocument:
    path = folder / f"graph.{format_}"
    WRITERS[format_](graph, path)
    return read_document(path, format_)


def test_prov_library_reads_all_formats_as_the_same_document(graph: Graph, tmp_path: Path) -> None:
    documents = {format_: read(graph, tmp_path, format_) for format_ in WRITERS}
    statements = graph.nodes.num_rows + graph.edges.num_rows
    assert len(documents["json"].get_records()) == statements
    assert [name for name, one in documents.items() if one != documents["json"]] == []


def test_both_rdf_files_hold_the_same_triples_and_no_blank_node(
    graph: Graph, tmp_path: Path
) -> None:
    write_nquads(graph, tmp_path / "graph.nq")
    write_turtle(graph, tmp_path / "graph.ttl")
    quads, turtle = rdflib.Dataset(), rdflib.Graph()
    quads.parse(tmp_path / "graph.nq", format="nquads")
    turtle.parse(tmp_path / "graph.ttl")
    assert {quad[:3] for quad in quads.quads()} == set(turtle)
    assert not any(isinstance(term, rdflib.BNode) for triple in turtle for term in triple)
    lines = (tmp_path / "graph.nq").read_text("utf-8").splitlines(keepends=True)
    assert lines == sorted(set(lines))


def test_lines_that_do_not_fit_into_memory_are_sorted_all_the_same(
    graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_nquads(graph, tmp_path / "at_once.nq")
    monkeypatch.setattr("provrunner.graph.export.prov_o._LINES_IN_MEMORY", 500)
    write_nquads(graph, tmp_path / "by_parts.nq")
    assert (tmp_path / "at_once.nq").read_bytes() == (tmp_path / "by_parts.nq").read_bytes()


def test_jsonld_holds_the_qualified_triples_for_any_reader_of_json_ld(
    graph: Graph, tmp_path: Path
) -> None:
    write_prov_jsonld(graph, tmp_path / "graph.jsonld")
    document = json.loads((tmp_path / "graph.jsonld").read_text("utf-8"))
    assert document["@context"][1] == CONTEXT_IRI
    document["@context"][1] = load_vendored_context()
    found = rdflib.Dataset().parse(data=json.dumps(document), format="json-ld")
    write_turtle(graph, tmp_path / "graph.ttl")
    turtle = set(rdflib.Graph().parse(tmp_path / "graph.ttl"))
    triples = {quad[:3] for quad in found.quads()}
    plain = {f"{PROV}{relation.prov}" for relation in RELATIONS.values()}
    missing = {str(verb) for _, verb, _ in turtle - triples}
    assert missing <= plain | {f"{PROV}qualifiedRevision"}


@pytest.mark.parametrize("format_", ["json", "provn", "xml"])
def test_document_survives_the_prov_librarys_own_writers(
    graph: Graph, tmp_path: Path, format_: str
) -> None:
    document = read(graph, tmp_path, "json")
    again = ProvDocument.deserialize(content=document.serialize(format=format_), format=format_)
    assert again == document


def test_prov_n_is_grammatical_in_the_strict_profile(graph: Graph, tmp_path: Path) -> None:
    write_prov_n(graph, tmp_path / "graph.provn")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ProvDocument.deserialize(str(tmp_path / "graph.provn"), format="provn", profile="strict")


def test_documents_hold_no_control_characters(graph: Graph, tmp_path: Path) -> None:
    for format_, write in WRITERS.items():
        write(graph, tmp_path / format_)
        text = (tmp_path / format_).read_text("utf-8")
        assert not set(text) & {chr(code) for code in (*range(10), *range(11, 32), 0x202E)}


def test_bytes_are_the_same_in_every_process(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib, importlib.util as u\n"
        f"spec = u.spec_from_file_location('small', {str(SWEEP)!r})\n"
        "small = u.module_from_spec(spec); spec.loader.exec_module(small)\n"
        "from provrunner.graph import build_graph, export\n"
        "plan = small.make_plan()\n"
        "graph = build_graph(small.make_tables(plan), plan, sensitivity=small.make_effects())\n"
        "for name in export.__all__:\n"
        "    getattr(export, name)(graph, pathlib.Path(sys.argv[1]) / name)\n"
    )
    for seed in ("0", "1"):
        (tmp_path / seed).mkdir()
        subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / seed)],
            check=True,
            env={"PYTHONHASHSEED": seed},
        )
    written = sorted(path.name for path in (tmp_path / "0").iterdir())
    assert len(written) == 6
    for name in written:
        assert (tmp_path / "0" / name).read_bytes() == (tmp_path / "1" / name).read_bytes()


def by_records(document: ProvDocument) -> dict[str, set[str]]:
    """Lead from the first argument of every relation to all others: PROV is all it takes."""
    steps: dict[str, set[str]] = {}
    for relation in document.get_records(ProvRelation):
        subject, *others = [str(value) for _, value in relation.formal_attributes if value]
        steps.setdefault(subject, set()).update(others)
    return steps


def by_library(document: ProvDocument) -> dict[str, set[str]]:
    """Lead along the edges of the library's own graph."""
    from prov.graph import prov_to_graph

    with warnings.catch_warnings():
        # The library's graph has no edge for a start that names its starter alone.
        warnings.simplefilter("ignore")
        drawn = prov_to_graph(document)
    steps: dict[str, set[str]] = {}
    for subject, target in drawn.edges():
        steps.setdefault(str(subject.identifier), set()).add(str(target.identifier))
    return steps


@pytest.mark.parametrize("walk", [by_records, by_library])
@pytest.mark.parametrize("term", ["best", "test/acc@4", "train/loss@4/0"])
def test_stranger_reaches_the_origin_of_a_value_by_prov_alone(
    graph: Graph,
    tmp_path: Path,
    small: ModuleType,
    walk: Callable[[ProvDocument], dict[str, set[str]]],
    term: str,
) -> None:
    document = read(graph, tmp_path, "json")
    steps = walk(document)
    reached, frontier = set[str](), {f"art:{find_term(graph, term)}"}
    while frontier:
        reached |= frontier
        frontier = set().union(*(steps.get(one, set()) for one in frontier)) - reached
    elements = [
        element
        for element in document.get_records(ProvElement)
        if str(element.identifier) in reached
    ]
    values = {str(value) for element in elements for _, value in element.attributes}
    assert {small.DATA, small.COMMIT, small.PATCH, "ada"} <= values
    assert {"torch==2.9.0", "numpy==2.3.0", "trainer.max_epochs", "optimizer.lr"} <= values
    told = {
        (str(element.get_attribute("pr:name").pop()), element.get_attribute("prov:value").pop())
        for element in elements
        if ".hp." in str(element.identifier)
    }
    assert {("seed", 0), ("optimizer.lr", 0.01)} <= told


_VALUES = st.one_of(
    st.text(),
    st.floats(allow_nan=True),
    st.integers(),
    st.booleans(),
    st.none(),
    st.lists(st.text(max_size=3), max_size=3).map(tuple),
    st.text(st.characters(codec=None, categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Po"])),
)


@settings(max_examples=60, deadline=None)
@given(values=st.lists(_VALUES, max_size=5), label=st.text())
def test_any_value_comes_back_equal_from_every_format(
    tmp_path_factory: pytest.TempPathFactory, values: list[object], label: str
) -> None:
    statements = Statements()
    statements.add("entity", "thing-1", "pr:Setting", label, attributes={"value": values})
    graph = statements.to_graph(BASE_IRI)
    folder = tmp_path_factory.mktemp("values")
    assert check_graph(graph) == []
    documents = {format_: read(graph, folder, format_) for format_ in WRITERS}
    assert [name for name, one in documents.items() if one != documents["json"]] == []


@pytest.mark.parametrize("format_", WRITERS)
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a \"b\" <c> & \\ 'd' ]]> % ${e}", "a \"b\" <c> & \\ 'd' ]]> % ${e}"),
        ("\x00\x1b[31m\u202e\n", "\\u0000\\u001b[31m\\u202e\\n"),
        (" édge  🜁 ", " édge  🜁 "),
        ("", ""),
        (float("nan"), "NaN"),
        (float("inf"), float("inf")),
        (-5e-324, -5e-324),
        (2**63 - 1, 2**63 - 1),
        (True, True),
    ],
)
def test_hostile_value_is_read_as_it_was(
    tmp_path: Path, format_: str, value: object, expected: object
) -> None:
    statements = Statements()
    statements.add("entity", "thing-1", "pr:Setting", "a thing", attributes={"value": value})
    (thing,) = read(statements.to_graph(BASE_IRI), tmp_path, format_).get_records()
    (found,) = thing.get_attribute(Namespace("pr", NAMESPACES["pr"])["value"])
    assert (type(found), found) == (type(expected), expected)


def test_prov_json_keys_of_nameless_relations_are_blank(graph: Graph, tmp_path: Path) -> None:
    write_prov_json(graph, tmp_path / "graph.json")
    document = json.loads((tmp_path / "graph.json").read_text("utf-8"))
    assert all(key.startswith("_:") for key in document["specializationOf"])
    assert all(key.startswith("art:") for key in document["wasGeneratedBy"])

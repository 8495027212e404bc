from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prov.model import ProvDocument, ProvElement, ProvRelation

from provrunner.graph import Graph, check_graph, find_term
from provrunner.graph.export import write_prov_json, write_prov_n
from provrunner.graph.statements import Statements
from provrunner.graph.terms import BASE_IRI

SWEEP = Path(__file__).with_name("small_sweep.py")
WRITERS: dict[str, Callable[[Graph, Path], None]] = {
    "json": write_prov_json,
    "provn": write_prov_n,
}


def read(graph: Graph, folder: Path, format_: str) -> ProvDocument:
    path = folder / f"graph.{format_}"
    WRITERS[format_](graph, path)
    return ProvDocument.deserialize(str(path), format=format_)


def test_prov_library_reads_both_formats_as_the_same_document(graph: Graph, tmp_path: Path) -> None:
    documents = [read(graph, tmp_path, format_) for format_ in WRITERS]
    assert documents[0] == documents[1]
    statements = graph.nodes.num_rows + graph.edges.num_rows
    assert len(documents[0].get_records()) == statements


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
        "from provrunner.graph import build_graph\n"
        "from provrunner.graph.export import write_prov_json, write_prov_n\n"
        "plan = small.make_plan()\n"
        "graph = build_graph(small.make_tables(plan), plan, sensitivity=small.make_effects())\n"
        "write_prov_json(graph, pathlib.Path(sys.argv[1] + '.json'))\n"
        "write_prov_n(graph, pathlib.Path(sys.argv[1] + '.provn'))\n"
    )
    for seed in ("0", "1"):
        subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / seed)],
            check=True,
            env={"PYTHONHASHSEED": seed},
        )
    for suffix in ("json", "provn"):
        one, other = (tmp_path / f"{seed}.{suffix}" for seed in ("0", "1"))
        assert one.read_bytes() == other.read_bytes()


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
def test_any_value_comes_back_equal_from_both_formats(
    tmp_path_factory: pytest.TempPathFactory, values: list[object], label: str
) -> None:
    statements = Statements()
    statements.add("entity", "thing-1", "pr:Setting", label, attributes={"value": values})
    graph = statements.to_graph(BASE_IRI)
    folder = tmp_path_factory.mktemp("values")
    assert check_graph(graph) == []
    json_, provn = (read(graph, folder, format_) for format_ in WRITERS)
    assert json_ == provn
    assert ProvDocument.deserialize(content=json_.serialize(format="xml"), format="xml") == json_


def test_prov_json_keys_of_nameless_relations_are_blank(graph: Graph, tmp_path: Path) -> None:
    write_prov_json(graph, tmp_path / "graph.json")
    document = json.loads((tmp_path / "graph.json").read_text("utf-8"))
    assert all(key.startswith("_:") for key in document["specializationOf"])
    assert all(key.startswith("art:") for key in document["wasGeneratedBy"])

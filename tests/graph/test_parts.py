from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from prov.model import ProvDocument
from support.prov_documents import read_document

from provrunner.errors import GraphError
from provrunner.graph import Graph, bundle_runs, check_graph, cut_run
from provrunner.report.export import FORMATS, graph_writers


@pytest.fixture(scope="module")
def documents(graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> dict[str, ProvDocument]:
    """Every format that has bundles, read back."""
    folder = tmp_path_factory.mktemp("bundles")
    for suffix, write in graph_writers(graph, bundles=True).items():
        write(folder / suffix)
    return {suffix: read_document(folder / suffix, suffix) for suffix in FORMATS if suffix != "ttl"}


def test_all_formats_hold_the_same_bundles(documents: dict[str, ProvDocument]) -> None:
    assert len(list(documents["json"].bundles)) == 8 + 1
    assert [name for name, one in documents.items() if one != documents["json"]] == []


def test_bundles_put_together_say_what_the_flat_document_says(
    graph: Graph, documents: dict[str, ProvDocument], tmp_path: Path
) -> None:
    graph_writers(graph)["json"](tmp_path / "flat.json")
    expected = read_document(tmp_path / "flat.json", "json")
    found = documents["json"].flattened().unified()
    declared = [one for one in found.get_records() if ".bundle" in one.get_provn()]
    assert len(declared) == 9 * 4
    for one in declared:
        expected.add_record(one)
    assert found == expected


def test_every_bundle_is_valid_by_itself_and_generates_nothing_shared(graph: Graph) -> None:
    document, bundles = bundle_runs(graph)
    assert check_graph(document) == []
    for id_, bundle in bundles:
        assert check_graph(bundle) == []
        of = id_.removesuffix(".bundle").replace("analysis-", "")
        made = [
            row["subject"]
            for row in bundle.edges.to_pylist()
            if row["relation"] == "was_generated_by"
        ]
        assert made
        assert all(of in one or one.startswith(("summary-", "effect-")) for one in made)


def test_bundle_is_declared_with_its_maker(graph: Graph) -> None:
    document, bundles = bundle_runs(graph)
    types = dict(zip(*(document.nodes[name].to_pylist() for name in ("id", "type")), strict=True))
    assert {types[id_] for id_, _ in bundles} == {"prov:Bundle"}
    attributed = {
        row["subject"]: row["object"]
        for row in document.edges.to_pylist()
        if row["relation"] == "was_attributed_to"
    }
    assert all(attributed[id_].startswith("software-") for id_, _ in bundles)


def test_what_the_analysis_found_stands_in_a_bundle_of_its_own(graph: Graph) -> None:
    document, bundles = bundle_runs(graph)
    id_, findings = list(bundles)[-1]
    assert id_.startswith("analysis-")
    influences = [
        json.loads(row["attributes"])
        for row in findings.edges.to_pylist()
        if row["relation"] == "was_influenced_by"
    ]
    assert {"pr:share": 0.8, "pr:noiseFloor": 0.1} in influences
    assert "pr:SensitivityResult" not in document.nodes["type"].to_pylist()
    assert "was_influenced_by" not in document.edges["relation"].to_pylist()


def test_one_run_is_cut_with_its_origin_and_no_other_run(graph: Graph) -> None:
    cut = cut_run(graph, 0)
    assert set(cut.nodes["run"].to_pylist()) == {0, None}
    assert {"pr:Dataset", "pr:Commit", "prov:Person", "pr:Sweep"} <= set(
        cut.nodes["type"].to_pylist()
    )
    assert check_graph(cut) == []
    whole = [row for row in graph.nodes.to_pylist() if row["run"] == 0]
    assert len([row for row in cut.nodes.to_pylist() if row["run"] == 0]) == len(whole)


def test_unknown_run_cannot_be_cut(graph: Graph) -> None:
    with pytest.raises(GraphError, match="this graph has no run 99"):
        cut_run(graph, 99)


def test_graph_without_runs_has_no_bundles(graph: Graph) -> None:
    empty = Graph(graph.nodes.slice(0, 0), graph.edges.slice(0, 0))
    document, bundles = bundle_runs(empty)
    assert (document.nodes.num_rows, list(bundles)) == (0, [])
    assert isinstance(document.edges, pa.Table)

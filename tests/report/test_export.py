from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.prov_documents import read_document
from support.written import Written

from provrunner.cli import main
from provrunner.errors import ConfigError, LogError
from provrunner.report import FORMATS, export_graph, open_sweep, verify_sweep


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of eight runs, with all that is derived from its logs."""
    folder = Written().write(tmp_path_factory.mktemp("export") / "sweep")
    open_sweep(folder).write()
    return folder


def test_end_of_a_small_sweep_writes_every_format_and_the_plan(folder: Path) -> None:
    written = {path.name for path in (folder / "prov").iterdir()}
    assert {f"sweep.{suffix}" for suffix in FORMATS} <= written
    pictures = {"sweep", "best_run", "lineage", "plan", "plan_data"}
    assert {f"{name}.svg" for name in pictures} <= written


def test_large_sweep_leaves_all_but_two_formats_to_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provrunner.report.files._CHEAP_STATEMENTS", 10)
    large = Written(seeds=1).write(tmp_path / "large")
    open_sweep(large).write()
    written = {path.name for path in (large / "prov").glob("sweep.*")}
    assert written == {"sweep.json", "sweep.provn", "sweep.svg"}


def test_export_draws_a_sweep_or_a_run_as_png(folder: Path, tmp_path: Path) -> None:
    sweep = open_sweep(folder)
    drawn = export_graph(sweep, "png", out=tmp_path / "pictures")
    assert [path.name for path in drawn] == [
        "sweep.png", "best_run.png", "lineage.png", "plan.png", "plan_data.png",
    ]  # fmt: skip
    (one,) = export_graph(sweep, "png", run=3, out=tmp_path / "three.png")
    assert all(path.read_bytes().startswith(b"\x89PNG\r\n") for path in (*drawn, one))
    (svg,) = export_graph(sweep, "svg", run=3)
    assert svg.name.startswith("run-0003-")
    assert b"<svg" in svg.read_bytes()


def test_export_of_all_writes_one_file_a_format_and_all_say_the_same(
    folder: Path, tmp_path: Path
) -> None:
    written = export_graph(open_sweep(folder), "all", out=tmp_path / "graph")
    assert [path.name for path in written] == [f"graph.{suffix}" for suffix in FORMATS]
    documents = {path.suffix[1:]: read_document(path, path.suffix[1:]) for path in written}
    assert [name for name, one in documents.items() if one != documents["json"]] == []


def test_export_of_one_run_has_no_other_run(folder: Path) -> None:
    (path,) = export_graph(open_sweep(folder), "json", run=3)
    assert path.parent == folder / "prov"
    assert path.name.startswith("run-0003-")
    document = json.loads(path.read_text("utf-8"))
    runs = [one for one in document["activity"].values() if "pr:runId" in one]
    assert [one["pr:run"]["$"] for one in runs] == ["3"]


def test_finer_granularity_tells_more_epochs(folder: Path, tmp_path: Path) -> None:
    sizes = {}
    for granularity in ("run", "epoch"):
        sweep = open_sweep(folder, granularity=granularity)
        export_graph(sweep, "provn", out=tmp_path / granularity)
        sizes[granularity] = (tmp_path / granularity).read_text("utf-8").count("pr:TrainEpoch")
    assert sizes["run"] == 0
    assert sizes["epoch"] >= 8


def test_command_prints_the_file_that_it_wrote(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "graph.xml"
    with pytest.raises(SystemExit) as ended:
        main(["export", str(folder), "--to", "xml", "--bundles", "--out", str(out)])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert len(list(read_document(out, "xml").bundles)) == 8 + 1


def test_format_is_found_by_its_name_and_a_wrong_one_exits_with_2(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (path,) = export_graph(open_sweep(folder), "PROV-N", out=tmp_path / "graph")
    assert path.read_text("utf-8").startswith("document\n")
    with pytest.raises(SystemExit) as ended:
        main(["export", str(folder), "--to", "turtel"])
    assert ended.value.code == 2
    assert (
        "no format 'turtel'; one of json, provn, xml, jsonld, nq, ttl, all, ro-crate, svg, png"
        in (capsys.readouterr().err)
    )


def test_help_of_export_names_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["export", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert [name for name in FORMATS if f"{name} (" not in shown] == []


def test_wrong_words_are_told_in_one_message(folder: Path, tmp_path: Path) -> None:
    sweep = open_sweep(folder)
    with pytest.raises(ConfigError, match=r"no format 'jsonl'; .*did you mean 'json"):
        export_graph(sweep, "jsonl")
    with pytest.raises(ConfigError, match="bundles are a run each"):
        export_graph(sweep, run=1, bundles=True)
    with pytest.raises(LogError, match="has no run '99'"):
        export_graph(sweep, run=99)
    (tmp_path / "file").touch()
    with pytest.raises(LogError, match="cannot write"):
        export_graph(sweep, out=tmp_path / "file" / "graph.json")


def test_base_of_the_ids_is_the_users_own_where_planned(tmp_path: Path) -> None:
    folder = Written(seeds=1).write(tmp_path / "own")
    document = json.loads((folder / "plan.json").read_text("utf-8"))
    document["base_iri"] = "https://lab.example/x/"
    (folder / "plan.json").write_text(json.dumps(document), "utf-8")
    (path,) = export_graph(open_sweep(folder), "nq")
    text = path.read_text("utf-8")
    assert "<https://lab.example/x/sweep-" in text
    assert "w3id.org/provrunner/id/" not in text


def test_verify_finds_the_graph_of_a_sweep_valid(folder: Path) -> None:
    found = verify_sweep(folder, prov=True)
    assert [one.path for one in found.findings if one.path.startswith("tables")] == []


def test_verify_names_the_rule_and_the_statements_that_break_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Written(seeds=1).write(tmp_path / "broken")
    open_sweep(folder).write()
    path = folder / "tables" / "edges.parquet"
    edges = pq.read_table(path)
    rows = edges.to_pylist()
    broken = next(row for row in rows if row["relation"] == "was_generated_by")
    broken["object"] = "gone-1"
    pq.write_table(edges.from_pylist(rows, edges.schema), path)
    with pytest.raises(SystemExit) as ended:
        main(["verify", "--prov", str(folder)])
    assert ended.value.code == 1
    line = f"damaged  tables/edges.parquet  no dangling id: {broken['id']}, gone-1\n"
    assert line in capsys.readouterr().out


def test_verify_tells_of_tables_that_cannot_be_read(tmp_path: Path) -> None:
    folder = Written(seeds=1).write(tmp_path / "torn")
    open_sweep(folder).write()
    path = folder / "tables" / "nodes.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    found = verify_sweep(folder, prov=True)
    assert found.exit_code == 1
    assert "the graph's tables cannot be read" in found.findings[-1].message


def test_verify_tells_of_tables_with_foreign_columns(tmp_path: Path) -> None:
    folder = Written(seeds=1).write(tmp_path / "foreign")
    (folder / "tables").mkdir()
    for name in ("nodes", "edges"):
        pq.write_table(pa.table({"id": [1]}), folder / "tables" / f"{name}.parquet")
    found = verify_sweep(folder, prov=True)
    assert "the graph's tables cannot be read" in found.findings[-1].message

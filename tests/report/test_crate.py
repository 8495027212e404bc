from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from support.prov_documents import read_document
from support.written import Written

from provrunner.cli import main
from provrunner.errors import GraphError, LogError
from provrunner.ids import file_digest
from provrunner.report import FORMATS, export_graph, import_runs, open_sweep
from provrunner.schema import RunStatus

VALIDATE = Path(__file__).parents[1] / "support" / "validate_crate.py"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5",
    "https://w3id.org/ro/wfrun/workflow/0.5",
    "https://w3id.org/ro/wfrun/provenance/0.5",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Written(seeds=1).write(tmp_path_factory.mktemp("crate") / "sweep")
    open_sweep(folder).write()
    return folder


@pytest.fixture(scope="module")
def crate(folder: Path) -> Path:
    (path,) = export_graph(open_sweep(folder), "ro-crate")
    return path


def read(crate: Path) -> dict[str, dict[str, Any]]:
    document = json.loads((crate / "ro-crate-metadata.json").read_text("utf-8"))
    assert document["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    return {entity["@id"]: entity for entity in document["@graph"]}


def ids(value: Any) -> set[str]:
    return {one["@id"] for one in (value if isinstance(value, list) else [value])}


def of_type(entities: dict[str, dict[str, Any]], type_: str) -> list[dict[str, Any]]:
    return [one for one in entities.values() if type_ in one["@type"]]


def check_required(entities: dict[str, dict[str, Any]]) -> None:
    """Check what RO-Crate 1.1 and the three run profiles require of the entities we write."""
    descriptor, root = entities["ro-crate-metadata.json"], entities["./"]
    assert ids(descriptor["about"]) == {"./"}
    assert "https://w3id.org/ro/crate/1.1" in ids(descriptor["conformsTo"])
    assert {"name", "description", "datePublished", "license"} <= set(root)
    assert ids(root["conformsTo"]) == PROFILES
    workflow = entities[root["mainEntity"]["@id"]]
    types = {"File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"}
    assert types == set(workflow["@type"])
    assert entities[workflow["programmingLanguage"]["@id"]]["@type"] == "ComputerLanguage"
    (tool,), (step,) = ids(workflow["hasPart"]), ids(workflow["step"])
    assert ids(entities[step]["workExample"]) == {tool}
    actions = {one["@id"]: one for one in of_type(entities, "CreateAction")}
    instruments = {one["instrument"]["@id"] for one in actions.values()}
    assert instruments == {workflow["@id"], tool}
    controls = of_type(entities, "ControlAction")
    assert {one["instrument"]["@id"] for one in controls} == {step}
    runs = {one["@id"] for one in actions.values() if one["instrument"]["@id"] == tool}
    assert {one["object"]["@id"] for one in controls} == runs
    (organize,) = of_type(entities, "OrganizeAction")
    assert ids(organize["object"]) == {one["@id"] for one in controls}
    assert entities[organize["instrument"]["@id"]]["@type"] == "SoftwareApplication"
    assert organize["result"]["@id"] in actions
    for parameter in of_type(entities, "FormalParameter"):
        assert "additionalType" in parameter
        assert {entities[one]["@type"] for one in ids(parameter["workExample"])} == {
            "PropertyValue"
        }
    assert ids(workflow["input"]) == {one["@id"] for one in of_type(entities, "FormalParameter")}


def test_crate_of_a_sweep_has_all_that_the_profiles_require(crate: Path) -> None:
    entities = read(crate)
    check_required(entities)
    assert len(of_type(entities, "ControlAction")) == 4
    assert [one["name"] for one in of_type(entities, "Person")] == ["ada"]


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The crate of runs that a table told of, without times, people or configurations."""
    place = tmp_path_factory.mktemp("imported")
    rows = [f"{rate},{seed},{rate + seed}\n" for rate in (0.1, 0.2) for seed in (0, 1)]
    (place / "runs.csv").write_text("lr,seed,loss\n" + "".join(rows))
    sweep = import_runs(place / "runs.csv", "loss", to=place / "sweep")
    sweep.write()
    (path,) = export_graph(sweep, "ro-crate")
    return path


def test_crate_of_imported_runs_claims_no_more_than_is_known(imported: Path) -> None:
    entities = read(imported)
    check_required(entities)
    assert len(of_type(entities, "ControlAction")) == 4
    assert entities[entities["plan.json"]["programmingLanguage"]["@id"]]["name"] == "JSON"
    engine = next(one["instrument"]["@id"] for one in of_type(entities, "OrganizeAction"))
    assert entities[engine]["name"] == "unknown"
    assert entities["./"]["description"].startswith("import from table by provrunner: 4 runs")
    values = {one["value"] for one in of_type(entities, "PropertyValue") if one["name"] == "lr"}
    assert values == {0.1, 0.2}


@pytest.mark.parametrize("made", ["crate", "imported"])
def test_every_reference_of_a_crate_is_to_an_entity_in_it(
    made: str, request: pytest.FixtureRequest
) -> None:
    entities = read(request.getfixturevalue(made))
    statuses = "http://schema.org/"
    named = {
        id_
        for entity in entities.values()
        for value in entity.values()
        if isinstance(value, dict | list)
        for id_ in ids([one for one in ([value] if isinstance(value, dict) else value)
                        if isinstance(one, dict)] or [])
    }  # fmt: skip
    known = {*entities, "https://w3id.org/ro/crate/1.1"}
    assert {one for one in named - known if not one.startswith(statuses)} == set()


def test_every_file_of_a_crate_is_described_by_its_digest_and_no_other_is(crate: Path) -> None:
    entities = read(crate)
    found = {path.relative_to(crate).as_posix() for path in crate.rglob("*") if path.is_file()}
    described = ids(entities["./"]["hasPart"])
    assert described == found - {"ro-crate-metadata.json"}
    for name in described:
        assert entities[name]["sha256"] == file_digest(crate / name)
        assert entities[name]["contentSize"] == str((crate / name).stat().st_size)


def test_crate_holds_the_provenance_in_every_format(folder: Path, crate: Path) -> None:
    assert {path.name for path in (crate / "prov").iterdir()} == {f"graph.{s}" for s in FORMATS}
    assert read_document(crate / "prov" / "graph.xml", "xml") == read_document(
        folder / "prov" / "sweep.json", "json"
    )


def test_run_action_names_values_results_and_times(crate: Path) -> None:
    entities = read(crate)
    run = next(one for one in of_type(entities, "CreateAction") if "run 0001" in one["name"])
    values = {entities[one]["name"]: entities[one].get("value") for one in ids(run["object"])}
    assert values["optimizer.lr"] == 0.1
    assert values["model.width"] == 16
    assert values["seed"] == 0
    results = {one.rpartition("/")[2] for one in ids(run["result"])}
    assert {"epoch001.ckpt", "metrics.arrow", "events.arrow"} <= results
    assert run["actionStatus"] == {"@id": "http://schema.org/CompletedActionStatus"}
    assert run["startTime"] <= run["endTime"]


def test_crate_of_one_run_holds_that_run_alone(folder: Path, tmp_path: Path) -> None:
    (path,) = export_graph(open_sweep(folder), "ro-crate", run=2, out=tmp_path / "new" / "run")
    entities = read(path)
    check_required(entities)
    assert len(of_type(entities, "ControlAction")) == 1
    assert [one.name[:5] for one in (path / "runs").iterdir()] == ["0002-"]
    assert not (path / "report.html").exists()


def test_crate_is_a_zip_file_where_its_name_says_so_and_the_same_each_time(
    folder: Path, crate: Path, tmp_path: Path
) -> None:
    written = [
        export_graph(open_sweep(folder), "ro-crate", out=tmp_path / name)[0]
        for name in ("one.zip", "two.zip")
    ]
    assert written[0].read_bytes() == written[1].read_bytes()
    with zipfile.ZipFile(written[0]) as archive:
        names = set(archive.namelist())
        metadata = archive.read("ro-crate-metadata.json")
    assert "plan.json" in names
    assert metadata == (crate / "ro-crate-metadata.json").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.zip", "two.zip"]


def test_license_is_as_given_and_none_is_made_up(folder: Path, crate: Path, tmp_path: Path) -> None:
    assert "No license was given" in read(crate)["#license"]["name"]
    iri = "https://creativecommons.org/licenses/by/4.0/"
    words = ["export", str(folder), "--to", "ro-crate", "--license", iri]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--out", str(tmp_path / "crate")])
    assert ended.value.code == 0
    entities = read(tmp_path / "crate")
    assert entities["./"]["license"] == {"@id": iri}
    assert entities[iri]["@type"] == "CreativeWork"


def test_folder_of_something_else_is_left_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(LogError, match="is neither empty nor a crate"):
        export_graph(open_sweep(folder), "ro-crate", out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_link_out_of_the_sweep_is_not_packed(tmp_path: Path) -> None:
    folder = Written(rates=(0.1,), widths=(8,), seeds=1).write(tmp_path / "sweep")
    (tmp_path / "secret").write_text("key")
    (run,) = (folder / "runs").iterdir()
    (run / "checkpoints" / "link.ckpt").symlink_to(tmp_path / "secret")
    (path,) = export_graph(open_sweep(folder), "ro-crate")
    assert not list(path.rglob("link.ckpt"))


def test_failed_run_says_so_and_a_sweep_without_runs_has_no_crate(tmp_path: Path) -> None:
    failed = Written(rates=(0.1,), widths=(8,), seeds=1, status=RunStatus.FAILED)
    entities = read(export_graph(open_sweep(failed.write(tmp_path / "failed")), "ro-crate")[0])
    check_required(entities)
    statuses = {one["actionStatus"]["@id"] for one in of_type(entities, "CreateAction")}
    assert statuses == {"http://schema.org/FailedActionStatus"}
    empty = failed.write(tmp_path / "empty")
    shutil.rmtree(empty / "runs")
    with pytest.raises(GraphError, match="no run of this sweep has begun"):
        export_graph(open_sweep(empty), "ro-crate")


def test_roc_validator_finds_nothing_that_is_required_missing(
    folder: Path, crate: Path, tmp_path: Path
) -> None:
    command = shutil.which("rocrate-validator")
    if command is None:
        pytest.skip("roc-validator is not installed: it needs an older rich than provrunner")
    python = Path(command).read_text("utf-8").splitlines()[0].removeprefix("#!")
    (run,) = export_graph(open_sweep(folder), "ro-crate", run=0, out=tmp_path / "run")
    broken = tmp_path / "broken"
    shutil.copytree(run, broken)
    text = (broken / "ro-crate-metadata.json").read_text("utf-8")
    (broken / "ro-crate-metadata.json").write_text(text.replace("mainEntity", "about"))
    done = subprocess.run(
        [python, str(VALIDATE), str(crate), str(run)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"{crate}: 0 issues\n{run}: 0 issues\n")
    control = subprocess.run(
        [python, str(VALIDATE), str(broken)], capture_output=True, text=True, check=False
    )
    assert control.returncode == 1


def test_checkpoint_that_was_changed_is_named_and_not_packed(tmp_path: Path) -> None:
    folder = Written(seeds=1).write(tmp_path / "sweep")
    changed = next(folder.glob("runs/0001-*/checkpoints/*"))
    changed.write_bytes(b"other weights")
    with pytest.raises(
        LogError, match=rf"checkpoint {changed} was changed: its SHA-256 is \w{{12}}"
    ):
        export_graph(open_sweep(folder), "ro-crate", out=tmp_path / "crate")
    assert not (tmp_path / "crate").exists()
    (path,) = export_graph(open_sweep(folder), "ro-crate", run=0, out=tmp_path / "crate")
    assert path.is_dir()


def test_run_outside_the_plan_is_packed_with_its_files(tmp_path: Path) -> None:
    folder = Written(seeds=1).write(tmp_path / "sweep")
    one = next(folder.glob("runs/0003-*"))
    shutil.copytree(one, one.with_name("0004-abcdef12"))
    (path,) = export_graph(open_sweep(folder), "ro-crate")
    (run,) = (one for one in of_type(read(path), "CreateAction") if "0004-" in one["name"])
    assert "runs/0004-abcdef12/checkpoints/epoch001.ckpt" in ids(run["result"])

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

import pytest
from support.written import Written

from provrunner.errors import ConfigError, LogError
from provrunner.graph import check_graph
from provrunner.report import add_note, open_sweep, summary_markdown

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path):
    return Written(reason="is width worth it?").write(tmp_path / "s")


def test_notes_are_kept_in_order_and_shown_everywhere(folder):
    assert add_note(open_sweep(folder), 3, "odd <curve>", user="ada", now=NOW).startswith("0003-")
    assert add_note(open_sweep(folder), "sweep", "done", user="", now=NOW) == "s"

    sweep = open_sweep(folder)
    rows = sweep.table("notes").select(["run", "user", "text"]).to_pylist()
    assert rows == [
        {"run": 3, "user": "ada", "text": "odd <curve>"},
        {"run": None, "user": None, "text": "done"},
    ]
    assert sweep.about() == (
        "reason: is width worth it?",
        f"note on {sweep.plan.points[3].run_id} by ada, 2026-01-05 12:00 UTC: odd <curve>",
        "note, 2026-01-05 12:00 UTC: done",
    )
    sweep.write()
    page = (folder / "report.html").read_text()
    assert "odd &lt;curve&gt;" in page
    assert "is width worth it?" in page
    assert "is width worth it?" in summary_markdown(
        sweep.sensitivity().to_dict(), about=sweep.about()
    )


def test_a_note_is_an_entity_attributed_to_a_person_and_about_its_run(folder):
    add_note(open_sweep(folder), 3, "odd", user="ada", now=NOW)
    graph = open_sweep(folder).graph()
    (note,) = [row for row in graph.nodes.to_pylist() if row["type"] == "pr:Note"]
    edges = [row for row in graph.edges.to_pylist() if row["subject"] == note["id"]]
    labels = {row["id"]: row["label"] for row in graph.nodes.to_pylist()}
    assert {(row["relation"], labels[row["object"]]) for row in edges} == {
        ("was_attributed_to", "ada"),
        ("was_influenced_by", f"run {open_sweep(folder).plan.points[3].run_id}"),
    }
    assert check_graph(graph) == []
    purposes = [json.loads(row["attributes"]).get("pr:purpose") for row in graph.nodes.to_pylist()]
    assert "is width worth it?" in purposes


def test_the_file_only_grows_and_a_torn_line_costs_only_itself(folder):
    add_note(open_sweep(folder), 0, "first", user="ada", now=NOW)
    path = folder / "notes.jsonl"
    before = path.read_bytes()
    with path.open("ab") as file:
        file.write(b'{"time": "2026-01-05T12:')
    add_note(open_sweep(folder), 1, "second", user="ada", now=NOW)
    assert path.read_bytes().startswith(before)
    assert open_sweep(folder).table("notes")["text"].to_pylist() == ["first", "second"]


def test_a_secret_in_a_note_is_masked(folder):
    add_note(open_sweep(folder), 0, "ran with token=hunter2hunter2", user="ada", now=NOW)
    assert "hunter2" not in (folder / "notes.jsonl").read_text()


@pytest.mark.parametrize("text", ["", "  ", "x" * 10_001])
def test_a_note_has_something_to_say(folder, text):
    with pytest.raises(ConfigError, match="a note has 1 to 10000 characters"):
        add_note(open_sweep(folder), 0, text)
    assert not (folder / "notes.jsonl").exists()


def test_a_note_on_an_unknown_run_is_refused(folder):
    with pytest.raises(LogError, match="its 8 runs"):
        add_note(open_sweep(folder), 99, "text")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(folder):
    folder.chmod(0o500)
    with pytest.raises(LogError, match=r"cannot write .*notes\.jsonl"):
        add_note(open_sweep(folder), 0, "text")


def test_a_note_on_a_run_of_another_sweep_lies_in_that_sweep(folder, tmp_path):
    other = Written().write(tmp_path / "other")
    run_id = add_note(open_sweep(folder), f"{other}:3", "odd", user="ada", now=NOW)
    assert open_sweep(other).table("notes").select(["run_id", "text"]).to_pylist() == [
        {"run_id": run_id, "text": "odd"}
    ]
    assert open_sweep(folder).table("notes").num_rows == 0

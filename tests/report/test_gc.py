"""Checkpoints that are removed afterwards: what goes, what stays, and what is told of it."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.size.generate import write_sweep
from provrunner.cli.main import main
from provrunner.graph import check_graph
from provrunner.ids import digest
from provrunner.log import PastEvent, read_plan, run_folder, verify_sweep, write_past_run
from provrunner.log.collected import append_tombstones
from provrunner.report import collect_checkpoints, find_garbage, open_sweep
from provrunner.schema import RunStatus

RUNS = 6
LEFT = "checkpoints/epoch4.ckpt"
BYTES = b"weights"


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("written") / "sweep"
    write_sweep(folder, RUNS)
    return folder


@pytest.fixture
def sweep(written, tmp_path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "sweep"))


def files(folder: Path) -> list[str]:
    plan = read_plan(folder)
    return [one.run_id for one in plan.points if (run_folder(folder, one.run_id) / LEFT).exists()]


def best(folder: Path, count: int) -> list[str]:
    rows = open_sweep(folder).runs.sort_by("objective").to_pylist()
    return sorted(row["run_id"] for row in rows[:count])


def write_ended(
    folder: Path, run: int, status: RunStatus, path: str = LEFT, created: datetime | None = None
) -> Path:
    """Put another run in the place of one: it left a checkpoint, and ended so."""
    time_us = None if created is None else int(created.timestamp() * 1e6)
    place = run_folder(folder, read_plan(folder).points[run].run_id)
    shutil.rmtree(place)
    facts = {"sha256": digest(BYTES), "size_bytes": len(BYTES), "role": "last"}
    events = [
        PastEvent("run_start", "", {"attempt": 0}, time_us),
        PastEvent("checkpoint", path, facts, time_us),
    ]
    write_past_run(place, events, [], sweep_id="s", status=status)
    file = place / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(BYTES)
    return file


def collect(folder: Path, keep_best: int = 1) -> int:
    sweep = open_sweep(folder)
    return collect_checkpoints(sweep, find_garbage(sweep, keep_best=keep_best))


def test_all_but_the_best_go_and_their_bytes_are_free(sweep):
    kept = best(sweep, 2)
    assert collect(sweep, 2) == (RUNS - 2) * len(BYTES)
    assert files(sweep) == kept
    assert collect(sweep, 2) == 0
    assert collect(sweep, 0) == 2 * len(BYTES)
    assert files(sweep) == []


def test_the_bytes_of_a_checkpoint_inside_another_count_once(sweep):
    place = run_folder(sweep, read_plan(sweep).points[0].run_id)
    shutil.rmtree(place)
    events = [PastEvent("run_start", "", {"attempt": 0})]
    events += [PastEvent("checkpoint", path, {}) for path in ("ckpt", "ckpt/a", "ckpt/b/c")]
    write_past_run(place, events, [], sweep_id="s", status=RunStatus.DIVERGED)
    (place / "ckpt" / "b").mkdir(parents=True)
    for name, size_bytes in (("a", 3), ("b/c", 5), ("d", 7)):
        (place / "ckpt" / name).write_bytes(b"." * size_bytes)
    found = find_garbage(open_sweep(sweep), keep_best=RUNS)
    assert {(one.path, one.size_bytes) for one in found.garbage} == {
        ("ckpt", 15), ("ckpt/a", 3), ("ckpt/b/c", 5),
    }  # fmt: skip
    assert collect(sweep, RUNS) == 15
    assert not (place / "ckpt").exists()
    assert collect(sweep, RUNS) == 0


def test_what_went_is_collected_and_not_damaged(sweep):
    collect(sweep)
    found = verify_sweep(sweep, read_data=True)
    assert found.exit_code == 0
    assert [one.severity for one in found.findings] == ["note"] * (RUNS - 1)
    assert all("collected" in one.message for one in found.findings)
    (run_folder(sweep, best(sweep, 1)[0]) / LEFT).unlink()
    assert verify_sweep(sweep).exit_code == 1


def test_the_graph_states_what_made_an_end_of_them(sweep):
    before = open_sweep(sweep).graph(analysis=False)
    collect(sweep)
    opened = open_sweep(sweep)
    graph = opened.graph(analysis=False)
    assert check_graph(graph) == []
    (cleanup,) = [row for row in graph.nodes.to_pylist() if row["type"] == "pr:Cleanup"]
    ends = [row for row in graph.edges.to_pylist() if row["relation"] == "was_invalidated_by"]
    after_runs = [row for row in ends if row["object"] == cleanup["id"]]
    assert len(after_runs) == RUNS - 1
    assert {row["time"] for row in after_runs} == {cleanup["start"]}
    earlier = [row for row in before.edges.to_pylist() if row["relation"] == "was_invalidated_by"]
    assert [row for row in ends if row["object"] != cleanup["id"]] == earlier
    table = opened.table("collected")
    gone = opened.sql(f"from artifacts where path = '{LEFT}' and deleted is not null").fetchall()
    assert len(gone) == table.num_rows == RUNS - 1
    assert set(table["sha256"].to_pylist()) == {digest(BYTES)}


@pytest.mark.parametrize(
    "status", [RunStatus.FAILED, RunStatus.INTERRUPTED, RunStatus.LOST], ids=str
)
def test_what_a_resume_may_go_on_from_stays(sweep, status):
    file = write_ended(sweep, 3, status)
    collect(sweep, 0)
    assert file.read_bytes() == BYTES
    assert len(files(sweep)) == 1


def test_a_run_under_way_keeps_its_own(sweep):
    from provrunner.log import ArrowSink
    from provrunner.schema import Event

    file = write_ended(sweep, 3, RunStatus.INTERRUPTED)
    run_id = read_plan(sweep).points[3].run_id
    sink = ArrowSink(run_folder(sweep, run_id), sweep_id="s", run_id=run_id)
    sink.open(0)
    sink.write([Event("run_start", "", {"attempt": 1})])
    collect(sweep, 0)
    sink.close(RunStatus.FINISHED)
    assert file.exists()


def test_a_diverged_run_has_nothing_to_go_on_from(sweep):
    file = write_ended(sweep, 3, RunStatus.DIVERGED)
    collect(sweep, RUNS)
    assert not file.exists()


@pytest.mark.parametrize("path", ["../outside.ckpt", "checkpoints/../../outside.ckpt"])
def test_nothing_outside_the_run_goes(sweep, path):
    (sweep / "runs" / "outside.ckpt").write_bytes(BYTES)
    write_ended(sweep, 3, RunStatus.FINISHED, path)
    collect(sweep, 0)
    assert (sweep / "runs" / "outside.ckpt").exists()


@pytest.mark.parametrize("path", ["log/metrics.arrow", "log", "checkpoints/../log", "log/.."])
def test_no_log_goes_though_a_log_names_it_as_a_checkpoint(sweep, path):
    write_ended(sweep, 3, RunStatus.FINISHED)
    run = run_folder(sweep, read_plan(sweep).points[3].run_id)
    facts = {"sha256": None, "size_bytes": None, "role": "last"}
    shutil.rmtree(run / "log")
    events = [PastEvent("run_start", "", {"attempt": 0}), PastEvent("checkpoint", path, facts)]
    write_past_run(run, events, [], sweep_id="s", status=RunStatus.FINISHED)
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    collect(sweep, 0)
    assert {file: file.read_bytes() for file in run.rglob("*") if file.is_file()} == before


def test_a_run_that_was_run_anew_is_not_told_of_by_the_clean_up_before_it(sweep):
    run_id = read_plan(sweep).points[3].run_id
    before = datetime(2026, 1, 2, 3, 4, 4, tzinfo=UTC)
    append_tombstones(sweep, [(run_id, LEFT, digest(BYTES), len(BYTES))], user=None, now=before)
    file = write_ended(sweep, 3, RunStatus.FINISHED, created=before + timedelta(hours=1))
    opened = open_sweep(sweep)
    asked = f"select deleted from artifacts where run_id = '{run_id}'"
    assert opened.sql(asked).fetchall() == [(None,)]
    assert check_graph(opened.graph(analysis=False)) == []
    file.rename(file.with_suffix(".lost"))
    assert verify_sweep(sweep).exit_code == 1
    file.with_suffix(".lost").rename(file)
    collect(sweep, 0)
    assert open_sweep(sweep).table("collected")["run_id"].to_pylist().count(run_id) == 2
    assert verify_sweep(sweep).exit_code == 0
    assert check_graph(open_sweep(sweep).graph(analysis=False)) == []


def test_bytes_that_were_written_twice_are_removed_by_the_clean_up_alone(sweep):
    file = write_ended(sweep, 3, RunStatus.FINISHED)
    run = run_folder(sweep, read_plan(sweep).points[3].run_id)
    shutil.rmtree(run / "log")
    facts = {"sha256": digest(BYTES), "size_bytes": len(BYTES), "role": "last"}
    twice = [PastEvent("checkpoint", LEFT, facts)] * 2
    write_past_run(
        run, [PastEvent("run_start", "", {"attempt": 0}), *twice], [], sweep_id="s",
        status=RunStatus.FINISHED,
    )  # fmt: skip
    collect(sweep, 0)
    assert not file.exists()
    graph = open_sweep(sweep).graph(analysis=False)
    (cleanup,) = [row for row in graph.nodes.to_pylist() if row["type"] == "pr:Cleanup"]
    ends = [row for row in graph.edges.to_pylist() if row["relation"] == "was_invalidated_by"]
    assert [row["object"] for row in ends if row["run"] == 3] == [cleanup["id"]] * 2
    assert check_graph(graph) == []


def test_a_clean_up_that_was_killed_half_way_is_ended_by_the_next(sweep):
    run_id = read_plan(sweep).points[2].run_id
    told = (run_id, LEFT, digest(BYTES), len(BYTES))
    append_tombstones(sweep, [told], user="ada", now=datetime(2026, 5, 1, tzinfo=UTC))
    assert verify_sweep(sweep).exit_code == 0
    assert collect(sweep, 0) == RUNS * len(BYTES)
    assert open_sweep(sweep).table("collected").num_rows == RUNS
    assert check_graph(open_sweep(sweep).graph(analysis=False)) == []


def test_half_a_line_hides_no_other(sweep):
    (sweep / "collected.jsonl").write_text('{"time": "2026-05-')
    collect(sweep)
    assert open_sweep(sweep).table("collected").num_rows == RUNS - 1


def test_a_login_that_is_no_utf8_and_lines_of_no_use_hide_no_tombstone(sweep, monkeypatch):
    path = sweep / "collected.jsonl"
    told = '"run_id": "a", "sha256": null, "size_bytes": 1, "user": null'
    line = "{" + told + ', "path": "b%s", "time": "%s"}'
    times = ("9999-12-31T23:59:59-14:00", "2026-01-02T03:04:05Z")
    path.write_text("\n".join(line % pair for pair in zip(("", "\\ud800"), times, strict=True)))
    monkeypatch.setenv("LOGNAME", "caf\udce9")
    collect(sweep)
    table = open_sweep(sweep).table("collected")
    assert table["user"].to_pylist() == ["caf\\udce9"] * (RUNS - 1)
    assert verify_sweep(sweep).exit_code == 0


def test_the_verb_says_what_it_would_free_and_then_frees_it(sweep, capsys):
    for words, freed in ((["--dry"], "would free 35 B of 5"), ([], "freed 35 B of 5")):
        with pytest.raises(SystemExit) as ended:
            main(["gc", str(sweep), *words])
        assert ended.value.code == 0
        shown = capsys.readouterr().out
        assert f"{freed} checkpoints" in shown
        assert shown.count(LEFT) == 5
        assert len(files(sweep)) == (6 if words else 1)


def test_a_negative_count_is_refused(sweep, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["gc", str(sweep), "--keep-best", "-1"])
    assert ended.value.code == 2
    assert "keep-best is -1" in capsys.readouterr().err

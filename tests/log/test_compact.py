"""Stored tables tell what the logs tell, and are used only where they still do."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from support.question_sweep import FAILED, LAST, write_last, write_sweep

from provrunner.errors import ProvrunnerWarning
from provrunner.log import PastEvent, PastMetric, read_plan, write_past_run
from provrunner.log.collected import append_tombstones
from provrunner.log.compact import Compactor, compacting, remove_parts
from provrunner.log.derive import STORED_TABLES, SweepTables
from provrunner.log.folder import log_folder, run_folder
from provrunner.log.parts import find_parts
from provrunner.log.plan_file import grow_plan
from provrunner.log.sweep import FolderLogs, read_tables
from provrunner.report import Sweep, open_sweep
from provrunner.schema import RunStatus


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    return write_sweep(tmp_path_factory.mktemp("written"))


@pytest.fixture
def sweep(written, tmp_path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "sweep"))


@pytest.fixture
def planned(written, tmp_path) -> Path:
    """The sweep before its first run."""
    (tmp_path / "planned" / "runs").mkdir(parents=True)
    shutil.copy(written / "plan.json", tmp_path / "planned")
    return tmp_path / "planned"


def copy_run(sweep: Path, planned: Path, run: int) -> None:
    place = run_folder(planned, read_plan(planned).points[run].run_id)
    shutil.copytree(sweep / "runs" / place.name, place)


def parts(folder: Path) -> list[Path]:
    return sorted((folder / "tables" / "parts").glob("*"))


def from_logs(folder: Path) -> dict:
    return dict(read_tables(folder, stored=False))


def assert_tells_the_logs(folder: Path) -> None:
    truth = from_logs(folder)
    found = read_tables(folder)
    for name in truth:
        assert found[name].schema == truth[name].schema
        assert found[name].equals(truth[name]), name


def compact_all(folder: Path) -> None:
    Compactor(folder, least=1).step()


def log_of(folder: Path, run: int) -> Path:
    return log_folder(run_folder(folder, read_plan(folder).points[run].run_id))


def refuse_logs(monkeypatch) -> None:
    """Let no log of a run be read."""

    def read(*_args):
        raise AssertionError("a log was read")

    monkeypatch.setattr("provrunner.log.sweep.read_log", read)


def test_tables_of_any_parts_are_those_of_the_logs(sweep):
    compactor = Compactor(sweep, least=5)
    assert [compactor.step(), compactor.step()] == [12, 0]
    assert len(parts(sweep)) == 1
    assert_tells_the_logs(sweep)


def test_no_log_is_read_of_a_run_that_a_part_tells_of(sweep, monkeypatch):
    truth = from_logs(sweep)
    Compactor(sweep, least=5).step()
    refuse_logs(monkeypatch)
    found = read_tables(sweep)
    assert all(found[name].equals(truth[name]) for name in STORED_TABLES)


def test_parts_are_merged_and_tell_the_same(written, planned):
    compactor = Compactor(planned, least=1)
    for run in reversed(range(12)):
        copy_run(written, planned, run)
        assert compactor.step() == 1
        assert 1 <= len(parts(planned)) <= 8, run
        if run == 6:
            assert_tells_the_logs(planned)
    assert_tells_the_logs(planned)


def test_runs_that_were_judged_otherwise_are_not_merged_with_others(written, planned):
    compactor = Compactor(planned, least=1)
    for run in range(12):
        if run == 4:
            plan = read_plan(planned)
            judged = replace(plan.objective, direction="maximize")
            grow_plan(planned, replace(plan, objective=judged))
        copy_run(written, planned, run)
        compactor.step()
    assert len(parts(planned)) == 4 + 1
    assert_tells_the_logs(planned)


def test_a_run_that_goes_on_is_read_from_its_log(written, planned):
    folder = planned
    copy_run(written, folder, 0)
    sink = write_last(folder, 2)
    sink.close(RunStatus.INTERRUPTED, "SIGTERM")
    compactor = Compactor(folder, least=1)
    compactor.step()
    assert read_tables(folder)["runs"]["status"][LAST].as_py() == "interrupted"
    again = write_last(folder, 3)
    assert read_tables(folder)["runs"]["status"][LAST].as_py() == "running"
    again.close(RunStatus.FINISHED)
    assert_tells_the_logs(folder)
    assert compactor.step() == 1
    assert_tells_the_logs(folder)


def test_a_damaged_log_is_told_of_though_it_was_whole_when_stored(sweep):
    Compactor(sweep, least=1).step()
    plan = read_plan(sweep)
    path = log_of(sweep, 4) / "metrics.arrow"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.warns(ProvrunnerWarning, match=f"{plan.points[4].run_id}: .*metrics.arrow"):
        states = read_tables(sweep)["runs"]["log_state"].to_pylist()
    assert states[4] == "corrupt"
    with pytest.warns(ProvrunnerWarning):
        assert_tells_the_logs(sweep)


def test_logs_that_are_not_whole_are_in_no_part(sweep):
    path = log_of(sweep, 4) / "metrics.arrow"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    plan = read_plan(sweep)
    with pytest.warns(ProvrunnerWarning, match=f"{plan.points[4].run_id}: .*metrics.arrow"):
        Compactor(sweep, least=1).step()
    (part,) = find_parts(sweep, plan.objective, FolderLogs(sweep, plan).fingerprints)
    assert len(part.runs) == 11
    assert plan.points[4].run_id not in part.runs
    with pytest.warns(ProvrunnerWarning):
        assert_tells_the_logs(sweep)


@pytest.mark.parametrize("table", ["runs", "epochs", "params"])
def test_a_damaged_part_costs_time_and_nothing_else(sweep, table):
    truth = from_logs(sweep)
    Compactor(sweep, least=1).step()
    (part,) = parts(sweep)
    path = part / f"{table}.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    found = read_tables(sweep)
    assert all(found[name].equals(truth[name]) for name in truth)


def test_a_part_that_is_removed_while_it_is_read_costs_time_and_nothing_else(sweep):
    truth = from_logs(sweep)
    Compactor(sweep, least=1).step()
    found = read_tables(sweep)
    assert found["runs"].equals(truth["runs"])
    shutil.rmtree(sweep / "tables")
    assert all(found[name].equals(truth[name]) for name in truth)


def write_run(folder: Path, run: int, stage: str, *names: str) -> None:
    """Write the log of a run that logged some metrics twice in one stage."""
    steps = pa.array([1, 2], pa.int64())
    metrics = [
        PastMetric(name, stage, pa.array([0.5 + run, 0.25 + run]), steps, steps, steps)
        for name in names
    ]
    plan = read_plan(folder)
    started = PastEvent("run_start", "", {"attempt": 0}, 0, 0)
    place = run_folder(folder, plan.points[run].run_id)
    write_past_run(place, [started], metrics, sweep_id="s", status=RunStatus.FINISHED)


def test_what_depends_on_all_runs_is_decided_anew(planned):
    """One run that validates decides where all are judged, and what columns are called."""
    folder = planned
    compactor = Compactor(folder, least=1)
    write_run(folder, 0, "train", "val/loss", "acc")
    write_run(folder, 1, "train", "val/loss")
    compactor.step()
    assert read_tables(folder)["runs"]["objective"].to_pylist()[:3] == [0.25, 1.25, None]
    write_run(folder, 2, "validate", "val/loss", "Acc")
    for _ in range(2):
        assert_tells_the_logs(folder)
        assert read_tables(folder)["runs"]["objective"].to_pylist()[:3] == [None, None, 2.25]
        labels = read_tables(folder)["epochs"].column_names[-4:]
        assert labels == ["train/acc", "train/val/loss", "validate/Acc", "validate/val/loss"]
        compactor.step()


@pytest.mark.parametrize("store", [lambda folder: open_sweep(folder).write(), compact_all])
def test_nothing_is_left_of_what_a_run_that_is_gone_had_logged(planned, store):
    for run in range(4):
        write_run(planned, run, "train", "val/loss")
    write_run(planned, 4, "validate", "val/loss", "extra")
    store(planned)
    assert "extra" in read_tables(planned)["epochs"].column_names
    assert_tells_the_logs(planned)
    shutil.rmtree(run_folder(planned, read_plan(planned).points[4].run_id))
    assert_tells_the_logs(planned)
    write_run(planned, 4, "train", "val/loss")
    assert_tells_the_logs(planned)


@pytest.mark.parametrize("store", [lambda folder: open_sweep(folder).write(), compact_all])
def test_stored_tables_follow_what_is_told_of_removed_checkpoints(sweep, store):
    def remove(number: int) -> None:
        rows = open_sweep(sweep).table("artifacts").to_pylist()
        row = next(row for row in rows if row["deleted"] is None)
        told = (row["run_id"], row["path"], row["sha256"], row["size_bytes"])
        append_tombstones(sweep, [told], user="ada", now=datetime(2026, 2, number + 1, tzinfo=UTC))

    def removed() -> int:
        times = open_sweep(sweep).table("artifacts")["deleted"].to_pylist()
        return sum(time is not None and time.month == 2 for time in times)

    remove(0)
    store(sweep)
    remove(1)
    assert removed() == 2
    assert_tells_the_logs(sweep)
    (sweep / "collected.jsonl").unlink()
    assert removed() == 0
    assert_tells_the_logs(sweep)


def test_derived_files_are_the_same_from_parts_as_from_logs(sweep):
    open_sweep(sweep, stored=False).write()
    before = {path: path.read_bytes() for path in (sweep / "tables").iterdir()}
    shutil.rmtree(sweep / "tables")
    compactor = Compactor(sweep, least=1)
    compactor.step()
    open_sweep(sweep).write()
    assert not (sweep / "tables" / "parts").exists()
    assert {path: path.read_bytes() for path in (sweep / "tables").iterdir()} == before
    open_sweep(sweep).write()
    assert {path: path.read_bytes() for path in (sweep / "tables").iterdir()} == before


def test_after_the_report_no_log_is_read(sweep, monkeypatch):
    open_sweep(sweep).write()
    truth = from_logs(sweep)
    refuse_logs(monkeypatch)
    found = read_tables(sweep)
    assert all(found[name].equals(truth[name]) for name in truth)
    assert open_sweep(sweep).sensitivity().to_dict()["sweep"]["name"] == "asked"


def test_parts_are_kept_until_the_tables_tell_of_all_their_runs(written, planned):
    folder = planned
    copy_run(written, folder, FAILED)
    open_sweep(folder).write()
    copy_run(written, folder, LAST)
    Compactor(folder, least=1).step()
    remove_parts(folder)
    assert len(parts(folder)) == 1
    assert_tells_the_logs(folder)


def test_half_a_part_of_a_writer_that_was_killed_is_removed(sweep):
    half = sweep / "tables" / "parts" / ".123-abcdef01"
    half.mkdir(parents=True)
    (half / "runs.parquet").write_bytes(b"PAR1")
    remove_parts(sweep)
    assert half.is_dir()  # its writer may live
    os.utime(half, (0, 0))
    remove_parts(sweep)
    assert not half.parent.exists()
    half.mkdir(parents=True)
    Compactor(sweep, least=100).step()
    assert not half.exists()


def test_a_thread_stores_what_has_ended_and_leaves_small_sweeps_alone(sweep, monkeypatch):
    with compacting(sweep, 12, pause_s=0):
        pass
    assert not parts(sweep)
    monkeypatch.setattr("provrunner.log.compact._LEAST_RUNS", 6)
    monkeypatch.setattr(Compactor.__init__, "__kwdefaults__", {"least": 6})
    stored = []
    real = SweepTables.sources
    monkeypatch.setattr(SweepTables, "sources", lambda self: stored.append(1) or real(self))
    with compacting(sweep, 12, pause_s=0.01):
        while not parts(sweep):
            pass
    assert stored
    assert_tells_the_logs(sweep)


def test_the_summary_of_many_runs_is_read_where_it_tells_of_these_very_runs(sweep, monkeypatch):
    monkeypatch.setattr("provrunner.report.results.MANY_RUNS", 12)
    open_sweep(sweep).write()
    truth = open_sweep(sweep, stored=False).sensitivity().to_dict()
    built = []
    real = Sweep._build_summary
    monkeypatch.setattr(Sweep, "_build_summary", lambda self: built.append(1) or real(self))
    assert open_sweep(sweep).sensitivity().to_dict() == truth
    assert not built
    path = sweep / "summary.json"
    text = path.read_text()
    path.write_text(text.replace("0.1", "0.2"))
    assert open_sweep(sweep).sensitivity().to_dict() == truth
    path.write_text(text)
    shutil.rmtree(log_of(sweep, LAST).parent)
    assert open_sweep(sweep).sensitivity().to_dict() != truth
    assert len(built) == 2

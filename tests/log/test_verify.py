from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path

import pytest

from provrunner.ids import digest, folder_digest
from provrunner.log import (
    ArrowSink,
    create_sweep_folder,
    read_log,
    run_folder,
    verify_sweep,
    write_plan,
)
from provrunner.plan import Objective, Plan, Point
from provrunner.schema import Event, RunStatus

from .conftest import steps

RUN_IDS = ("0000-aaaaaaaa", "0001-bbbbbbbb")


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    folder = create_sweep_folder(tmp_path, "lr", now=datetime(2026, 1, 1))
    points = tuple(Point(n, run_id, "t", 0, 0, {}) for n, run_id in enumerate(RUN_IDS))
    objective = Objective("val/loss")
    write_plan(folder, Plan("s", "lr", "2026-01-01T00:00:00Z", objective, "grid", (), points))
    for run_id in RUN_IDS:
        write_run(folder, run_id)
    return folder


def write_run(
    folder: Path, run_id: str, *events: Event, status: RunStatus = RunStatus.FINISHED
) -> Path:
    run = run_folder(folder, run_id)
    sink = ArrowSink(run, sweep_id="s", run_id=run_id)
    sink.open(0)
    sink.write([*steps(0, 1), *events])
    sink.close(status)
    return run


def checkpoint(run: Path, name: str, data: bytes) -> Event:
    path = run / "checkpoints" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    facts = {"sha256": digest(data), "size_bytes": len(data)}
    return Event("checkpoint", f"checkpoints/{name}", facts)


def findings(folder: Path, **options: bool) -> list[tuple[str, str, str]]:
    found = verify_sweep(folder, **options).findings
    return [(finding.severity, finding.path, finding.message) for finding in found]


def test_a_whole_sweep_has_no_findings_wherever_it_lies(sweep, tmp_path):
    assert verify_sweep(sweep, read_data=True, seal=True).exit_code == 0
    moved = tmp_path / "elsewhere"
    sweep.rename(moved)
    assert findings(moved, read_data=True) == []


def test_a_point_that_never_ran_is_incomplete(sweep):
    (log := run_folder(sweep, RUN_IDS[1]) / "log").rename(sweep / "gone")
    assert findings(sweep) == [("incomplete", f"runs/{RUN_IDS[1]}", "planned, never run")]
    log.parent.rmdir()
    assert findings(sweep) == [("incomplete", f"runs/{RUN_IDS[1]}", "planned, never run")]
    assert verify_sweep(sweep).exit_code == 2


def test_a_flipped_bit_is_damage_with_file_and_offset(sweep):
    path = run_folder(sweep, RUN_IDS[0]) / "log" / "metrics.arrow"
    data = bytearray(path.read_bytes())
    data[500] ^= 1
    path.write_bytes(data)
    assert findings(sweep) == [
        (
            "damaged",
            f"runs/{RUN_IDS[0]}/log/metrics.arrow",
            "metrics.arrow: other bytes than were sealed at byte 0",
        )
    ]
    assert verify_sweep(sweep).exit_code == 1


def test_a_damaged_seal_or_plan_is_damage(sweep):
    (run_folder(sweep, RUN_IDS[0]) / "log" / "seal.json").write_text("{}")
    ((severity, path, message),) = findings(sweep)
    assert (severity, path) == ("damaged", f"runs/{RUN_IDS[0]}")
    assert "seal.json is damaged" in message
    (sweep / "plan.json").write_text("{}")
    assert ("damaged", "plan.json") in [found[:2] for found in findings(sweep)]


def test_a_lost_run_is_incomplete_until_it_is_sealed(sweep, start, run):
    process = start("step(1); say(1); signal.pause()")
    process.stdout.readline()
    process.kill()
    process.wait()
    (log := run_folder(sweep, RUN_IDS[1]) / "log").rename(sweep / "gone")
    (run / "log").rename(log)
    assert [found[0] for found in findings(sweep)] == ["incomplete", "incomplete"]
    assert "lost: its writer is gone and never sealed it" in findings(sweep)[0][2]
    assert findings(sweep, seal=True) == []
    (end,) = read_log(log.parent, "events").table.to_pylist()
    assert json.loads(end["data"])["reason"] == "its process died and left no end"


def test_rows_declared_lost_make_a_sweep_incomplete(sweep):
    gap = Event("gap", "metrics", {"count": 7, "reason": "disk full"})
    write_run(sweep, "0002-cccccccc", gap)
    assert findings(sweep) == [
        ("note", "runs/0002-cccccccc", "no point of the plan"),
        ("incomplete", "runs/0002-cccccccc", "7 metric rows were lost: disk full"),
    ]


def test_checkpoints_are_missed_unless_their_deletion_was_recorded(sweep):
    run = run_folder(sweep, "0002-c")
    kept, gone, deleted = (checkpoint(run, name, b"weights") for name in ("a", "b", "c"))
    write_run(sweep, "0002-c", kept, gone, deleted, Event("checkpoint_deleted", "checkpoints/c"))
    for name in ("b", "c"):
        (run / "checkpoints" / name).unlink()
    assert findings(sweep)[1:] == [
        (
            "damaged",
            "runs/0002-c/checkpoints/b",
            "the checkpoint is missing and no event says it was deleted",
        )
    ]


def test_a_checkpoint_that_a_killed_run_was_deleting_is_incomplete_not_damaged(sweep):
    run = run_folder(sweep, "0002-c")
    gone = checkpoint(run, "a", b"weights")
    write_run(sweep, "0002-c", gone, status=RunStatus.LOST)
    (run / "checkpoints" / "a").unlink()
    write_run(sweep, "0002-c")  # another attempt, which ends well
    told = "is missing and no event says it was deleted; its attempt has no end of its own"
    assert findings(sweep)[1:] == [
        ("incomplete", "runs/0002-c/checkpoints/a", f"the checkpoint {told}")
    ]


def test_a_changed_checkpoint_is_found_by_its_size_or_by_reading_it(sweep):
    run = run_folder(sweep, "0002-c")
    write_run(sweep, "0002-c", checkpoint(run, "a", b"weights"), checkpoint(run, "b", b"weights"))
    (run / "checkpoints" / "a").write_bytes(b"weighty")
    (run / "checkpoints" / "b").write_bytes(b"w")
    assert [found[2] for found in findings(sweep)[1:]] == [
        "1 bytes where the checkpoint had 7",
    ]
    assert [found[2] for found in findings(sweep, read_data=True)[1:]] == [
        "other bytes than the checkpoint had",
        "1 bytes where the checkpoint had 7",
    ]


def test_a_checkpoint_that_is_a_folder_is_checked_file_by_file(sweep):
    run = run_folder(sweep, "0002-cccccccc")
    shards = run / "checkpoints" / "sharded"
    (shards / "deep").mkdir(parents=True)
    (shards / "a").write_bytes(b"first")
    (shards / "deep" / "b").write_bytes(b"second")
    facts = {"sha256": folder_digest(shards), "size_bytes": 11}
    write_run(sweep, run.name, Event("checkpoint", "checkpoints/sharded", facts))
    path = f"runs/{run.name}/checkpoints/sharded"

    def found():
        return [one for one in findings(sweep, read_data=True) if one[1] == path]

    assert found() == []
    (shards / "deep" / "b").write_bytes(b"SECOND")
    assert found() == [("damaged", path, "other bytes than the checkpoint had")]
    (shards / "a").unlink()
    assert found() == [("damaged", path, "6 bytes where the checkpoint had 11")]
    shutil.rmtree(shards / "deep")
    assert found() == [
        ("damaged", path, "the checkpoint is missing and no event says it was deleted")
    ]


def test_a_checkpoint_outside_its_run_is_never_read(sweep):
    write_run(sweep, "0002-c", Event("checkpoint", "../../../secret", {"sha256": "0"}))
    assert "outside its run" in findings(sweep, read_data=True)[1][2]


def test_a_checkpoint_that_a_script_keeps_elsewhere_is_noted_and_not_read(sweep):
    write_run(sweep, "0002-c", Event("checkpoint", "/home/me/last.ckpt", {"sha256": "0"}))
    found = findings(sweep, read_data=True)[1:]
    message = "/home/me/last.ckpt lies outside the sweep and is not checked"
    assert found == [("note", "runs/0002-c", message)]


def test_an_end_that_counts_other_rows_than_there_are_is_damage(sweep):
    end = Event("run_end", "", {"status": "finished", "metric_rows": 9})
    run = write_run(sweep, "0002-c", end)
    assert len(read_log(run).table) == 4
    assert verify_sweep(sweep).exit_code == 0  # the last end, our own, is right

"""A warning before the disk is full."""

from __future__ import annotations

import os

import pytest
from support.processes import wait_for

from provrunner.log.folder import SEAL_FILE
from provrunner.run.disk import DiskWatch, watching_disk

MIB = 2**20


def end_run(folder, number, size_bytes):
    log = folder / "runs" / f"{number:04d}-aaaaaaaa" / "log"
    log.mkdir(parents=True)
    (log / SEAL_FILE).touch()
    (log.parent / "last.ckpt").write_bytes(b"\0" * size_bytes)


def told(watch):
    return dict(watch.warnings())


def test_nothing_is_said_while_no_run_has_ended(tmp_path):
    (tmp_path / "runs" / "0000-aaaaaaaa" / "log").mkdir(parents=True)
    assert told(DiskWatch(tmp_path, 4, budget=1, free=lambda _: 0)) == {}


def test_the_runs_left_are_taken_to_be_as_large_as_those_before(tmp_path):
    room = [100 * MIB]
    watch = DiskWatch(tmp_path, 10, free=lambda _: room[0])
    end_run(tmp_path, 0, 2 * MIB)
    end_run(tmp_path, 1, 4 * MIB)
    assert told(watch) == {}
    room[0] = 23 * MIB
    assert told(watch).keys() == {"disk"}
    warning = told(watch)["disk"]
    assert "8 runs will take about 24 MiB more, and 23 MiB are free" in warning
    assert f"provrunner gc {tmp_path}" in warning
    for number in range(2, 10):
        end_run(tmp_path, number, 0)
    room[0] = 0
    assert told(watch) == {}


def test_a_budget_is_warned_of_when_it_will_not_do_for_the_runs_left(tmp_path):
    end_run(tmp_path, 0, 2 * MIB)
    end_run(tmp_path, 1, 4 * MIB)
    assert told(DiskWatch(tmp_path, 10, budget=31 * MIB)) == {}
    warning = told(DiskWatch(tmp_path, 10, budget=29 * MIB))["budget"]
    assert f"2 runs of {tmp_path} take 6 MiB, 8 runs will take about 24 MiB more, and " in warning
    assert "sweep.disk_budget is 29 MiB; provrunner gc " in warning


def test_a_budget_is_warned_of_when_nine_tenths_of_it_are_taken(tmp_path):
    end_run(tmp_path, 0, 9 * MIB)
    assert told(DiskWatch(tmp_path, 1, budget=11 * MIB)) == {}
    assert told(DiskWatch(tmp_path, 1, budget=10 * MIB - 1)).keys() == {"budget"}


def test_each_matter_is_told_once_while_the_sweep_runs(tmp_path, capsys, monkeypatch):
    end_run(tmp_path, 0, MIB)
    calls = []

    def judge(self):
        calls.append(1)
        yield "disk", "it will be full"
        if len(calls) > 2:
            yield "budget", "it is spent"

    monkeypatch.setattr(DiskWatch, "_judge", judge)
    with watching_disk(DiskWatch(tmp_path, 3), pause_s=0.001):
        wait_for(lambda: len(calls) >= 4)
    assert capsys.readouterr().err == ("warning: it will be full\nwarning: it is spent\n")


def test_a_sweep_that_ends_at_once_is_looked_at_when_it_ends(tmp_path, capsys):
    with watching_disk(DiskWatch(tmp_path, 1, budget=MIB)):
        end_run(tmp_path, 0, MIB)
    assert "sweep.disk_budget is 1 MiB" in capsys.readouterr().err


def test_a_run_that_went_on_is_measured_anew(tmp_path):
    watch = DiskWatch(tmp_path, 1, budget=4 * MIB)
    end_run(tmp_path, 0, MIB)
    assert told(watch) == {}
    (run,) = (tmp_path / "runs").iterdir()
    (run / "next.ckpt").write_bytes(b"\0" * 5 * MIB)
    os.utime(run / "log" / SEAL_FILE, ns=(1, 1))
    assert "1 runs of" in told(watch)["budget"]


def test_room_that_a_clean_up_made_is_seen(tmp_path):
    watch = DiskWatch(tmp_path, 2, budget=10 * MIB)
    end_run(tmp_path, 0, 4 * MIB)
    assert told(watch) == {}
    next(tmp_path.glob("runs/*/last.ckpt")).unlink()
    end_run(tmp_path, 1, 6 * MIB)
    assert told(watch) == {}


@pytest.mark.parametrize("fault", [OSError(28, "no space"), FileNotFoundError()])
def test_what_goes_wrong_with_it_stops_no_sweep(tmp_path, fault, monkeypatch):
    calls = []

    def judge(self):
        calls.append(1)
        raise fault

    monkeypatch.setattr(DiskWatch, "_judge", judge)
    with watching_disk(DiskWatch(tmp_path, 3), pause_s=0.001):
        wait_for(lambda: len(calls) >= 2)

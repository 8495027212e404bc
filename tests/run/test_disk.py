"""A warning before the disk is full."""

from __future__ import annotations

import pytest

from provrunner.log.folder import SEAL_FILE
from provrunner.run.disk import DiskWatch, watching_disk

MIB = 2**20


def end_run(folder, number, size_bytes):
    log = folder / "runs" / f"{number:04d}-aaaaaaaa" / "log"
    log.mkdir(parents=True)
    (log / SEAL_FILE).touch()
    (log.parent / "last.ckpt").write_bytes(b"\0" * size_bytes)


def test_nothing_is_said_while_no_run_has_ended(tmp_path):
    (tmp_path / "runs" / "0000-aaaaaaaa" / "log").mkdir(parents=True)
    assert DiskWatch(tmp_path, 4, free=lambda _: 0).warning() is None


def test_the_runs_left_are_taken_to_be_as_large_as_those_before(tmp_path):
    room = [100 * MIB]
    watch = DiskWatch(tmp_path, 10, free=lambda _: room[0])
    end_run(tmp_path, 0, 2 * MIB)
    end_run(tmp_path, 1, 4 * MIB)
    assert watch.warning() is None
    room[0] = 23 * MIB
    told = watch.warning()
    assert told is not None
    assert "8 runs will take about 24 MiB more, and 23 MiB are free" in told
    assert f"provrunner gc {tmp_path}" in told
    for number in range(2, 10):
        end_run(tmp_path, number, 0)
    room[0] = 0
    assert watch.warning() is None


def test_it_is_said_once_while_the_sweep_runs(tmp_path, capsys, monkeypatch):
    end_run(tmp_path, 0, MIB)
    calls = []

    def warning(self):
        calls.append(1)
        return None if len(calls) < 3 else "it will be full"

    monkeypatch.setattr(DiskWatch, "warning", warning)
    with watching_disk(tmp_path, 3, pause_s=0.001):
        while len(calls) < 3:
            pass
    assert capsys.readouterr().err == "warning: it will be full\n"


@pytest.mark.parametrize("fault", [OSError(28, "no space"), FileNotFoundError()])
def test_what_goes_wrong_with_it_stops_no_sweep(tmp_path, fault, monkeypatch):
    calls = []

    def warning(self):
        calls.append(1)
        raise fault

    monkeypatch.setattr(DiskWatch, "warning", warning)
    with watching_disk(tmp_path, 3, pause_s=0.001):
        while len(calls) < 2:
            pass

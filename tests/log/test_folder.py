from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pytest

from provrunner.errors import LogError
from provrunner.log import (
    create_sweep_folder,
    find_sweep,
    read_plan,
    run_folder,
    run_folders,
    write_plan,
)
from provrunner.plan import Objective, Plan, Point

NOW = datetime(2026, 3, 29, 2, 30, 15)


def make_plan(*run_ids: str) -> Plan:
    points = tuple(Point(number, run_id, "t", 0, 0, {}) for number, run_id in enumerate(run_ids))
    return Plan("s", "lr", "2026-01-01T00:00:00Z", Objective("val/loss"), "grid", (), points)


def make_sweep(root: Path, name: str = "lr_grid", now: datetime = NOW) -> Path:
    folder = create_sweep_folder(root, name, now=now)
    write_plan(folder, make_plan())
    return folder


def test_twenty_sweeps_in_one_second_get_twenty_folders(tmp_path):
    folders = {create_sweep_folder(tmp_path, "lr_grid", now=NOW) for _ in range(20)}
    assert len(folders) == 20
    assert all(folder.parent == tmp_path / "lr_grid" for folder in folders)
    assert all(folder.name.startswith("2026-03-29_02-30-15-") for folder in folders)
    assert all((folder / "runs").is_dir() for folder in folders)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("/abs", "_abs"),
        ("lr grid\n%s", "lr_grid_s"),
        ("", "sweep"),
        ("..", "sweep"),
        ("é" * 300, "_"),
        ("a" * 300, "a" * 80),
    ],
)
def test_a_name_never_leaves_the_root(tmp_path, name, folder):
    made = create_sweep_folder(tmp_path, name, now=NOW)
    assert made.parent == tmp_path / folder


def test_a_root_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LogError, match=r"cannot make a sweep folder in .*/file/lr: Not a dir"):
        create_sweep_folder(tmp_path / "file", "lr", now=NOW)


def test_a_plan_is_read_back_and_never_replaced(tmp_path):
    folder = create_sweep_folder(tmp_path, "lr", now=NOW)
    plan = make_plan("0000-a")
    write_plan(folder, plan)
    assert read_plan(folder) == plan
    with pytest.raises(LogError, match=r"plan.json: File exists"):
        write_plan(folder, plan)


def test_a_damaged_plan_is_named(tmp_path):
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(LogError, match=r"plan.json: plan.json is damaged"):
        read_plan(tmp_path)


def test_the_newest_sweep_is_found_from_any_parent(tmp_path, monkeypatch):
    outputs = tmp_path / "outputs"
    make_sweep(outputs, "a", datetime(2026, 1, 1, 0, 0, 2))
    newest = make_sweep(outputs, "b", datetime(2026, 1, 1, 0, 0, 3))
    older = make_sweep(outputs, "c", datetime(2026, 1, 1, 0, 0, 1))
    monkeypatch.chdir(tmp_path)
    assert find_sweep(None) == Path("outputs") / newest.relative_to(outputs)
    assert find_sweep(outputs) == newest
    assert find_sweep(tmp_path) == newest
    assert find_sweep(older) == older
    assert find_sweep(outputs / "c") == older


def test_of_two_sweeps_in_one_second_the_later_written_is_newest(tmp_path):
    first, second = make_sweep(tmp_path), make_sweep(tmp_path)
    os.utime(first / "plan.json", (2000, 2000))
    os.utime(second / "plan.json", (1000, 1000))
    assert find_sweep(tmp_path) == first


def test_a_mistyped_sweep_is_answered_with_the_nearest(tmp_path):
    make_sweep(tmp_path, "lr_grid")
    with pytest.raises(LogError, match=r"no sweep folder .*lr_gird; did you mean 'lr_grid'\?"):
        find_sweep(tmp_path / "lr_gird")


def test_a_folder_without_a_plan_is_no_sweep(tmp_path):
    with pytest.raises(LogError, match=r"is no sweep folder: no plan.json"):
        find_sweep(tmp_path)


def test_run_folders_are_listed_in_the_order_of_the_plan(tmp_path):
    assert run_folders(tmp_path) == []
    for run_id in ("0010-a", "0002-b"):
        run_folder(tmp_path, run_id).mkdir(parents=True)
    assert [path.name for path in run_folders(tmp_path)] == ["0002-b", "0010-a"]


@pytest.mark.parametrize("run_id", ["../x", "a/b", "", ".hidden"])
def test_a_run_id_that_is_no_folder_name_is_refused(tmp_path, run_id):
    with pytest.raises(LogError, match="is no run id"):
        run_folder(tmp_path, run_id)

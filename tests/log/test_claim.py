"""A sweep folder that the user names."""

import pytest

from provrunner.errors import LogError
from provrunner.log.plan_file import write_plan
from provrunner.log.sweep_folders import claim_sweep_folder
from provrunner.plan import Objective, Plan

PLAN = Plan("s", "lr_grid", "2026-01-01T00:00:00Z", Objective("val/loss"), "grid", (), ())


def test_a_new_or_empty_folder_is_taken(tmp_path):
    assert (claim_sweep_folder(tmp_path / "a" / "b") / "runs").is_dir()
    (tmp_path / "empty").mkdir()
    assert claim_sweep_folder(tmp_path / "empty") == tmp_path / "empty"


def test_a_folder_with_another_sweep_is_refused_and_its_owner_named(tmp_path):
    write_plan(tmp_path, PLAN)
    with pytest.raises(LogError, match=r"already holds the sweep 'lr_grid' of 2026-01-01"):
        claim_sweep_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(LogError, match="is not empty"):
        claim_sweep_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(LogError, match="cannot make the sweep folder"):
        claim_sweep_folder(tmp_path / "file" / "sweep")

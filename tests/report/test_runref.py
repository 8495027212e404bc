"""A run is found by the same words by every verb, also one outside the plan."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.written import Written

from provrunner.errors import LogError
from provrunner.report import Sweep, add_note, ask, export_graph, find_run, open_sweep, trace
from provrunner.run.rerun import prepare_rerun

OUTSIDE = "0009-abcdef12"


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """Eight planned runs, and one that no plan knows, as a script's second Trainer makes it."""
    folder = Written().write(tmp_path_factory.mktemp("runs") / "first")
    one = next((folder / "runs").glob("0003-*"))
    shutil.copytree(one, folder / "runs" / OUTSIDE)
    return open_sweep(folder)


@pytest.mark.parametrize("term", [9, "9", OUTSIDE, "0009"])
def test_a_run_outside_the_plan_is_found_as_any_other(sweep: Sweep, term: int | str) -> None:
    point = find_run(term, sweep).point
    assert (point.run, point.run_id, point.seed, point.values) == (9, OUTSIDE, None, {})
    assert sweep.read_log(term).table.num_rows == 4
    assert ask(sweep, "curve", run=term).num_rows == 2
    assert trace(sweep, str(term)).rows["type"][0].as_py() == "pr:Run"


def test_a_run_outside_the_plan_is_exported_and_noted_of(sweep: Sweep, tmp_path: Path) -> None:
    (path,) = export_graph(sweep, "provn", run=9, out=tmp_path / "nine.provn")
    assert OUTSIDE in path.read_text("utf-8")
    when = datetime(2026, 1, 2, tzinfo=UTC)
    assert add_note(sweep, "9", "a second look", user="ada", now=when) == OUTSIDE
    (note,) = open_sweep(sweep.folder).table("notes").to_pylist()
    assert (note["run"], note["run_id"]) == (9, OUTSIDE)


def test_the_best_run_is_exported_by_that_word(sweep: Sweep) -> None:
    (path,) = export_graph(sweep, "json", run="best")
    assert path.name == f"run-{find_run('best', sweep).point.run_id}.json"


def test_of_one_number_the_planned_run_is_meant(sweep: Sweep, tmp_path: Path) -> None:
    folder = tmp_path / "second"
    shutil.copytree(sweep.folder, folder)
    (folder / "runs" / OUTSIDE).rename(folder / "runs" / "0003-abcdef12")
    again = open_sweep(folder)
    assert again.find_run(3) == again.find_run("0003") == again.plan.points[3]
    with pytest.raises(LogError, match="has no run '000'"):
        find_run("000", again)


def test_an_unknown_run_is_told_in_the_same_words_everywhere(sweep: Sweep) -> None:
    for look in (
        lambda: find_run("77", sweep),
        lambda: sweep.read_log(77),
        lambda: export_graph(sweep, run=77),
        lambda: ask(sweep, "curve", run=77),
    ):
        with pytest.raises(LogError, match="'lr_grid' has no run '77'; its 9 runs are numbered"):
            look()


def test_a_run_outside_the_plan_cannot_be_run_again(sweep: Sweep) -> None:
    (sweep.folder / "runs" / OUTSIDE / "config.yaml").unlink()
    with pytest.raises(LogError, match="only a run that provrunner configured can be run again"):
        prepare_rerun(sweep.folder, 9)

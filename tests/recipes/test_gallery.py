"""Every sweep of the gallery is planned as its page says, and the smallest one runs."""

import re
import shutil
from pathlib import Path

import pytest

import provrunner
from benchmarks.gallery import SHOWN
from provrunner.cli import main
from provrunner.compose import build_plan, compose_config, job_overrides
from provrunner.plan import Plan

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "gallery"
PAGE = (RECIPE / "README.md").read_text(encoding="utf-8")
SWEEPS = re.findall(r"^python -m provrunner \+sweep=(\w+)$", PAGE, re.MULTILINE)


def plan_of(sweep: str) -> Plan:
    words = [f"+sweep={sweep}"]
    config = compose_config(words, return_hydra_config=True)
    return build_plan(config, words, sweep_id="s", created="2026-01-01T00:00:00Z", command=words)


def test_page_pictures_and_files_are_of_the_same_sweeps():
    assert list(SHOWN) == SWEEPS
    assert {path.stem for path in (RECIPE / "conf" / "sweep").iterdir()} == set(SWEEPS)


@pytest.mark.parametrize(
    ("sweep", "trials", "runs"),
    [
        ("lr_dominates", 8, 24),
        ("nothing_matters", 9, 27),
        ("too_few", 3, 6),
        ("interaction", 8, 24),
        ("divergence", 10, 30),
        ("which_model", 6, 18),
        ("latin_hypercube", 32, 32),
    ],
)
def test_a_sweep_of_the_gallery_composes(sweep, trials, runs, monkeypatch):
    monkeypatch.chdir(RECIPE)
    plan = plan_of(sweep)
    assert (len({point.trial_id for point in plan.points}), len(plan.points)) == (trials, runs)
    for words in job_overrides(plan, [f"+sweep={sweep}"], RECIPE)[:: runs - 1]:
        assert compose_config(words).trainer.max_epochs <= 10


@pytest.mark.parametrize("sweep", SWEEPS)
def test_a_sweep_of_the_gallery_has_a_small_picture_for_desk_and_phone(sweep):
    for ending, width in (("", 1280), ("-phone", 390)):
        name = f"docs/gallery/{sweep}{ending}.png"
        assert f"../../{name})" in PAGE
        picture = (ROOT / name).read_bytes()
        assert picture[:8] == b"\x89PNG\r\n\x1a\n"
        assert int.from_bytes(picture[16:20]) == width
        assert len(picture) <= 150_000


@pytest.mark.slow
def test_the_smallest_sweep_of_the_gallery_runs_and_refuses_to_conclude(
    tmp_path, monkeypatch, capsys
):
    shutil.copytree(RECIPE, tmp_path / "gallery")
    shutil.copytree(ROOT / "recipes" / "own_data", tmp_path / "own_data")
    monkeypatch.chdir(tmp_path / "gallery")
    with pytest.raises(SystemExit) as ended:
        main(["+sweep=too_few", "trainer.max_epochs=1", "model.width=4,16"])
    assert ended.value.code == 0, capsys.readouterr().err
    assert provrunner.open_sweep().runs["status"].to_pylist() == ["finished"] * 4
    assert "cannot conclude: 4 finished runs" in capsys.readouterr().out

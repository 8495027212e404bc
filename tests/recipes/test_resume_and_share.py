"""Every command of the two recipes runs, in the order of its README."""

import json
import re
import shlex
import zipfile
from pathlib import Path

import pytest

import provrunner
from provrunner.cli import main

pytestmark = pytest.mark.slow

_RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture
def answers(tmp_path, monkeypatch, capsys):
    """Run a recipe's commands in an empty folder; what each printed."""
    monkeypatch.chdir(tmp_path)

    def ask(recipe):
        said = []
        for words in re.findall(r"^python -m provrunner (.*)$", _readme(recipe), re.MULTILINE):
            with pytest.raises(SystemExit) as ended:
                main(shlex.split(words))
            out, err = capsys.readouterr()
            assert not ended.value.code, f"{words}: {err}"
            said.append(out)
        return said

    return ask


def _readme(recipe):
    return (_RECIPES / recipe / "README.md").read_text(encoding="utf-8")


def test_the_recipe_adds_seeds_and_a_level_and_runs_nothing_twice(answers, capsys):
    _, resumed, more_seeds, another_level = answers("resume_a_sweep")
    assert "finished 4" in resumed
    assert "finished 6" in more_seeds
    assert "runs 6 to 8 were added" in another_level
    runs = provrunner.open_sweep("outputs/mine").sql("select status, attempt from runs").fetchall()
    assert len(runs) == 9
    assert len(set(runs)) == 1

    refused = re.search(r"try `(\S+)`", _readme("resume_a_sweep"))[1]
    with pytest.raises(SystemExit) as ended:
        main(["resume", "outputs/mine", refused])
    assert ended.value.code
    assert "trainer.max_epochs was 2, and is 5" in capsys.readouterr().err


def test_the_recipe_makes_crates_of_the_sweep_and_of_its_best_run(answers):
    said = answers("share_as_ro_crate")
    assert "whole" in said[1]
    names = {}
    for crate in ("shared.zip", "best.zip"):
        with zipfile.ZipFile(crate) as opened:
            names[crate] = opened.namelist()
            [metadata] = [name for name in names[crate] if name.endswith("ro-crate-metadata.json")]
            graph = json.loads(opened.read(metadata))["@graph"]
        assert any(entity["@id"] == "./" for entity in graph)
    assert len(names["best.zip"]) < len(names["shared.zip"])

"""Every command of these recipes' READMEs runs, one epoch a run, one seed where none are asked."""

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

import provrunner
from provrunner.cli import main

pytestmark = pytest.mark.slow

_RECIPES = Path(__file__).parents[2] / "recipes"


def _commands() -> list[tuple[str, str]]:
    return [
        (recipe, words)
        for recipe in ("first_sweep", "own_model", "own_data")
        for words in re.findall(
            r"^python -m provrunner (.*)$",
            (_RECIPES / recipe / "README.md").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    ]


@pytest.mark.parametrize(("recipe", "words"), _commands())
def test_a_command_of_a_recipe_runs(recipe, words, tmp_path, monkeypatch, capsys):
    folder = tmp_path / recipe
    shutil.copytree(_RECIPES / recipe, folder)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))

    fewer = ["trainer.max_epochs=1", *([] if "replicates" in words else ["sweep.replicates=1"])]
    with pytest.raises(SystemExit) as ended:
        main([*shlex.split(words), *fewer])

    assert ended.value.code == 0, capsys.readouterr().err
    runs = provrunner.open_sweep(folder / "outputs").runs
    assert set(runs["status"].to_pylist()) == {"finished"}
    assert "Best run" in capsys.readouterr().out
    for module in ("my_model", "my_data"):
        sys.modules.pop(module, None)

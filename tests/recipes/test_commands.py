"""Every command of these recipes' READMEs passes all checks that come before the first run."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from provrunner.compose import build_plan, check_sweep, compose_config

_RECIPES = Path(__file__).parents[2] / "recipes"


def _commands() -> list[tuple[str, str]]:
    commands = []
    for recipe in ("first_sweep", "own_model", "own_data"):
        text = (_RECIPES / recipe / "README.md").read_text(encoding="utf-8")
        commands += [
            (recipe, words)
            for words in re.findall(r"^python -m provrunner (.*)$", text, re.MULTILINE)
        ]
    return commands


@pytest.mark.parametrize(("recipe", "words"), _commands())
def test_a_command_of_a_recipe_can_be_run(recipe, words, monkeypatch):
    monkeypatch.chdir(_RECIPES / recipe)
    monkeypatch.syspath_prepend(str(_RECIPES / recipe))
    arguments = shlex.split(words)
    config = compose_config(arguments, return_hydra_config=True)
    plan = build_plan(config, arguments, sweep_id="s", created="t", command=["provrunner"])
    check_sweep(config, arguments, plan)
    assert plan.points
    for module in ("my_model", "my_data"):
        sys.modules.pop(module, None)

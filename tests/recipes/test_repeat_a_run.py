"""Every command of the recipe runs, in the order of its README."""

import re
import shlex
from pathlib import Path

import pytest
from support.processes import run

pytestmark = pytest.mark.slow

RECIPE = Path(__file__).parents[2] / "recipes" / "repeat_a_run" / "README.md"


def test_the_recipe_repeats_a_run_bit_for_bit_and_hands_it_over(tmp_path):
    said = {}
    for words in re.findall(r"^python -m provrunner (.*)$", RECIPE.read_text(), re.MULTILINE):
        ended = run(shlex.split(words), tmp_path)
        assert ended.returncode == 0, f"{words}: {ended.stderr}"
        said[shlex.split(words)[0]] = ended.stdout
    assert "reason: is 0.03 too fast?" in said["model=mlp"]
    assert said["rerun"].splitlines()[-1].startswith("equal: of ")
    assert "val/loss of run 0000-" in said["why"]
    assert "Nothing that was captured differs." in said["diff"]
    assert said["impact"].count("\nrun ") == 1
    restored = tmp_path / "again"
    assert (restored / "constraints.txt").read_text().startswith("# Python 3.")
    assert (restored / "record" / "notes.jsonl").exists()
    assert list((restored / "checkpoints").iterdir()) != []

"""Every command of the recipe's README runs, in its order, and records what the recipe says."""

import io
import re
import runpy
import shlex
import shutil
from contextlib import redirect_stdout
from pathlib import Path

import pytest

import provrunner
from provrunner.cli import main

# Lightning's own remarks on tiny data, and a name that torch has renamed under it.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.*"),
]

_RECIPE = Path(__file__).parents[2] / "recipes" / "any_script"


def _commands() -> list[str]:
    blocks = re.findall(r"^```\n(.*?)^```", (_RECIPE / "README.md").read_text(), re.M | re.S)
    return [line for block in blocks for line in block.splitlines()]


def _run(command: str) -> None:
    program, *words = shlex.split(command)
    if program == "python":
        runpy.run_path(words[0], run_name="__main__")
        return
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert not ended.value.code, command


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipe") / "any_script"
    shutil.copytree(_RECIPE, folder)
    return folder


@pytest.fixture(scope="module")
def answers(recipe):
    answers = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(recipe)
        for command in _commands():
            with redirect_stdout(io.StringIO()) as told:
                _run(command)
            answers[command] = told.getvalue()
    return answers


def _rows(recipe: Path, name: str, query: str) -> list[tuple[object, ...]]:
    return provrunner.open_sweep(recipe / "outputs" / name).sql(query).fetchall()


def test_the_commands_of_the_recipe_run(answers):
    runs = answers['provrunner query "select run, status, objective, epochs from runs"']
    assert runs.count("finished") == 2
    assert answers["provrunner verify --read-data"] == "whole\n"
    layers = answers['provrunner query "select position, name, type from layers"']
    assert "randomforestclassifier" in layers


def test_a_torch_loop_is_recorded_by_one_line(recipe, answers):
    assert _rows(recipe, "loop", "select status, epochs, steps, parameters, seed from runs") == [
        ("finished", 4, 23, 97, 0)
    ]
    changes = "select name, old, new, cause, step from adaptations order by step"
    assert _rows(recipe, "loop", changes) == [
        ("optimizer.lr", "0.1", "0.05", "scheduler", 11),
        ("optimizer.lr", "0.05", "0.025", "scheduler", 23),
    ]
    layers = "select name, input_shape, output_shape from layers order by position"
    assert _rows(recipe, "loop", layers)[0] == ("0", "[null,4]", "[null,16]")
    splits = "select split, size from datasets where split is not null order by split"
    assert _rows(recipe, "loop", splits) == [("train", 192), ("val", 64)]
    assert _rows(recipe, "loop", "select path, role from artifacts") == [
        ("checkpoints/last.pt", "last")
    ]
    graph = provrunner.open_sweep(recipe / "outputs" / "loop").graph()
    assert graph.lineage("val/loss").nodes.num_rows > 10

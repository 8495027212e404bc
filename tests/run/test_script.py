"""A recorded script is run again from its record, with its own code, and compared."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import provrunner
from provrunner.cli import main
from provrunner.errors import ConfigError, LogError
from provrunner.graph import check_graph
from provrunner.plan import Objective, Plan
from provrunner.run import run_script
from provrunner.run.rerun import prepare_rerun
from provrunner.run.script import Script, recorded_script

SCRIPT = """
import random, sys
import provrunner
from lab_of_mine.numbers import FACTOR
print("said")
for number in (0, 1):
    with provrunner.run({"number": number}, seed=number) as run:
        for epoch in range(3):
            loss = FACTOR * (number + random.Random(number + epoch).random()) + float(sys.argv[1])
            run.log({"val/loss": loss}, epoch=epoch)
"""
VARIABLES = ("PROVRUNNER", "PROVRUNNER_SWEEP", "PROVRUNNER_NEXT_RUN", "PROVRUNNER_FOLDER")


def forget_modules():
    for name in [name for name in sys.modules if name.partition(".")[0] == "lab_of_mine"]:
        del sys.modules[name]


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """A sweep of a script in a git repository, whose code was changed afterwards."""
    monkeypatch.chdir(tmp_path)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    module = tmp_path / "lab_of_mine" / "numbers.py"
    module.parent.mkdir()
    (module.parent / "__init__.py").touch()
    module.write_text("FACTOR = 2\n")
    (tmp_path / "mine.py").write_text(SCRIPT)
    (tmp_path / ".gitignore").write_text("outputs\n__pycache__\n")
    identity = ["-c", "user.name=ada", "-c", "user.email=ada@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run(["git", *identity, *words], check=True)
    command = ["python", "-m", "provrunner", "exec", "--name", "tried", "mine.py", "0.5"]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "orig_argv", command)
        folder = run_script("mine.py", ["0.5"], name="tried").folder
    module.write_text("FACTOR = 3\n")
    forget_modules()
    yield folder
    forget_modules()


def test_a_script_is_run_again_with_its_own_code_and_words_and_is_equal(recorded, capsys):
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["rerun", "1", str(recorded), "--verify", "--format", "json"])
    told = capsys.readouterr()
    verdict = json.loads(told.out)
    assert (ended.value.code, verdict["agreement"]) == (0, "equal"), told.err
    assert [one["values"] for one in verdict["metrics"]] == [3]
    assert "said" in told.err
    (again,) = [path for path in recorded.parent.iterdir() if path != recorded]
    sweep = provrunner.open_sweep(again)
    assert (sweep.plan.name, sweep.plan.origin.run) == ("tried", 1)
    assert sweep.runs["status"].to_pylist() == ["finished", "finished"]
    graph = sweep.graph()
    assert check_graph(graph) == []
    edges = graph.edges.to_pylist()
    assert [edge["run"] for edge in edges if edge["relation"] == "was_informed_by"] == [1]


def test_what_the_code_here_gives_is_different_and_told(recorded, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["rerun", "0", str(recorded), "--verify", "--code", "here"])
    told = capsys.readouterr()
    assert ended.value.code == 1
    assert "different: of 1 metrics 1 different" in told.out
    assert "lab_of_mine.numbers" in told.err


def test_a_script_takes_no_values_and_one_of_another_machine_needs_the_users_word(
    recorded, monkeypatch
):
    with pytest.raises(ConfigError, match="the run's configuration has no key 'number'"):
        prepare_rerun(recorded, 0, ["number=1"])
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    with pytest.raises(ConfigError, match=r"runs the script 'mine\.py'; --trust mine\.py"):
        prepare_rerun(recorded, 0).start()


@pytest.mark.parametrize(
    ("command", "script"),
    [
        (["python", "a.py", "-m", "x"], Script("a.py", ("-m", "x"))),
        (["python", "-O", "-W", "error", "-m", "a.b", "1"], Script("a.b", ("1",), module=True)),
        (["python", "/bin/provrunner", "exec", "-m", "a"], Script("a", (), module=True)),
        (["python", "-m", "provrunner", "exec", "a.py", "--name"], Script("a.py", ("--name",))),
    ],
)
def test_a_script_is_found_in_the_command(command, script):
    assert recorded_script(plan_of(command)) == script


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ([], "names no script"),
        (["python", "-c", "1"], "names no script"),
        (["python", "-m", "ipykernel_launcher", "-f", "x"], "names no script"),
        (["python", "-m", "provrunner", "model=mlp"], "names no script"),
        (["python", "-m", "provrunner", "exec", "--name"], "cannot be read"),
        (["python", "a.py", "--token=*** (1f2e3d4c)"], "was secret"),
    ],
)
def test_a_command_without_a_script_is_refused(command, told):
    with pytest.raises(LogError, match=told):
        recorded_script(plan_of(command))


@pytest.mark.parametrize("path", ["/once/lab/a.py", "../lab/a.py", "lab/a.py", "a.py"])
def test_a_script_is_looked_for_by_the_longest_part_of_its_path(tmp_path, path):
    (tmp_path / "lab").mkdir()
    for place in ("a.py", "lab/a.py"):
        (tmp_path / place).touch()
    assert Script(path).found_in(tmp_path) == ("a.py" if path == "a.py" else "lab/a.py")
    with pytest.raises(LogError, match="is not among the run's code"):
        Script("gone.py").found_in(tmp_path)


def plan_of(command):
    return Plan("s", "n", "", Objective("loss"), "single", (), (), command=tuple(command))

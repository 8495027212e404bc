"""Runs brought back from their record: run again, laid out anew, in real repositories."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from support.processes import run

import provrunner
from provrunner.graph import check_graph

pytestmark = pytest.mark.slow

MODEL = """\
from torch import nn


class Net(nn.Module):
    def __init__(self, in_shape, out_features, api_token=None):
        super().__init__()
        self.layer = nn.Linear(in_shape[0], out_features)

    def forward(self, x):
        return self.layer(x)
"""
WORDS = [
    "-m", "optimizer.lr=0.01,0.1", "optimizer=sgd", "trainer.max_epochs=2", "data=table",
    "data.path=waves.csv", "data.target=y", "model._target_=my_net.Net", "~model.width",
    "~model.depth", "~model.dropout", "~model.activation", "+model.api_token=hunter2hunter2",
    "sweep.name=waves", "+reason=to see it again",
]  # fmt: skip


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=ada", "-c", "user.email=ada@localhost")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A repository with uncommitted changes, and a sweep of two runs in it."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "my_net.py").write_text("raise NotImplementedError\n")
    rows = [f"{i / 100},{(i * 37 % 100) / 100},{i / 50 - 1}" for i in range(100)]
    (folder / "waves.csv").write_text("a,b,y\n" + "\n".join(rows) + "\n")
    (folder / ".gitignore").write_text("outputs/\n__pycache__/\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    (folder / "my_net.py").write_text(MODEL)
    ended = run(WORDS, folder)
    assert ended.returncode == 0, ended.stderr
    return folder


def sweeps(folder: Path) -> list[Path]:
    return sorted((plan.parent for plan in folder.glob("outputs/*/*/plan.json")), key=str)


def test_a_repetition_is_equal_linked_and_a_sweep_of_its_own(project):
    (original,) = sweeps(project)
    refused = run(["rerun", "1"], project)
    assert refused.returncode == 2
    assert "model.api_token was secret" in refused.stderr
    assert sweeps(project) == [original]

    ended = run(["rerun", "1", "model.api_token=hunter2hunter2", "--verify"], project)

    assert ended.returncode == 0, ended.stderr + ended.stdout
    assert ended.stdout.splitlines()[-1].startswith("equal: of ")
    assert "warning" not in ended.stderr
    (new,) = set(sweeps(project)) - {original}
    first, second = provrunner.open_sweep(original), provrunner.open_sweep(new)
    assert second.plan.origin.run_id == first.plan.points[1].run_id
    assert second.plan.origin.sweep_id == first.plan.sweep_id
    assert second.runs["objective"].to_pylist() == first.runs["objective"].to_pylist()[1:]
    assert second.about() == (
        "reason: to see it again",
        f"repeats run {first.plan.points[1].run_id} of {first.plan.sweep_id}",
    )
    origins = second.sql(
        "select name, origin from params where phase = 'init' and name in "
        "('optimizer.lr', 'model.api_token') order by name"
    )
    assert origins.fetchall() == [("model.api_token", "command line"), ("optimizer.lr", "record")]
    assert check_graph(second.graph()) == []
    (then,) = first.sql("select id from nodes where type = 'pr:Run' and run = 1").fetchall()
    assert second.sql(
        "select object from edges where relation = 'was_informed_by' and subject in "
        "(select id from nodes where type = 'pr:Run')"
    ).fetchall() == [then]
    assert all(b"hunter2" not in path.read_bytes() for path in new.rglob("*") if path.is_file())
    # the repetition is not what is meant where no sweep is named
    assert provrunner.open_sweep(project / "outputs").folder == original


def test_a_restored_run_gives_the_same_numbers_by_the_words_of_its_readme(project, tmp_path):
    original = provrunner.open_sweep(project / "outputs").folder
    again = tmp_path / "again"
    ended = run(["restore", "1", str(original), "--to", str(again)], project)
    assert ended.returncode == 0, ended.stderr
    assert (again / "code" / "my_net.py").read_text() == MODEL
    assert (project / "my_net.py").read_text() == MODEL

    readme = (again / "README.md").read_text()
    (place,) = re.findall(r"^cd (\S+)$", readme, re.MULTILINE)
    (words,) = re.findall(r"^python -m provrunner (.*)$", readme, re.MULTILINE)
    repeated = run(
        [*shlex.split(words), "model.api_token=hunter2hunter2", "--format", "json"], again / place
    )
    assert repeated.returncode == 0, repeated.stderr + repeated.stdout
    assert json.loads(repeated.stdout)["agreement"] == "equal"


@pytest.fixture
def elsewhere(project, tmp_path) -> Path:
    """Another clone, in which code and data have changed since."""
    folder = tmp_path / "elsewhere"
    git(tmp_path, "clone", "-q", str(project), str(folder))
    (folder / "my_net.py").write_text(MODEL + "# changed\n")
    data = (project / "waves.csv").read_text().replace("\n0.5,", "\n7.5,")
    (folder / "waves.csv").write_text(data)
    return folder


def test_the_code_of_then_runs_where_another_lies_now(project, elsewhere):
    original = provrunner.open_sweep(project / "outputs").folder
    before = {path: path.read_bytes() for path in elsewhere.rglob("*") if path.is_file()}

    words = ["rerun", "0", str(original), "model.api_token=x", "--verify"]
    ended = run(words, elsewhere)

    assert ended.returncode == 0, ended.stderr + ended.stdout
    assert ended.stdout.splitlines()[-1].startswith("equal: of ")
    assert "warning" not in ended.stderr
    (new,) = sweeps(elsewhere)
    assert {path: path.read_bytes() for path in before} == before
    code = "select data from events where kind = 'code' and run = 0"
    rows = [provrunner.open_sweep(one).sql(code).fetchall() for one in (original, new)]
    told = [json.loads(text) for ((text,),) in rows]
    assert told[0]["patch_sha256"] is not None
    assert all(told[0][key] == told[1][key] for key in ("commit", "dirty", "patch_sha256"))


def test_a_commit_that_is_not_here_is_asked_for(project, tmp_path):
    original = provrunner.open_sweep(project / "outputs").folder
    git(tmp_path, "init", "-q")
    ended = run(["rerun", "0", str(original), "model.api_token=x"], tmp_path)
    assert ended.returncode == 2
    assert "is not in the repository at ." in ended.stderr
    assert "--code here" in ended.stderr
    assert sweeps(tmp_path) == []


def test_other_code_and_data_are_named_and_the_numbers_are_different(project, elsewhere):
    original = provrunner.open_sweep(project / "outputs").folder

    words = ["rerun", "0", str(original), "model.api_token=x", "--verify", "--code", "here"]
    ended = run(words, elsewhere)

    assert ended.returncode == 1, ended.stderr + ended.stdout
    assert "warning: the run had uncommitted changes" in ended.stderr
    assert "warning: module my_net (my_net.py) has other bytes than the run's" in ended.stderr
    assert "warning: data differ: " in ended.stderr
    assert ended.stdout.splitlines()[-1].startswith("different: of ")
    assert "code  module my_net" in ended.stdout


def test_a_changed_configuration_file_is_no_record(project):
    original = provrunner.open_sweep(project / "outputs")
    config = original.folder / "runs" / original.plan.points[0].run_id / "config.yaml"
    before = config.read_text()
    config.write_text(before.replace("max_epochs: 2", "max_epochs: 1"))
    try:
        ended = run(["rerun", "0", "model.api_token=x"], project)
    finally:
        config.write_text(before)
    assert ended.returncode == 2
    assert "config.yaml was changed after the run: its trainer.max_epochs" in ended.stderr

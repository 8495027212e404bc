"""A little of `python -m benchmarks.loggers`, which trains longer and beside more loggers."""

from __future__ import annotations

import json
import time

import pytest

from benchmarks.loggers.__main__ import main
from benchmarks.loggers.budgets import Budget, budgets
from benchmarks.loggers.crew import Worker
from benchmarks.loggers.peers import LOGGERS, missing
from benchmarks.loggers.rounds import Found
from benchmarks.loggers.table import replace_section


@pytest.mark.slow
def test_two_loggers_are_compared(tmp_path, capsys):
    document, report = tmp_path / "figures.json", tmp_path / "benchmarks.md"
    report.write_text("before\n<!-- loggers: begin -->\nold\n<!-- loggers: end -->\nafter\n")
    words = (
        "--loggers CSVLogger provrunner --steps 30 --rounds 1 --kill-at 12 --runs 2 --values 100 "
        f"--verbs 0 --folder {tmp_path} --markdown {report} --json {document}"
    )
    assert main(words.split()) == 0
    found = json.loads(document.read_text())
    assert found["loggers"]["provrunner"]["kept"] == [12, 12]
    assert found["loggers"]["CSVLogger"]["kept"] == [12, 12]
    for name in ("CSVLogger", "provrunner"):
        for measured in ("calls", "step", "ratio", "bytes", "load_us", "close_s"):
            assert found["loggers"][name][measured][0] > 0
    assert found["many_runs"]["ours_us"] > 0
    text = report.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "| **provrunner** |" in text
    assert "old" not in text
    assert "| **provrunner** |" in capsys.readouterr().out


@pytest.mark.slow
def test_trainings_take_turns(tmp_path):
    workers = [Worker("none", tmp_path / name) for name in ("a", "b")]
    assert all(worker.answer() == "ready" and worker.is_new for worker in workers)
    began = time.monotonic()
    for worker in workers:
        worker.begin(steps=10, turn=4, hand_over="log")
    for _ in range(2):
        for worker in workers:
            worker.go_on()
    time.sleep(1)
    for worker in workers:
        fit = worker.end()
        # no rest counts
        assert 0 < fit["fit_s"] < time.monotonic() - began - 1
        assert not worker.is_new
        worker.close()


@pytest.mark.slow
def test_a_training_that_dies_in_its_turn_is_told(tmp_path):
    worker = Worker("none", tmp_path / "a")
    worker.answer()
    (tmp_path / "a" / "0").write_text("in its way")
    with pytest.raises(RuntimeError, match="FileExistsError"):
        worker.begin(steps=10, turn=4, hand_over="log")
    worker.close()


def test_missing_names_the_package_of_a_logger(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert {name: missing(name) for name in ("none", "W&B offline", "Aim")} == {
        "none": "lightning",
        "W&B offline": "wandb",
        "Aim": "aim",
    }
    assert list(LOGGERS)[-1] == "provrunner"


@pytest.mark.parametrize(
    ("budget", "verdict"),
    [
        (Budget("a", 0.02, 0.1, 0.03), "reached"),
        (Budget("a", 0.1, 0.1, 0.03), "held"),
        (Budget("a", 0.11, 0.1, 0.03), "not held"),
        (Budget("a", 0.99, 1.0, at_least=True), "not held"),
        (Budget("a", 1.0, 1.0, at_least=True), "held"),
        (Budget("a", None, 0.1), "not measured"),
    ],
)
def test_a_budget_says_whether_it_was_held(budget, verdict):
    assert budget.verdict == verdict


def test_budgets_compare_with_what_was_measured_in_the_same_run():
    found = {
        "CSVLogger": Found({"added calls": [300.0, 400.0, 500.0], "elsewhere": [0.0]}),
        "provrunner": Found({"added calls": [8.0, 12.0, 20.0], "elsewhere": [28.0]}, (10, 10)),
    }
    by_name = {budget.measure: budget for budget in budgets(found, {}, {})}
    assert by_name["CPU of the calls into us, per step, against CSVLogger"].value == 0.03
    assert by_name["the same in all threads"].value == 0.1
    assert by_name["steps readable after `kill -9`, in a log with a valid graph"].value == 1.0
    assert by_name["many runs into pandas, against CSV"].value is None


def test_a_document_without_marks_is_left_alone(tmp_path):
    (tmp_path / "a.md").write_text("text")
    with pytest.raises(ValueError, match="loggers: begin"):
        replace_section(tmp_path / "a.md", "figures")
    assert (tmp_path / "a.md").read_text() == "text"

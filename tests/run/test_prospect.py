"""`--dry` says what would be run, and runs nothing."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest
from support.question_sweep import write_sweep

from provrunner.cli.main import main
from provrunner.compose import compose_config
from provrunner.log import read_plan, run_folder
from provrunner.report import open_sweep
from provrunner.report.numbers import duration

SWEEP = ["-m", "optimizer.lr=0.01,0.1", "model.width=16,64", "seed=0,1,2"]


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    return int(ended.value.code or 0)


def test_points_steps_and_number_are_told_and_nothing_is_made(place, capsys):
    assert run("--dry", *SWEEP) == 0
    shown = capsys.readouterr().out
    assert "12 runs = 4 trials × 3 seeds, design grid; nothing is run" in shown
    assert [line.split() for line in shown.splitlines()][2:4] == [
        ["0", "0", "0.01", "16"],
        ["1", "1", "0.01", "16"],
    ]
    assert "fit (optimizer.lr, model.width) → validate" in shown
    assert "time   unknown" in shown
    assert list(place.iterdir()) == []


def test_runs_of_a_search_are_counted_though_its_points_are_yet_to_be_asked_for(place, capsys):
    pytest.importorskip("optuna")
    words = ["optimizer.lr=tag(log,interval(0.001,1))", "sweep.design=tpe", "sweep.trials=6"]
    assert run("--dry", *words, "sweep.replicates=2", "sweep.batch=3") == 0
    shown = capsys.readouterr().out
    assert "12 runs = 6 trials × 2 seeds, design tpe; nothing is run" in shown
    assert "asked for, 3 trials at a time: optimizer.lr=tag(log,interval(0.001,1))" in shown


def test_time_is_that_of_earlier_runs_of_the_same_model_and_data(place, capsys):
    folder = write_sweep(place / "outputs")
    first = run_folder(folder, read_plan(folder).points[0].run_id)
    words = [*SWEEP, "trainer.max_epochs=10", "hydra.launcher.n_jobs=3"]
    assert run("--dry", *words) == 0
    assert "time   unknown" in capsys.readouterr().out
    config = compose_config([])
    targets = {name: {"_target_": config[name]._target_} for name in ("model", "data")}
    (first / "config.yaml").write_text(json.dumps(targets))
    assert run("--dry", *words) == 0
    rows = open_sweep(folder).runs.to_pylist()
    times = [row["duration_s"] / row["epochs"] for row in rows if row["status"] == "finished"]
    each = 10 * statistics.median(times)
    told = f"about {duration(4 * each)}, 3 at once: {duration(each)} a run, as 11 earlier runs"
    assert told in capsys.readouterr().out
    assert run("--dry", *words, "trainer.max_epochs=10,30") == 0
    told = f"about {duration(8 * 2 * each)}, 3 at once: {duration(2 * each)} a run"
    assert told in capsys.readouterr().out


def test_plan_can_be_drawn_and_written_as_a_graph(place, capsys):
    assert run("--dry=plan.svg", *SWEEP) == 0
    assert (place / "plan.svg").read_bytes().lstrip().startswith(b"<?xml")
    assert run("--dry=plan.json", *SWEEP) == 0
    document = json.loads((place / "plan.json").read_text())
    assert any("optimizer.lr" in json.dumps(one) for one in document["entity"].values())
    assert run("--dry=plan.docx", *SWEEP) == 2
    assert "no such format" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-m", "optimizer.lrr=0.1,0.2"], "did you mean 'optimizer.lr'"),
        (["-m", "optimizer.lr=range(1,1002)"], "1001 runs = 1001 trials × 1 seeds; more than 1000"),
        (["-m", "optimizer.lr=0.1,0.2", "hydra/launcher=basic", "model.width=wide"], "model.width"),
    ],
    ids=["a typo", "too many", "a wrong type"],
)
def test_mistakes_are_those_of_the_sweep_itself(place, capsys, words, told):
    for dry in (["--dry"], []):
        assert run(*dry, *words) == 2
        assert told in capsys.readouterr().err
    assert list(place.iterdir()) == []

"""Programs of anyone's, unchanged or with one line, run as their users run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.processes import only_sweep, run

import provrunner
from provrunner.report import ask, verify_sweep
from provrunner.run import run_script

# Lightning's own remarks on tiny data, and a name that torch has renamed under it.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.*"),
]

_SCRIPTS = Path(__file__).with_name("scripts")
_RECIPE = Path(__file__).parents[2] / "recipes" / "any_script"
_EXEC = ("-m", "provrunner", "exec")


def _python(cwd: Path, *words: object) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if "PROVRUNNER" not in name}
    return subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=cwd,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )


def _rows(cwd: Path, query: str) -> list[tuple[object, ...]]:
    return provrunner.open_sweep(only_sweep(cwd)).sql(query).fetchall()


def _is_whole(cwd: Path) -> bool:
    return verify_sweep(only_sweep(cwd), read_data=True).exit_code == 0


def test_every_trainer_of_a_script_is_a_run_and_nothing_else_changes(tmp_path):
    ended = run(["exec", str(_RECIPE / "train.py"), "--lr", "0.05"], tmp_path)

    assert (ended.returncode, ended.stdout) == (0, "lr 0.05 done\n"), ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]
    runs = "select run, status, epochs, steps from runs order by run"
    assert _rows(tmp_path, runs) == [(0, "finished", 2, 15), (1, "finished", 2, 15)]
    rates = "select run, value from params where name = 'model.lr' order by run"
    assert _rows(tmp_path, rates) == [(0, "0.05"), (1, "0.005")]
    assert _rows(tmp_path, "select count(objective) from runs") == [(2,)]
    assert "train   2 runs of a program" in ended.stderr
    sweep = provrunner.open_sweep(only_sweep(tmp_path))
    ((best,),) = sweep.sql("select run_id from runs order by objective limit 1").fetchall()
    assert sweep.sensitivity().document["best"]["run_id"] == best
    assert ask(sweep, "best_run")["run_id"].to_pylist() == [best]
    assert "report.html" in ended.stderr
    assert _is_whole(tmp_path)


def test_a_lightning_cli_program_is_recorded_with_its_own_words(tmp_path, monkeypatch):
    pytest.importorskip("jsonargparse")
    monkeypatch.chdir(tmp_path)
    # Lightning calls jsonargparse by names that have changed under it.
    monkeypatch.setenv("JSONARGPARSE_DEPRECATION_WARNINGS", "off")
    words = ["fit", "--model.lr=0.02", "--trainer.max_epochs=1", "--trainer.accelerator=cpu"]
    quiet = ["--trainer.logger=false", "--trainer.enable_checkpointing=false"]
    quiet += ["--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false"]
    ended = run_script(str(_SCRIPTS / "cli_app.py"), words + quiet, name="app")

    assert ended.exit_code == 0
    assert ended.folder.parent.name == "app"
    assert _rows(tmp_path, "select status, epochs from runs") == [("finished", 1)]
    lr = "select value from params where name in ('model.lr', 'optimizer.lr')"
    assert _rows(tmp_path, lr) == [("0.02",), ("0.02",)]


def test_a_module_finds_its_own_folder_first(tmp_path):
    (tmp_path / "program").mkdir()
    (tmp_path / "program" / "__init__.py").write_text("word = 'found'\n")
    (tmp_path / "program" / "__main__.py").write_text(
        "import sys\nimport program\nprint(program.word, sys.argv[1:])\n"
    )
    ended = _python(tmp_path, *_EXEC, "-m", "program", "--name", "mine", "-h")
    assert (ended.returncode, ended.stdout) == (0, "found ['--name', 'mine', '-h']\n")
    assert only_sweep(tmp_path).parent.name == "program"


def test_a_trainer_that_raises_ends_its_run_as_failed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    ended = run_script(str(_SCRIPTS / "stopped.py"), ["raise"])
    assert ended.exit_code == 1
    assert capsys.readouterr().err.endswith("ValueError: enough\n")
    assert _rows(tmp_path, "select status, reason, log_state from runs") == [
        ("failed", "ValueError: enough", "complete")
    ]


@pytest.mark.parametrize(
    ("stop", "code", "reason"),
    # Lightning answers SIGTERM itself, and leaves by a plain exit.
    [("SIGTERM", 0, "SIGTERM"), ("SIGINT", 1, "KeyboardInterrupt")],
)
def test_a_script_that_is_stopped_ends_as_without_us_and_is_sealed(tmp_path, stop, code, reason):
    ended = run(["exec", str(_SCRIPTS / "stopped.py"), stop], tmp_path)
    assert ended.returncode == code, ended.stderr
    assert _rows(tmp_path, "select status, reason, log_state from runs") == [
        ("interrupted", reason, "complete")
    ]
    assert _is_whole(tmp_path)


def test_a_script_without_a_trainer_that_is_killed_by_sigterm_is_sealed(tmp_path):
    (tmp_path / "mine.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n")
    assert _python(tmp_path, *_EXEC, "mine.py").returncode == -15
    assert _rows(tmp_path, "select status, reason, log_state from runs") == [
        ("interrupted", "SIGTERM", "complete")
    ]


def test_a_script_finds_pandas_as_it_does_without_us(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import pandas, pyarrow\n"
        "values = pyarrow.array(pandas.Series([1.0, float('nan')]))\n"
        "raise SystemExit(values.null_count != 1)\n"
    )
    assert _python(tmp_path, *_EXEC, "mine.py").returncode == 0


def test_ranks_that_a_script_starts_join_the_run_of_their_trainer(tmp_path):
    ended = run(["exec", "--objective", "loss", str(_SCRIPTS / "ddp.py")], tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert _rows(tmp_path, "select run, world_size, status from runs order by run") == [
        (0, 1, "finished"),
        (1, 2, "finished"),
    ]
    ranks = "select run, rank, count(*) from metrics group by all order by all"
    assert _rows(tmp_path, ranks) == [(0, 0, 2), (1, 0, 2), (1, 1, 2)]
    assert _is_whole(tmp_path)


def test_a_scikit_learn_pipeline_is_recorded_without_torch(tmp_path):
    code = (
        "import runpy, sys\n"
        f"runpy.run_path({str(_RECIPE / 'forest.py')!r}, run_name='__main__')\n"
        "print(sorted({'torch', 'lightning', 'hydra'} & set(sys.modules)))"
    )
    ended = _python(tmp_path, "-c", code)
    assert (ended.returncode, ended.stdout) == (0, "[]\n"), ended.stderr
    assert _rows(tmp_path, "select name, type from layers order by position") == [
        ("standardscaler", "sklearn.preprocessing._data.StandardScaler"),
        ("randomforestclassifier", "sklearn.ensemble._forest.RandomForestClassifier"),
    ]
    depth = "select value from params where name = 'model.randomforestclassifier.max_depth'"
    assert _rows(tmp_path, depth) == [("3",)]
    (status, accuracy) = _rows(tmp_path, "select status, objective from runs")[0]
    assert status == "finished"
    assert accuracy > 0.9
    assert _is_whole(tmp_path)


def test_a_fabric_loop_is_one_run_on_all_its_processes(tmp_path):
    ended = _python(tmp_path, _SCRIPTS / "fabric_loop.py", 2)
    assert ended.returncode == 0, ended.stderr
    assert _rows(tmp_path, "select status, world_size, epochs from runs") == [("finished", 2, 2)]
    ranks = "select rank, count(*) from metrics group by all order by all"
    assert _rows(tmp_path, ranks) == [(0, 4), (1, 4)]
    assert _rows(tmp_path, "select name, type from layers") == [
        ("(model)", "torch.nn.modules.linear.Linear")
    ]
    optimizer = "select value from params where name = 'optimizer.type'"
    assert _rows(tmp_path, optimizer) == [('"torch.optim.sgd.SGD"',)]
    assert _is_whole(tmp_path)


def test_a_loop_killed_by_sigterm_is_sealed_as_interrupted(tmp_path):
    (tmp_path / "loop.py").write_text(
        "import os, signal\n"
        "import provrunner\n"
        "with provrunner.run() as run:\n"
        "    run.log('loss', 0.5)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    run.log('loss', 0.25)\n"
    )
    assert _python(tmp_path, "loop.py").returncode == -15
    assert _rows(tmp_path, "select status, reason, metric_rows from runs") == [
        ("interrupted", "SIGTERM", 1)
    ]
    assert _is_whole(tmp_path)

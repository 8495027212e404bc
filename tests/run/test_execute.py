"""Scripts run by `run_script`, in this process: those that make no Trainer."""

import subprocess
import sys
from pathlib import Path

import pytest

import provrunner
from provrunner.cli import main
from provrunner.compose.environment import recorded_sweep, set_recorded_sweep
from provrunner.errors import ConfigError
from provrunner.run import run_script
from provrunner.run.attach import attached_callbacks


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("PROVRUNNER", "PROVRUNNER_SWEEP", "PROVRUNNER_NEXT_RUN", "PROVRUNNER_FOLDER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def script(tmp_path):
    def write(text):
        path = tmp_path / "mine.py"
        path.write_text(text)
        return str(path)

    return write


def rows(ended, query):
    return provrunner.open_sweep(ended.folder).sql(query).fetchall()


def test_a_trainer_gets_no_callback_unless_exec_asks(tmp_path):
    assert attached_callbacks() == []
    set_recorded_sweep(tmp_path)
    assert [type(callback).__name__ for callback in attached_callbacks()] == ["AttachedCallback"]
    set_recorded_sweep(None)
    assert attached_callbacks() == []


def test_a_script_finds_its_words_its_folder_and_its_name(script, capsys):
    path = script("import sys\nprint(__name__, sys.argv[1:], sys.path[0])\n")
    before = (list(sys.argv), list(sys.path))
    ended = run_script(path, ["--lr", "0.1"])
    assert capsys.readouterr().out == f"__main__ ['--lr', '0.1'] {Path(path).parent}\n"
    assert (sys.argv, sys.path) == before
    assert recorded_sweep() is None
    assert ended.exit_code == 0
    assert ended.folder.parent.name == "mine"


def test_a_script_knows_of_itself_what_python_tells_it(tmp_path, capsys):
    text = (
        "import sys\n"
        "print(__file__, __spec__, __package__, type(__loader__).__name__, sorted(globals()))\n"
        "print(sys.argv, sys.modules['__main__'].__file__, __annotations__, __builtins__)\n"
    )
    Path("mine.py").write_text(text)
    alone = subprocess.run(
        [sys.executable, "mine.py"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    before = sys.modules["__main__"]
    ended = run_script("mine.py")
    assert capsys.readouterr().out == alone.stdout
    assert sys.modules["__main__"] is before
    code = "select subject, data ->> '$.path' from events where kind = 'source'"
    assert rows(ended, code) == [("__main__", "mine.py")]


def test_a_script_without_a_trainer_is_one_run(script):
    ended = run_script(script("import provrunner\nprovrunner.log('val/loss', 0.5)\n"))
    assert rows(ended, "select run, status, objective from runs") == [(0, "finished", 0.5)]
    kinds = {kind for (kind,) in rows(ended, "select distinct kind from events")}
    assert {"run_start", "environment", "agent", "resources", "run_end"} <= kinds


def test_a_script_that_says_nothing_is_one_run_as_well(script):
    ended = run_script(script("x = 1\n"))
    assert rows(ended, "select status, reason, log_state from runs") == [
        ("finished", "val/loss was never logged", "complete")
    ]


def test_runs_that_a_script_opens_itself_belong_to_the_sweep(script):
    text = (
        "import provrunner\n"
        "for loss in (0.5, 0.25):\n"
        "    with provrunner.run({'loss': loss}, folder='elsewhere') as run:\n"
        "        run.log('val/loss', loss)\n"
    )
    ended = run_script(script(text), folder="here")
    assert rows(ended, "select run, objective from runs order by run") == [(0, 0.5), (1, 0.25)]
    assert sorted(path.name for path in Path().iterdir()) == ["here", "mine.py"]


@pytest.mark.parametrize(
    ("line", "code", "status", "reason"),
    [
        ("raise ValueError('no')", 1, "failed", "ValueError: no"),
        ("import sys; sys.exit(4)", 4, "failed", "exit code 4"),
        ("import sys; sys.exit('words')", 1, "failed", "exit code words"),
        ("raise KeyboardInterrupt", 130, "interrupted", "KeyboardInterrupt"),
    ],
)
def test_the_exit_code_is_the_scripts_own(script, capsys, line, code, status, reason):
    ended = run_script(script(f"{line}\n"))
    assert ended.exit_code == code
    assert rows(ended, "select status, reason from runs") == [(status, reason)]
    told = capsys.readouterr().err
    if "raise" in line:
        assert told.splitlines()[1].startswith('  File "')
        assert "execute.py" not in told
        assert "runpy" not in told


def test_what_is_not_there_is_refused_before_anything_is_written(script, tmp_path):
    script("x = 1\n")
    with pytest.raises(ConfigError, match=r"there is no script mien\.py; did you mean 'mine.py'"):
        run_script("mien.py")
    with pytest.raises(ConfigError, match=r"there is no module no\.such"):
        run_script("no.such", module=True)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


def test_a_metric_that_was_never_logged_is_told_beside_those_that_were(script, capsys):
    names = ["loss", "val/loss/dataloader_idx_0"]
    path = script(f"import provrunner\nfor name in {names}: provrunner.log(name, 0.5)\n")
    with pytest.raises(SystemExit) as ended:
        main(["exec", path])
    assert ended.value.code == 0
    assert capsys.readouterr().err.splitlines()[-1] == (
        "val/loss was never logged: judge by another metric with --objective; there are "
        "val/loss/dataloader_idx_0, loss"
    )

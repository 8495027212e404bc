"""Loops of one's own: what they log, how they end, and that nothing heavy is loaded for them."""

import argparse
import dataclasses
import inspect
import math
import pickle
import signal
import subprocess
import sys

import pytest

import provrunner
from provrunner.capture import CaptureOptions
from provrunner.errors import ConfigError


@pytest.fixture
def rows(tmp_path):
    def ask(query):
        return provrunner.open_sweep(tmp_path / "outputs").sql(query).fetchall()

    return ask


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # An earlier run of this process names its folder to ranks that it might start.
    monkeypatch.delenv("PROVRUNNER_FOLDER", raising=False)


def test_a_finished_loop_is_a_sweep_of_one_with_its_objective(rows):
    with provrunner.run({"lr": 0.1}, name="mine", objective="loss") as run:
        for epoch in range(3):
            run.log("loss", 1.0 / (epoch + 1), epoch=epoch)
    assert run.folder.parent.name == "mine"
    found = rows("select status, objective, objective_epoch, epochs, log_state from runs")
    assert found == [("finished", pytest.approx(1 / 3), 2, 3, "complete")]


def test_the_names_of_the_package_are_modules_and_functions():
    import provrunner.log
    from provrunner import log, run

    assert log is sys.modules["provrunner.log"]
    assert run is sys.modules["provrunner.run"]
    assert provrunner.log.read_log is provrunner.read_log
    assert pickle.loads(pickle.dumps(log)) is log
    assert list(inspect.signature(log).parameters) == ["name", "value", "step"]
    assert list(inspect.signature(run).parameters)[:3] == ["config", "name", "folder"]
    assert log("margin", 0.5) is None


def test_a_value_from_anywhere_reaches_the_open_run(rows):
    with provrunner.run():
        provrunner.log("margin", 0.5)
    provrunner.log("margin", 0.25)
    assert rows("select name, value, step from metrics") == [("margin", 0.5, 0)]


def test_hyperparameters_become_dotted_names(rows):
    @dataclasses.dataclass
    class More:
        depth: int = 2

    with provrunner.run({"lr": 0.1, "model": {"width": 8, "api_key": "s3cr3t"}}) as run:
        run.log_params(argparse.Namespace(epochs=5))
        run.log_params(More())
    found = dict(rows("select name, value from params where phase = 'init'"))
    assert {name: found[name] for name in ("lr", "model.width", "epochs", "depth")} == {
        "lr": "0.1",
        "model.width": "8",
        "epochs": "5",
        "depth": "2",
    }
    assert "s3cr3t" not in found["model.api_key"]


def test_steps_are_counted_by_name_until_one_is_given(rows):
    with provrunner.run() as run:
        run.log("a", 1.0)
        run.log({"a": 2.0, "b": 3.0})
        run.log("a", 4.0, step=10)
        run.log("b", 5.0)
    assert rows("select name, step, value from metrics") == [
        ("a", 0, 1.0),
        ("a", 1, 2.0),
        ("b", 0, 3.0),
        ("a", 10, 4.0),
        ("b", 10, 5.0),
    ]


def test_a_stage_is_told_by_the_name_or_by_the_program(rows):
    with provrunner.run() as run:
        run.log({"loss": 1.0, "val_loss": 2.0, "test/loss": 3.0})
        run.log("score", 4.0, stage="validate")
    assert rows("select name, stage from metrics") == [
        ("loss", "train"),
        ("val_loss", "validate"),
        ("test/loss", "test"),
        ("score", "validate"),
    ]


def test_an_epoch_lasts_until_its_last_value(rows):
    with provrunner.run() as run:
        for epoch in range(2):
            run.log("loss", 1.0, epoch=epoch)
    frames = rows("select kind, epoch from events where kind like 'epoch_%' order by seq")
    assert frames == [("epoch_start", 0), ("epoch_end", 0), ("epoch_start", 1), ("epoch_end", 1)]
    ended = "select time from events where kind = 'epoch_end' and epoch = 0"
    begun = "select time from events where kind = 'epoch_start' and epoch = 1"
    assert rows(f"select ({ended}) = ({begun})") == [(True,)]


def test_numbers_of_all_kinds_are_kept_and_the_rest_are_events(rows):
    import numpy as np

    with provrunner.run() as run:
        run.log({"nan": math.nan, "int": 3, "np": np.float32(0.5), "one": np.array([2])})
        run.log("text", "three")
        run.log("many", np.array([1, 2]))
    found = dict(rows("select name, value from metrics"))
    assert math.isnan(found.pop("nan"))
    assert found == {"int": 3.0, "np": 0.5, "one": 2.0}
    values = "select subject, data->'value' from events where kind = 'value' order by seq"
    assert rows(values) == [("text", '"three"'), ("many", "[1,2]")]


def test_an_objective_that_ends_as_nan_is_diverged(rows):
    with provrunner.run(objective="loss") as run:
        run.log("loss", math.nan)
    assert rows("select status, objective from runs") == [("diverged", None)]


def test_what_is_raised_is_recorded_and_raised(rows):
    with pytest.raises(ValueError, match="too fast"), provrunner.run():
        raise ValueError("too fast")
    assert rows("select status, reason from runs") == [("failed", "ValueError: too fast")]
    ((trace,),) = rows("select data->>'traceback' from events where kind = 'exception'")
    assert "test_loop.py" in trace


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (KeyboardInterrupt(), "interrupted", "KeyboardInterrupt"),
        (SystemExit(3), "failed", "exit code 3"),
        (SystemExit(0), "finished", "val/loss was never logged"),
    ],
)
def test_an_exit_ends_the_run_by_its_kind(rows, error, status, reason):
    with pytest.raises(type(error)), provrunner.run():
        raise error
    assert rows("select status, reason from runs") == [(status, reason)]


def test_a_run_may_be_finished_by_hand_and_hears_no_more(rows):
    run = provrunner.run()
    run.log("a", 1.0)
    run.finish()
    run.finish()
    run.log("a", 2.0)
    run.watch(data=[[1.0]])
    assert rows("select status, metric_rows from runs") == [("finished", 1)]


def test_the_handlers_of_signals_are_back_afterwards():
    before = signal.getsignal(signal.SIGTERM)
    with provrunner.run():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_checkpoint_is_recorded_by_its_hash(rows, tmp_path):
    with provrunner.run() as run:
        (run.run_folder / "weights").write_bytes(b"weights")
        run.save(run.run_folder / "weights", metric="val/loss", value=0.5, role="best")
        (tmp_path / "mine.bin").write_bytes(b"mine")
        run.save("mine.bin")
    first, second = rows("select path, metric, value, role, sha256 from artifacts order by seq")
    sha256 = "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c"
    assert first == ("weights", "val/loss", 0.5, "best", sha256)
    assert second[0] == str((tmp_path / "mine.bin").resolve())


def test_what_is_given_wrongly_raises_and_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'minimize'"):
        provrunner.run(direction="minimise")
    with provrunner.run() as run:
        with pytest.raises(ValueError, match="did you mean 'validate'"):
            run.log("a", 1.0, stage="valdate")
        with pytest.raises(ValueError, match="did you mean 'best'"):
            run.save("x", role="bests")
        with pytest.raises(TypeError, match="a name and a value"):
            run.log("a")
        with pytest.raises(TypeError, match="int is no mapping"):
            run.log_params(3)
        with pytest.raises(TypeError, match="no get_params"):
            run.log_estimator(object())


@pytest.mark.filterwarnings("ignore:provrunner could not capture all:RuntimeWarning")
def test_what_cannot_be_captured_is_an_event_and_the_loop_goes_on(rows):
    with provrunner.run() as run:
        run.watch(object())
        run.log("a", 1.0)
    assert rows("select status, metric_rows from runs") == [("finished", 1)]
    assert rows("select subject from events where kind = 'capture_failed'") == [("watch_model",)]


def test_options_choose_what_is_kept(rows):
    with provrunner.run({"a": 1}, options=CaptureOptions(exclude=("param", "loss"))) as run:
        run.log({"loss": 1.0, "other": 2.0})
    assert rows("select name from metrics") == [("other",)]
    assert rows("select count(*) from params") == [(0,)]


def test_a_seed_seeds_python_and_numpy_and_is_in_the_plan(rows):
    import random

    import numpy as np

    drawn = []
    for _ in range(2):
        with provrunner.run(seed=7):
            drawn.append((random.random(), np.random.get_state()[1][0]))
    assert drawn[0] == drawn[1]
    assert rows("select seed from runs") == [(7,)]


def test_a_program_without_torch_loads_none_of_it(tmp_path):
    code = (
        "import sys, provrunner\n"
        "with provrunner.run() as run:\n"
        "    run.log('a', 1)\n"
        "print(sorted({'torch', 'lightning', 'hydra', 'duckdb'} & set(sys.modules)))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ended.stdout == "[]\n"
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]


def test_an_unfinished_run_is_sealed_when_its_program_ends(rows, tmp_path):
    code = "import provrunner\nrun = provrunner.run()\nrun.log('a', 1)\n1 / 0"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    found = rows("select status, reason, log_state from runs")
    assert found == [("failed", "ZeroDivisionError: division by zero", "complete")]


def test_an_epoch_that_was_logged_at_its_end_is_whole_when_the_next_one_fails(rows):
    def train():
        with provrunner.run() as run:
            for epoch in range(3):
                run.log({"val/loss": 1 / (epoch + 1)}, epoch=epoch)
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        train()
    assert rows("select status, epochs from runs") == [("failed", 3)]

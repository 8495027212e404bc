"""A real sweep asked while it runs and after it was killed, against Lightning's own CSVLogger."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.processes import Program, is_there, only_sweep, run, wait_for

from provrunner.log import read_log
from provrunner.report import ask, open_sweep

pytestmark = pytest.mark.slow

SHORT, LONG = 0, 1
"""The run of three epochs, which has ended, and the one that is under way until it is killed."""

LOGGER = (
    "+trainer.logger={_target_:lightning.pytorch.loggers.CSVLogger,save_dir:csv,"
    "name:'m${trainer.max_epochs}',flush_logs_every_n_steps:1}"
)
WORDS = ["-m", "optimizer=sgd", "optimizer.lr=0.05", "model.width=8", "test=false", LOGGER]
METRICS = ["train/loss", "val/loss", "val/acc"]


@dataclass
class Asked:
    """What was answered at one moment, and what the CSV files said then."""

    status: str
    answers: dict[int, list[dict[str, Any]]]
    watched: subprocess.CompletedProcess[str]
    curves: dict[int, pd.DataFrame]

    def of(self, question: int, run: int) -> dict[str, Any]:
        (row,) = [row for row in self.answers[question] if row["run"] == run]
        return row


def look(cwd: Path, status: str, *watch: str) -> Asked:
    sweep = open_sweep(only_sweep(cwd))
    answers = {number: ask(sweep, number).to_pylist() for number in (11, 12, 14, 30, 34, 37, 38)}
    answers[2] = [row for one in (0, 1) for row in ask(sweep, 2, run=one).to_pylist()]
    answers[5] = ask(sweep, 5, k=9).to_pylist()
    answers[13] = ask(sweep, 13, epochs=3, status="all").to_pylist()
    curves = {SHORT: curve(cwd / "csv" / "m3"), LONG: curve(cwd / "csv" / "m5000")}
    return Asked(status, answers, run(["watch", *watch], cwd), curves)


def curve(folder: Path) -> pd.DataFrame:
    """The last value of each metric in each epoch that the CSV file has whole."""
    path = folder / "version_0" / "metrics.csv"
    words = pd.read_csv(path, dtype=str, on_bad_lines="skip")
    rows = words[METRICS].map(float).assign(epoch=words["epoch"].map(int))
    last = rows.groupby("epoch").last().dropna()
    return last.iloc[: -1 if folder.name == "m5000" else None]


def pid_of(folder: Path, number: int) -> int:
    (place,) = folder.glob(f"runs/{number:04d}-*")
    events, _ = read_log(place, "events")
    data = events["data"].to_pylist()[events["kind"].to_pylist().index("run_start")]
    return int(json.loads(data)["pid"])


def has_come_far(cwd: Path, sweep: Program) -> Callable[[], bool]:
    """Give what says whether one run has ended and the other has six epochs behind it."""

    def check() -> bool:
        assert sweep.poll() is None
        if not list(cwd.glob("outputs/*/*/runs/0000-*/log/seal.json")):
            return False
        validations = [
            read_log(place).table["name"].to_pylist().count("val/loss")
            for place in cwd.glob("outputs/*/*/runs/0001-*")
        ]
        return max(validations, default=0) > 6

    return check


@pytest.fixture(scope="module")
def moments(tmp_path_factory) -> dict[str, Asked]:
    """Hold the long run still while it is asked, kill sweep and run, and ask again."""
    cwd = tmp_path_factory.mktemp("asked")
    sweep = Program([*WORDS, "trainer.max_epochs=3,5000"], cwd)
    try:
        wait_for(has_come_far(cwd, sweep), 240.0)
        trainer = pid_of(only_sweep(cwd), LONG)
        os.kill(trainer, signal.SIGSTOP)
        live = look(cwd, "running", "--once")
    finally:
        sweep.kill()
    os.kill(trainer, signal.SIGKILL)
    wait_for(lambda: not is_there(trainer))
    return {"live": live, "killed": look(cwd, "lost")}


@pytest.fixture(params=["live", "killed"])
def asked(request, moments) -> Asked:
    return moments[request.param]


def test_curves_are_those_of_the_csv_file(asked):
    for number, curve in asked.curves.items():
        rows = [row for row in asked.answers[2] if row["run"] == number][: len(curve)]
        assert [[row[name] for name in METRICS] for row in rows] == curve.to_numpy().tolist()
        assert [row["epoch"] for row in rows] == curve.index.tolist()


def test_the_best_epoch_of_the_ended_run_is_that_of_the_csv_file(asked):
    curve = asked.curves[SHORT]["val/loss"]
    best = asked.of(5, SHORT)
    assert (best["value"], best["epoch"]) == (curve.min(), curve.idxmin())
    assert asked.of(12, SHORT)["best"] == curve.min()


def test_runs_are_compared_after_their_first_epochs(asked):
    firsts = {number: curve["val/loss"][:3].min() for number, curve in asked.curves.items()}
    rows = [(row["run"], row["value"]) for row in asked.answers[13]]
    assert rows == sorted(firsts.items(), key=lambda item: (item[1], item[0]))


def test_what_is_under_way_or_was_killed_is_told_with_where_it_stands(asked):
    seen = asked.curves[LONG].index[-1]
    resume = asked.of(37, LONG)
    assert resume["status"] == asked.status
    assert resume["epochs_done"] >= seen + 1
    assert resume["checkpoint_epoch"] in asked.curves[LONG].index.union([seen + 1, seen + 2])
    lost = [row["run"] for row in asked.answers[30]]
    active = [row["run"] for row in asked.answers[14]]
    assert (lost, active) == (([LONG], []) if asked.status == "lost" else ([], [LONG]))
    ranks = {row["run"]: (row["rank"], row["epoch"]) for row in asked.answers[38]}
    assert ranks[SHORT] == (0, 2)
    assert ranks[LONG][1] >= seen


def test_time_left_is_told_of_what_goes_on_alone(asked):
    assert asked.of(12, SHORT)["left_s"] is None
    left = asked.of(12, LONG)["left_s"]
    assert (left is not None and left > 0) == (asked.status == "running")
    assert asked.of(12, LONG)["epochs_planned"] == 5000


def test_nothing_was_dropped_and_what_capture_cost_is_known(asked):
    for number in (SHORT, LONG):
        cost = asked.of(34, number)
        assert (cost["dropped"], cost["lost_rows"]) == (0, 0)
        assert cost["hook_s"] > 0
        assert cost["metric_rows"] >= asked.curves[number].size


def test_a_kill_takes_back_nothing_that_was_answered(moments):
    live, killed = moments["live"].answers[2], moments["killed"].answers[2]
    assert killed[: len(live) - 1] == live[:-1]


def test_watch_in_a_pipe_shows_the_live_run_and_ends_by_itself_once_it_was_killed(moments):
    live, killed = moments["live"].watched, moments["killed"].watched
    head, line, *_ = live.stdout.splitlines()
    assert live.returncode == 0, live.stderr
    assert "1/2  1 finished, 1 running" in head
    shown = re.fullmatch(
        r"  0001-\w+  epoch (\d+) of 5000  val/loss [\d.]+ \(best [\d.]+\)  lr 0\.0500"
        r"  [\d.]+ m?s an epoch  about .+ left  \(trainer\.max_epochs=5000, seed 0\)",
        line,
    )
    assert shown is not None, line
    assert int(shown[1]) >= len(moments["live"].curves[LONG])
    assert killed.returncode == 1
    assert killed.stdout.splitlines()[-1] == (
        "lost: the sweep's process is gone; 1 lost under way, 0 not begun"
    )

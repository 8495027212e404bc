from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from provrunner.log.folder import run_folder
from provrunner.log.plan_file import write_plan
from provrunner.log.sweep_folders import create_sweep_folder
from provrunner.log.writer import ArrowSink
from provrunner.plan import Hyperparameter, Objective, Plan, Point
from provrunner.schema import Event, RunStatus, StepMetrics

RECIPE = Path(__file__).parents[2] / "recipes" / "read_the_log"


@pytest.fixture
def sweep(tmp_path) -> Path:
    points = tuple(
        Point(run, f"{run:04d}-abcdef01", f"t{run}", 0, 0, {"lr": lr})
        for run, lr in enumerate((0.1, 0.2))
    )
    axis = Hyperparameter("lr", (0.1, 0.2), "log")
    created = "2026-01-02T03:04:05Z"
    plan = Plan("s", "lr_grid", created, Objective("loss"), "grid", (axis,), points)
    folder = create_sweep_folder(tmp_path, "lr_grid", now=datetime(2026, 1, 2, tzinfo=UTC))
    write_plan(folder, plan)
    for point in points:
        place = run_folder(folder, point.run_id)
        place.mkdir(parents=True)
        sink = ArrowSink(place, sweep_id="s", run_id=point.run_id)
        sink.open(0)
        sink.write([Event("run_start", data={"run_id": point.run_id})])
        sink.write([StepMetrics({"loss": 1.5}, step, 0, "validate") for step in range(3)])
        sink.close(RunStatus.FINISHED)
    return folder


def test_the_script_reads_a_sweep_with_pandas_polars_and_duckdb(sweep):
    done = subprocess.run(
        [sys.executable, str(RECIPE / "read.py"), str(sweep)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    pandas, polars, duckdb, own = done.stdout.split("\n\n#")
    assert "validate     3   1.5" in pandas
    assert "loss" in polars
    assert "1.5" in polars
    assert duckdb.count("finished") == 2
    assert own.count("finished") == 2


def test_the_readme_names_the_script_and_every_reader():
    text = (RECIPE / "README.md").read_text(encoding="utf-8")
    for word in ("read.py", "pd.read_feather", "pl.read_ipc", "duckdb.sql", "library(arrow)"):
        assert word in text

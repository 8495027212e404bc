"""One command, from configuration to everything that is derived."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pytest
from support.processes import SMALL, command, only_sweep, run, run_anew, wait_for

import provrunner
from provrunner.schema import TABLES

pytestmark = pytest.mark.slow

DERIVED = ("tables", "prov", "summary.json", "summary.md", "report.html", "next.yaml")


def test_every_planned_run_has_a_sealed_log_and_few_files(small_sweep):
    plan = json.loads((small_sweep / "plan.json").read_text())
    assert len(plan["points"]) == 12
    for point in plan["points"]:
        folder = small_sweep / "runs" / point["run_id"]
        files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        own = {name for name in files if not name.startswith("checkpoints/")}
        assert own == {
            "config.yaml", "overrides.yaml", "output.log",
            "log/metrics.arrow", "log/events.arrow", "log/seal.json",
        }  # fmt: skip
        assert len(files - own) == 1


def test_replicates_share_their_seeds_across_trials(small_sweep):
    runs = provrunner.open_sweep(small_sweep).runs.to_pandas()
    assert runs.groupby("trial_id")["seed"].apply(list).tolist() == [[0, 1]] * 6


def test_pandas_polars_and_duckdb_agree_with_no_provrunner_import(small_sweep):
    best = json.loads((small_sweep / "summary.json").read_text())["best"]
    log = small_sweep / "runs" / best["run_id"] / "log" / "metrics.arrow"

    by_pandas = pd.read_feather(log)
    by_polars = pl.read_ipc(log)
    ((by_duckdb,),) = duckdb.sql(
        f"select min(objective) from '{small_sweep}/tables/runs.parquet'"
    ).fetchall()

    losses = by_pandas.loc[by_pandas["name"] == "val/loss", "value"]
    assert by_polars.filter(pl.col("name") == "val/loss")["value"].to_list() == losses.tolist()
    assert by_duckdb == losses.min() == best["objective"]


def test_all_tables_are_written_with_their_columns(small_sweep):
    for name, schema in TABLES.items():
        columns = duckdb.sql(f"select * from '{small_sweep}/tables/{name}.parquet' limit 0").columns
        assert columns[: len(schema)] == schema.names


def test_where_each_value_comes_from_is_known(small_sweep):
    rows = provrunner.open_sweep(small_sweep).sql(
        "select name, origin from params where run = 0 and phase = 'init' and name in "
        "('optimizer.lr', 'trainer.max_epochs', 'optimizer.momentum') order by name"
    )
    assert rows.fetchall() == [
        ("optimizer.lr", "axis"),
        ("optimizer.momentum", "group choice"),
        ("trainer.max_epochs", "command line"),
    ]


def test_deleting_what_is_derived_and_reporting_again_gives_the_same_bytes(small_sweep):
    derived = [
        path
        for name in ("tables", "prov", "summary.json", "summary.md", "report.html")
        for path in [small_sweep / name, *(small_sweep / name).rglob("*")]
        if path.is_file()
    ]
    before = {path: path.read_bytes() for path in derived}
    for path in derived:
        path.unlink()

    assert run_anew(["report", str(small_sweep)], small_sweep).returncode == 0

    assert {path: path.read_bytes() for path in derived} == before
    assert len(before) > 18


def contents(sweep):
    paths = [path for name in DERIVED for path in [sweep / name, *(sweep / name).rglob("*")]]
    return {
        path.relative_to(sweep).as_posix(): path.read_bytes() for path in paths if path.is_file()
    }


def test_a_killed_report_leaves_no_half_file_and_the_next_one_gives_the_same_bytes(
    small_sweep, tmp_path
):
    sweep = tmp_path / "sweep"
    shutil.copytree(small_sweep, sweep)
    whole = contents(sweep)
    logs = {path: path.read_bytes() for path in sweep.glob("runs/*/log/*")}
    rng = random.Random(0)
    for _ in range(4):
        for name in contents(sweep):
            (sweep / name).unlink()
        process = subprocess.Popen(
            command("report", str(sweep)), cwd=tmp_path, stdout=subprocess.DEVNULL
        )
        wait_for(lambda: contents(sweep) or process.poll() is not None)  # noqa: B023
        time.sleep(rng.uniform(0, 1.5))
        process.kill()
        process.wait()
        left = {name: data for name, data in contents(sweep).items() if not name.endswith(".tmp")}
        assert left.items() <= whole.items()
    assert run_anew(["report", str(sweep)], tmp_path).returncode == 0
    assert contents(sweep) == whole
    assert {path: path.read_bytes() for path in sweep.glob("runs/*/log/*")} == logs
    assert not list(sweep.rglob("*.tmp"))
    assert json.loads((sweep / "summary.json").read_text())


def test_verify_finds_the_sweep_whole_also_after_it_was_moved(small_sweep, tmp_path):
    moved = tmp_path / "elsewhere"
    subprocess.run(["cp", "-r", small_sweep, moved], check=True)
    ended = run(["verify", "--read-data", str(moved)], tmp_path)
    assert ended.returncode == 0, ended.stdout


def test_the_summary_verb_loads_nothing_that_trains(small_sweep):
    code = (
        "import sys; from provrunner.cli import main\n"
        "try: main(['summary', sys.argv[1]])\n"
        "except SystemExit as end: assert not end.code\n"
        "print(sorted({'torch', 'lightning', 'hydra', 'altair', 'pandas'} & set(sys.modules)))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, small_sweep], capture_output=True, text=True, check=True
    )
    assert ended.stdout.splitlines()[-1] == "[]"
    assert "optimizer.lr" in ended.stdout


def test_nothing_outside_the_output_folder_is_written(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    status = ["git", "-C", str(tmp_path), "status", "--porcelain", "--ignored"]
    before = subprocess.run(status, capture_output=True, text=True, check=True).stdout

    assert run([*SMALL, "trainer.max_epochs=1", "output=results"], tmp_path).returncode == 0

    after = subprocess.run(status, capture_output=True, text=True, check=True).stdout
    assert set(after.splitlines()) - set(before.splitlines()) == {"?? results/"}


def test_hydras_own_launcher_runs_the_same_plan(tmp_path):
    words = ["-m", *SMALL, "optimizer.lr=0.01,0.1", "hydra/launcher=basic"]
    ended = run(words, tmp_path)
    assert ended.returncode == 0, ended.stderr
    statuses = provrunner.open_sweep(only_sweep(tmp_path)).runs["status"].to_pylist()
    assert statuses == ["finished", "finished"]


def test_a_run_that_fails_costs_only_itself(tmp_path):
    (tmp_path / "fragile.py").write_text(
        "from lightning import Callback\n"
        "class Break(Callback):\n"
        "    def __init__(self, lr): self.lr = lr\n"
        "    def on_train_epoch_end(self, trainer, module):\n"
        "        if self.lr > 0.05: raise ValueError('too fast')\n"
    )
    words = [
        "-m", *SMALL, "optimizer.lr=0.01,0.1",
        "+trainer.callbacks.fragile={_target_: fragile.Break, lr: '${optimizer.lr}'}",
    ]  # fmt: skip
    ended = run(words, tmp_path)

    assert ended.returncode == 1
    sweep = provrunner.open_sweep(only_sweep(tmp_path))
    rows = sweep.sql("select status, reason, epochs from runs order by run").fetchall()
    # for Lightning, too, an epoch is not over before its callbacks have heard of its end
    assert rows == [("finished", None, 3), ("failed", "ValueError: too fast", 0)]
    (trace,) = sweep.sql(
        "select data->>'traceback' from events where kind = 'exception'"
    ).fetchall()[0]
    assert "fragile.py" in trace
    assert "failed" in ended.stdout


def test_two_ranks_make_one_run_with_two_logs(tmp_path):
    words = ["trainer=ddp_cpu", *SMALL, "trainer.max_epochs=1"]
    ended = run(words, tmp_path)

    assert ended.returncode == 0, ended.stderr
    sweep = provrunner.open_sweep(only_sweep(tmp_path))
    assert sweep.sql("select distinct rank from metrics order by rank").fetchall() == [(0,), (1,)]
    assert sweep.sql("select world_size, status from runs").fetchall() == [(2, "finished")]


def test_a_script_of_anyones_becomes_a_sweep_of_one(tmp_path):
    script = Path(__file__).with_name("plain_script.py")
    subprocess.run([sys.executable, script], cwd=tmp_path, check=True, capture_output=True)
    sweep = provrunner.open_sweep(tmp_path / "logs")
    assert sweep.sql("select status, epochs from runs").fetchall() == [("finished", 2)]
    assert sweep.sql("select count(*) from metrics where name = 'loss'").fetchall()[0][0] > 0

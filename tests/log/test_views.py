from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from provrunner.errors import ConfigError
from provrunner.log.derive import SweepTables
from provrunner.log.runs import RunState
from provrunner.log.views import Views, connect, public_views
from provrunner.plan import Hyperparameter, Objective, Plan, Point
from provrunner.report.lazy import LAZY_TABLES
from provrunner.schema import TABLES, LogState, RunStatus

SECOND = 1_000_000_000
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass
class MemoryLogs:
    events: pa.Table
    metrics: pa.Table
    states: list[RunState]
    notes: pa.Table = field(default_factory=TABLES["notes"].empty_table)
    collected: pa.Table = field(default_factory=TABLES["collected"].empty_table)


@dataclass
class Script:
    """Rows of a sweep's log, told one by one."""

    run: int = 0
    rank: int = 0
    segment: int = 0
    now_s: float = 0.0
    events: list[dict] = field(default_factory=list)
    metrics: list[dict] = field(default_factory=list)
    states: list[RunState] = field(default_factory=list)

    @property
    def run_id(self) -> str:
        return f"{self.run:04d}-aaaaaaaa"

    def begin(self, run: int, status=RunStatus.FINISHED, state=LogState.COMPLETE, **data) -> None:
        self.run, self.rank, self.segment = run, 0, 0
        self.states.append(RunState(run, self.run_id, status, state))
        self.event("run_start", **data)

    def event(self, kind, subject="", step=None, epoch=None, **data) -> None:
        self.now_s += 1
        self.events.append(
            {
                **self._source(),
                "seq": len(self.events),
                "time": _time(self.now_s),
                "mono_ns": int(self.now_s * SECOND),
                "step": step,
                "epoch": epoch,
                "kind": kind,
                "subject": subject,
                "data": json.dumps(data),
            }
        )

    def metric(self, name, value, *, step, epoch, stage="validate") -> None:
        row = {"time": _time(self.now_s), "step": step, "epoch": epoch, "stage": stage}
        self.metrics.append({**self._source(), **row, "name": name, "value": value})

    def tables(self, plan: Plan) -> SweepTables:
        logs = MemoryLogs(
            pa.Table.from_pylist(self.events, TABLES["events"]),
            pa.Table.from_pylist(self.metrics, TABLES["metrics"]),
            self.states,
        )
        return SweepTables(plan, logs)

    def _source(self) -> dict:
        return {
            "run": self.run,
            "run_id": self.run_id,
            "rank": self.rank,
            "segment": self.segment,
        }


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(START.timestamp() + seconds, tz=UTC)


def make_plan(count=3, *, objective=None, name="lr", levels=(0.1, 0.2, 0.3)) -> Plan:
    points = tuple(
        Point(run, f"{run:04d}-aaaaaaaa", f"t{run}", 0, 7, {name: levels[run % len(levels)]})
        for run in range(count)
    )
    return Plan(
        "s",
        "lr_grid",
        "2026-01-01T00:00:00Z",
        objective or Objective("val/loss"),
        "grid",
        (Hyperparameter(name, tuple(levels), "log"),),
        points,
    )


def column(table: pa.Table, name: str) -> list:
    return table[name].to_pylist()


@pytest.fixture
def script() -> Script:
    return Script()


# plan and runs


def test_a_sweep_without_any_log_has_every_table_with_its_schema(script):
    script.states = [RunState(0, "0000-aaaaaaaa", RunStatus.PLANNED)]
    tables = script.tables(make_plan(1))
    assert set(tables) == set(TABLES) - {"nodes", "edges", "sensitivity"}
    for name, table in tables.items():
        assert table.schema.names[: len(TABLES[name])] == TABLES[name].names, name
        assert table.schema.types[: len(TABLES[name])] == TABLES[name].types, name
    assert column(tables["runs"], "status") == ["planned"]
    assert column(tables["runs"], "metric_rows") == [None]
    assert column(tables["runs"], "lr") == [0.1]


def test_the_best_finite_validation_value_is_a_runs_objective(script):
    script.begin(0)
    script.metric("val/loss", 0.01, step=0, epoch=0, stage="sanity_check")
    script.metric("val/loss", 0.02, step=5, epoch=0, stage="train")
    for epoch, value in enumerate([0.5, 0.3, math.nan, 0.3, 0.4]):
        script.metric("val/loss", value, step=10 * epoch + 9, epoch=epoch)
    runs = script.tables(make_plan(1))["runs"]
    assert runs.select(["objective", "objective_epoch", "objective_step"]).to_pylist() == [
        {"objective": 0.3, "objective_epoch": 1, "objective_step": 19}
    ]
    assert column(runs, "status") == ["finished"]


def test_maximize_and_last_change_what_counts(script):
    script.begin(0)
    for epoch, value in enumerate([0.5, 0.9, 0.7]):
        script.metric("val/acc", value, step=epoch, epoch=epoch)
    best = script.tables(make_plan(1, objective=Objective("val/acc", "maximize")))["runs"]
    last = script.tables(make_plan(1, objective=Objective("val/acc", "maximize", "last")))["runs"]
    assert column(best, "objective") == [0.9]
    assert column(last, "objective") == [0.7]


@pytest.mark.parametrize("end", [math.nan, math.inf, -math.inf])
def test_a_finished_run_that_ends_in_no_number_is_diverged_without_objective(script, end):
    script.begin(0)
    script.metric("val/loss", 0.5, step=1, epoch=0)
    script.metric("val/loss", end, step=112, epoch=1)
    row = script.tables(make_plan(1))["runs"].to_pylist()[0]
    assert row["status"] == "diverged"
    assert row["objective"] is None
    assert row["objective_epoch"] is None
    assert row["reason"] == f"val/loss was {end} at step 112"


def test_a_failed_run_keeps_the_value_it_had_seen(script):
    script.begin(0, RunStatus.FAILED)
    script.metric("val/loss", 0.5, step=1, epoch=0)
    script.event("exception", type="ValueError", message="no", traceback="...")
    row = script.tables(make_plan(1))["runs"].to_pylist()[0]
    assert (row["status"], row["objective"]) == ("failed", 0.5)
    assert row["reason"] == "ValueError: no"
    assert row["end"] is None


def test_a_run_that_never_logged_the_objective_says_so(script):
    script.begin(0)
    script.metric("loss", 0.5, step=1, epoch=0)
    row = script.tables(make_plan(1))["runs"].to_pylist()[0]
    assert (row["status"], row["objective"]) == ("finished", None)
    assert row["reason"] == "val/loss was never logged"


def test_an_objective_of_training_takes_the_last_value_of_each_epoch(script):
    script.begin(0)
    for step, value in enumerate([0.1, 0.6, 0.2, 0.5]):
        script.metric("loss", value, step=step, epoch=step // 2, stage="train")
    runs = script.tables(make_plan(1, objective=Objective("loss")))["runs"]
    assert column(runs, "objective") == [0.5]


def test_runs_tell_who_when_and_with_what(script):
    script.begin(
        1,
        command=["train.py", "name=a b"],
        user="ada",
        host="h",
        pid=12,
        attempt=0,
        world_size=1,
        seed=7,
    )
    script.event("code", commit="c0ffee", dirty=True)
    script.event("model", architecture_hash="abc", parameters=10, trainable=10)
    script.event("dataset", "digits", digest="d1")
    script.event("epoch_start", "train", epoch=0, step=0)
    script.event("epoch_end", "train", epoch=0, step=10, duration_s=1.5, batches=10)
    script.event("gap", "metrics", count=3)
    script.event("run_end", status="finished", reason=None)
    script.metric("val/loss", 1.0, step=9, epoch=0)
    row = script.tables(make_plan(2))["runs"].to_pylist()[0]
    assert row["cmd"] == "train.py 'name=a b'"
    assert (row["user"], row["host"], row["pid"], row["commit"]) == ("ada", "h", 12, "c0ffee")
    assert (row["dirty"], row["architecture_hash"], row["parameters"]) == (True, "abc", 10)
    assert row["dataset_digest"] == "d1"
    assert (row["epochs"], row["steps"], row["metric_rows"], row["gaps"]) == (1, 10, 1, 3)
    assert (row["start"], row["end"]) == (_time(1), _time(8))
    assert row["duration_s"] == 7.0
    assert (row["trial_id"], row["seed"], row["lr"]) == ("t1", 7, 0.2)


@pytest.mark.parametrize(
    ("levels", "kind", "expected"),
    [
        ((1, 2, 3), pa.int64(), [1, 2, 3]),
        ((1, 0.5, None), pa.float64(), [1.0, 0.5, None]),
        ((True, False, True), pa.bool_(), [True, False, True]),
        (("adam", "sgd", "x"), pa.utf8(), ["adam", "sgd", "x"]),
        (([64, 64], 1, True), pa.utf8(), ["[64,64]", "1", "true"]),
        ((10**30, 1, 2), pa.float64(), [1e30, 1.0, 2.0]),
    ],
)
def test_a_hyperparameter_is_a_column_of_its_own_type(script, levels, kind, expected):
    for run in range(3):
        script.begin(run)
    runs = script.tables(make_plan(3, name="opt.x", levels=levels))["runs"]
    assert runs.schema.field("opt.x").type == kind
    assert column(runs, "opt.x") == expected


@pytest.mark.parametrize("name", ["seed", "Status"])
def test_a_hyperparameter_named_as_another_column_is_left_out(script, name):
    script.begin(0)
    runs = script.tables(make_plan(1, name=name, levels=(1,)))["runs"]
    assert runs.schema.names == TABLES["runs"].names


# epochs


def test_epochs_have_one_column_a_metric_with_its_last_value(script):
    script.begin(0)
    script.event("epoch_start", "train", epoch=0)
    script.metric("train/loss", 0.9, step=0, epoch=0, stage="train")
    script.metric("train/loss", 0.8, step=1, epoch=0, stage="train")
    script.metric("acc", 0.5, step=1, epoch=0)
    script.event("epoch_end", "train", epoch=0, duration_s=0.75)
    script.metric("acc", 0.6, step=3, epoch=1)
    script.metric("acc", 0.55, step=4, epoch=2, stage="test")
    assert script.tables(make_plan(1))["epochs"].drop(["run_id", "start", "end"]).to_pylist() == [
        {
            "run": 0,
            "rank": 0,
            "epoch": 0,
            "duration_s": 0.75,
            "elapsed_s": 2.0,
            "test/acc": None,
            "train/loss": 0.8,
            "validate/acc": 0.5,
        },
        {
            "run": 0,
            "rank": 0,
            "epoch": 1,
            "duration_s": None,
            "elapsed_s": None,
            "test/acc": 0.55,
            "train/loss": None,
            "validate/acc": 0.6,
        },
    ]


def test_an_epoch_that_an_exception_broke_off_does_not_count_as_trained(script):
    script.begin(0)
    for epoch, raised in enumerate([False, True, False]):
        script.event("epoch_start", "train", epoch=epoch, step=epoch)
        if raised:
            script.event("exception", type="ValueError", message="caught", traceback="")
        script.event("epoch_end", "train", epoch=epoch, step=epoch, duration_s=1.0, batches=1)
    script.event("exception", type="ValueError", message="after training", traceback="")
    tables = script.tables(make_plan(1))
    assert column(tables["runs"], "epochs") == [2]
    assert tables["epochs"]["end"].null_count == 0


def test_a_nan_in_an_epoch_is_kept_and_an_unlogged_value_is_null(script):
    script.begin(0)
    script.metric("a", math.nan, step=0, epoch=0)
    script.metric("b", 1.0, step=1, epoch=1)
    epochs = script.tables(make_plan(1))["epochs"]
    assert math.isnan(column(epochs, "a")[0])
    assert column(epochs, "a")[1] is None
    assert column(epochs, "b") == [None, 1.0]


def test_metric_names_that_sql_would_confuse_get_their_stage(script):
    script.begin(0)
    script.metric("epoch", 1.0, step=0, epoch=0)
    script.metric("Loss", 2.0, step=0, epoch=0)
    script.metric("loss", 3.0, step=0, epoch=0, stage="train")
    script.metric("train/loss", 4.0, step=0, epoch=0, stage="train")
    row = script.tables(make_plan(1))["epochs"].to_pylist()[0]
    assert row["epoch"] == 0
    assert row["validate/epoch"] == 1.0
    assert row["validate/Loss"] == 2.0
    assert row["train/train/loss"] == 3.0
    assert row["train/loss"] == 4.0


def test_each_rank_has_its_own_epochs(script):
    script.begin(0)
    script.metric("val/loss", 1.0, step=1, epoch=0)
    script.rank = 1
    script.metric("val/loss", 2.0, step=1, epoch=0)
    tables = script.tables(make_plan(1))
    assert column(tables["epochs"], "rank") == [0, 1]
    assert column(tables["epochs"], "val/loss") == [1.0, 2.0]
    assert column(tables["runs"], "objective") == [1.0]


def test_what_a_resumed_run_did_again_replaces_the_abandoned_future(script):
    script.begin(0, attempt=0)
    for epoch, value in enumerate([0.5, 0.4, 0.1]):
        script.event("epoch_start", "train", epoch=epoch, step=2 * epoch)
        script.metric("loss", value, step=2 * epoch, epoch=epoch, stage="train")
        script.metric("val/loss", value, step=2 * epoch + 1, epoch=epoch)
        script.event("epoch_end", "train", epoch=epoch, step=2 * epoch + 2)
    script.segment = 1
    script.event("run_start", attempt=1)
    script.event("epoch_start", "train", epoch=1, step=2)
    script.metric("loss", 0.45, step=2, epoch=1, stage="train")
    script.metric("val/loss", 0.45, step=3, epoch=1)
    tables = script.tables(make_plan(1))
    assert column(tables["epochs"], "epoch") == [0, 1]
    assert column(tables["epochs"], "val/loss") == [0.5, 0.45]
    assert column(tables["epochs"], "end") == [_time(3), None]
    assert column(tables["runs"], "objective") == [0.45]
    assert column(tables["runs"], "attempt") == [1]
    assert column(tables["metrics"], "value") == [0.5, 0.5, 0.4, 0.4, 0.1, 0.1, 0.45, 0.45]


def test_elapsed_time_leaves_out_the_pause_between_attempts(script):
    script.begin(0)
    script.event("adaptation", "lr", old=0.1, new=0.01, cause="scheduler", agent="StepLR")
    script.now_s = 1000.0
    script.segment = 1
    script.event("run_start", attempt=1)
    script.event("adaptation", "lr", old=0.01, new=None, cause="manual", agent="ada")
    table = script.tables(make_plan(1))["adaptations"]
    assert column(table, "elapsed_s") == [1.0, 2.0]
    assert column(table, "old") == ["0.1", "0.01"]
    assert column(table, "new") == ["0.01", "null"]


# what else events tell


def test_params_are_those_of_the_latest_attempt(script):
    script.begin(0)
    script.event("param", "lr", value=0.1, type="float", origin="axis", reads=2, phase="init")
    script.event("param", "gone", value=1, type="int", phase="init")
    script.event("run_start", attempt=1)
    script.event("param", "lr", value=0.2, type="float", origin="axis", reads=0, phase="init")
    script.event("param", "names", value=["a"], type="list", phase="init")
    script.event("param", "fast", value=True, type="bool", phase="object")
    params = script.tables(make_plan(1))["params"]
    assert params.select(["name", "value", "number", "origin", "reads", "phase"]).to_pylist() == [
        {
            "name": "lr",
            "value": "0.2",
            "number": 0.2,
            "origin": "axis",
            "reads": 0,
            "phase": "init",
        },
        {
            "name": "names",
            "value": '["a"]',
            "number": None,
            "origin": None,
            "reads": None,
            "phase": "init",
        },
        {
            "name": "fast",
            "value": "true",
            "number": None,
            "origin": None,
            "reads": None,
            "phase": "object",
        },
    ]


def test_values_of_a_damaged_event_are_null(script):
    script.begin(0)
    script.event("layer", "fc", position="x", type="Linear", parameters=10**30)
    script.event("layer", "out", position=1, type="Linear", parameters=4, input_shape=[None, 2])
    script.events[-2]["data"] = '{"position":"x"'
    layers = script.tables(make_plan(1))["layers"]
    assert layers.select(["name", "position", "parameters", "input_shape"]).to_pylist() == [
        {"name": "fc", "position": None, "parameters": None, "input_shape": None},
        {"name": "out", "position": 1, "parameters": 4, "input_shape": "[null,2]"},
    ]


def test_a_value_of_the_wrong_type_is_null(script):
    script.begin(0)
    script.event("layer", "fc", position="x", type="Linear", parameters=10**30)
    layers = script.tables(make_plan(1))["layers"]
    assert layers.select(["type", "position", "parameters"]).to_pylist() == [
        {"type": "Linear", "position": None, "parameters": None}
    ]


def test_datasets_hold_a_row_a_data_set_and_one_a_split(script):
    script.begin(0)
    script.event(
        "dataset", "digits", digest="d", size=100, features=[64], classes=10, type="sk.Digits"
    )
    script.event("split", "train", dataset="digits", size=80, seed=1, overlap={"test": 0})
    script.event("split", "test", dataset="digits", size=20, classes={"0": 20})
    table = script.tables(make_plan(1))["datasets"]
    names = ["dataset", "split", "type", "size", "ratio", "features", "classes", "overlap"]
    assert [tuple(row.values()) for row in table.select(names).to_pylist()] == [
        ("digits", None, "sk.Digits", 100, None, "[64]", "10", None),
        ("digits", "train", "sk.Digits", 80, 0.8, "[64]", None, '{"test":0}'),
        ("digits", "test", "sk.Digits", 20, 0.2, "[64]", '{"0":20}', None),
    ]


def test_transforms_keep_their_order_and_counts(script):
    script.begin(0)
    script.event(
        "transform", "scale", position=0, params={"mean": 1}, split="train", n_in=5, n_out=5
    )
    script.event("transform", "drop", position=1, params={}, n_in=5, n_out=4, changed=1)
    table = script.tables(make_plan(1))["transforms"]
    assert table.select(["position", "name", "params", "n_out", "changed"]).to_pylist() == [
        {"position": 0, "name": "scale", "params": '{"mean":1}', "n_out": 5, "changed": None},
        {"position": 1, "name": "drop", "params": "{}", "n_out": 4, "changed": 1},
    ]


def test_artifacts_know_when_their_file_was_deleted_or_overwritten(script):
    script.begin(0)
    script.event("checkpoint", "last.ckpt", step=1, epoch=0, sha256="a", size_bytes=5, role="last")
    script.event("checkpoint", "last.ckpt", step=2, epoch=1, sha256="b", size_bytes=5, role="last")
    script.event("checkpoint", "best.ckpt", step=2, epoch=1, sha256="b", value=0.5, role="best")
    script.event("checkpoint", "best.ckpt", step=2, epoch=1, sha256="b", value=0.5, role="best")
    script.event("checkpoint_deleted", "last.ckpt", sha256="b")
    table = script.tables(make_plan(1))["artifacts"]
    assert column(table, "kind") == ["checkpoint"] * 4
    assert column(table, "created") == [_time(2), _time(3), _time(4), _time(5)]
    assert column(table, "deleted") == [_time(3), _time(6), None, None]
    assert column(table, "value") == [None, None, 0.5, 0.5]


def test_environment_lists_packages_machine_and_code(script):
    script.begin(0)
    script.event(
        "environment",
        python="3.11.7",
        os="Linux",
        cpu="x",
        cores=2,
        gpus=["A", "B"],
        packages={"torch": "2", "numpy": "1"},
        variables={"OMP_NUM_THREADS": "1"},
        launcher=None,
    )
    script.event("code", commit="c0", dirty=False)
    script.event("source", "my.model", sha256="s", path="model.py")
    table = script.tables(make_plan(1))["environment"].select(["kind", "name", "value"])
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        ("python", "python", "3.11.7"),
        ("os", "os", "Linux"),
        ("hardware", "cores", "2"),
        ("hardware", "cpu", "x"),
        ("hardware", "gpu.0", "A"),
        ("hardware", "gpu.1", "B"),
        ("package", "numpy", "1"),
        ("package", "torch", "2"),
        ("variable", "OMP_NUM_THREADS", "1"),
        ("code", "commit", "c0"),
        ("code", "dirty", "false"),
        ("source", "my.model", "s"),
    ]


# SQL


@pytest.fixture
def views(script) -> Views:
    script.begin(0)
    script.event("param", "lr", value=0.1, phase="init", origin="axis")
    script.event("param", "lr", value=0.1, phase="object")
    for epoch, value in enumerate([0.5, 0.3]):
        script.event("epoch_start", "train", epoch=epoch)
        script.metric("val/loss", value, step=epoch, epoch=epoch)
        script.event("epoch_end", "train", epoch=epoch)
    script.event("adaptation", "lr", old=0.1, new=0.01, cause="scheduler", agent="StepLR", epoch=1)
    script.begin(1, RunStatus.FAILED)
    script.event("exception", type="ValueError", message="no", traceback="", step=4)
    script.states.append(RunState(2, "0002-aaaaaaaa", RunStatus.PLANNED))
    return Views(script.tables(make_plan(3)))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            "select name, number from params where run_id = '0000-aaaaaaaa' and phase = 'init'",
            [("lr", 0.1)],
        ),
        (
            'select epoch, "val/loss", elapsed_s from epochs where run = 0 order by epoch',
            [(0, 0.5, 4.0), (1, 0.3, 6.0)],
        ),
        (
            "select name, old, new, cause, agent, elapsed_s from adaptations",
            [("lr", "0.1", "0.01", "scheduler", "StepLR", 7.0)],
        ),
        (
            "select run, status, e.step, json_extract_string(data, '$.type'), lr from runs "
            "join events e using (run) where kind = 'exception'",
            [(1, "failed", 4, "ValueError", 0.2)],
        ),
        (
            "select run from plan anti join (from runs where log_state is not null) using (run)",
            [(2,)],
        ),
        ("select name, origin from params where origin is not null", [("lr", "axis")]),
        ("SELECT count(*) FROM RUNS", [(3,)]),
        ("select count(*) from (show tables)", [(21,)]),
        ("select count(distinct table_name) from information_schema.columns", [(21,)]),
        ("select column_name from (describe levels) limit 1", [("run",)]),
        ("with best as (from runs) select max(objective) from best", [(0.3,)]),
        ("pivot runs on status using count(*) group by seed", [(7, 1, 1, 1)]),
    ],
)
def test_a_question_is_plain_sql(views, query, expected):
    assert views.sql(query).fetchall() == expected


# DuckDB's own way to make a frame asks pandas for what pandas 4 drops
@pytest.mark.filterwarnings("ignore:The inplace keyword")
def test_answers_become_data_frames(views):
    frame = views.sql("from epochs where run = 0").df()
    assert list(frame["val/loss"]) == [0.5, 0.3]
    assert str(frame["start"][0]) == "2026-01-02 03:04:09+00:00"


def test_a_query_may_read_files_but_not_write_them(views, tmp_path):
    import pyarrow.parquet as pq

    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"run": [1]}), path)
    query = f"select count(*) from runs join read_parquet('{path}') using (run)"
    assert views.sql(query).fetchall() == [(1,)]
    for statement in (
        f"copy runs to '{tmp_path}/y.csv'",
        f"attach '{tmp_path}/z.db'",
        "create table t as from runs",
        "set threads = 1",
        "drop view runs",
    ):
        with pytest.raises(ConfigError, match="is no query"):
            views.sql(statement)
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.parquet"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("from epoch", "there is no table epoch; did you mean 'epochs'?"),
        ("from runs join metricss using (run)", "did you mean 'metrics'?"),
        ("from zebra", "there is no table zebra; there are adaptations, artifacts"),
        ("selec 1", 'Parser Error: syntax error at or near "selec"'),
        ("select los from runs", "Binder Error: Referenced column"),
        ("select 1; select 2", "expected one query, found 2 statements"),
        ("", "expected one query, found 0 statements"),
    ],
)
def test_a_wrong_query_gives_one_line(views, query, message):
    with pytest.raises(ConfigError) as error:
        views.sql(query)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_variable_of_the_program_is_no_table(views):
    tables_of_mine = pa.table({"a": [1]})
    assert tables_of_mine.num_rows == 1
    with pytest.raises(ConfigError, match="there is no table"):
        views.sql("from tables_of_mine")


def test_connect_registers_each_table_by_its_name():
    connection = connect({"runs": pa.table({"run": [1, 2]})})
    assert connection.sql("select sum(run) from runs").fetchall() == [(3,)]


# docs


def test_the_docs_name_every_table_view_and_column_with_its_meaning():
    text = (Path(__file__).parents[2] / "docs" / "tables.md").read_text(encoding="utf-8")
    documented = {}
    for section in text.split("\n## ")[1:]:
        title, *lines = section.splitlines()
        cells = [line.strip("|").split("|") for line in lines if line.startswith("| ")][1:]
        documented[title] = [name.strip() for name, _, meaning in cells if meaning.strip()]
    views = Views({name: schema.empty_table() for name, schema in TABLES.items()})
    shapes = {name: views.sql(f"from {name}").columns for name in public_views()}
    shapes |= {name: schema.names for name, schema in (TABLES | LAZY_TABLES).items()}
    assert documented == shapes


def test_a_value_that_does_not_fit_gives_one_line_too(views):
    with pytest.raises(ConfigError, match=r"^Conversion Error: .*'abc' to DOUBLE\.?$"):
        views.rows("from runs where objective = 'abc'")
    assert views.rows("select count(*) as n from runs").column_names == ["n"]


@pytest.mark.parametrize("query", ["from runs", "from ranking"])
def test_a_table_whose_making_was_interrupted_is_made_for_the_next_query(query):
    class Interrupted(dict):
        times = 0

        def __getitem__(self, name):
            self.times += 1
            if self.times == 1:
                raise KeyboardInterrupt
            return super().__getitem__(name)

    views = Views(Interrupted({name: schema.empty_table() for name, schema in TABLES.items()}))
    with pytest.raises(KeyboardInterrupt):
        views.sql(query)
    assert views.sql(query).fetchall() == []

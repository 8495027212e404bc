"""Sweep folders made of other tools' runs, as the reading verbs see them."""

import json
import math
from pathlib import Path

import pytest

from provrunner.cli.read import summary, verify
from provrunner.cli.table import import_
from provrunner.errors import ConfigError, LogError
from provrunner.graph import check_graph
from provrunner.log import verify_sweep
from provrunner.plan import Objective
from provrunner.report import (
    analyze_store,
    ask,
    find_run,
    import_runs,
    imports,
    list_questions,
    open_sweep,
)
from provrunner.report.stores.store import Course, Store, StoredRun

STORES = {
    "mlflow/mlflow.db": "val/loss",
    "mlflow/mlruns": "val/loss",
    "wandb": "val/loss",
    "tensorboard": "val/loss",
    "optuna/optuna.db": None,
    "optuna/optuna.log": None,
}


@pytest.fixture(scope="module")
def sweeps(stores, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweeps")
    return {
        name: import_runs(stores / name, objective, to=folder / name.replace("/", "_"))
        for name, objective in STORES.items()
    }


@pytest.mark.parametrize("name", STORES)
def test_an_imported_sweep_is_whole_and_its_summary_is_that_of_the_store(sweeps, stores, name):
    sweep = sweeps[name]
    assert verify_sweep(sweep.folder).findings == ()
    assert check_graph(sweep.graph()) == []
    own = analyze_store(stores / name, STORES[name]).to_dict()
    found = sweep.sensitivity().to_dict()
    for key in ("components", "statuses", "method", "flags"):
        assert found[key] == own[key]
    # run_id is no setting of the store
    assert found["dropped"] == [row for row in own["dropped"] if row["name"] != "run_id"]


def test_a_run_keeps_what_its_store_told_and_nothing_else(sweeps):
    sweep = sweeps["wandb"]
    row = sweep.runs.to_pylist()[17]
    assert (row["status"], row["reason"], row["seed"]) == ("failed", "exit code 1", 2)
    assert row["optimizer.lr"] == 0.1
    assert row["duration_s"] == pytest.approx((row["end"] - row["start"]).total_seconds())
    unknown = (
        "pid",
        "world_size",
        "commit",
        "dirty",
        "architecture_hash",
        "dataset_digest",
        "user",
    )
    assert [row[key] for key in unknown] == [None] * 7
    metrics = sweep.sql(
        "select step, epoch, stage, time is null from metrics where run = 3 and name = 'val/loss'"
    )
    assert metrics.fetchall() == [(n, n, "validate", False) for n in range(3)]
    assert sweep.sql("select count(*) from epochs where run = 3").fetchall() == [(3,)]


def test_what_a_store_does_not_tell_is_null(sweeps):
    sweep = sweeps["optuna/optuna.log"]
    rows = sweep.sql(
        "select distinct name, time is null, epoch is null from metrics order by name"
    ).fetchall()
    assert rows == [("intermediate", True, False), ("value", False, True)]
    statuses = sweep.sql("select status, count(*) from runs group by all order by 1").fetchall()
    assert statuses == [("failed", 1), ("finished", 28), ("pruned", 1)]


def test_a_run_says_where_it_came_from(sweeps):
    sweep = sweeps["wandb"]
    ((text,),) = sweep.sql("select data from events where kind = 'origin' and run = 0").fetchall()
    origin = json.loads(text)
    assert (origin["tool"], origin["version"], origin["name"]) == ("wandb", "0.31.0", "run 0")
    ((path, sha256),) = origin["files"].items()
    assert path.endswith(".wandb")
    assert len(sha256) == 64
    assert sweep.about()[0].startswith("imported from wandb 0.31.0: /")


def test_the_best_value_leads_back_to_the_store_and_to_its_tool_alone(sweeps):
    lineage = sweeps["wandb"].graph().lineage("best").nodes
    labels = dict(zip(lineage["type"].to_pylist(), lineage["label"].to_pylist(), strict=True))
    assert labels["pr:StoredRun"] == "run run 15 of wandb"
    nodes = sweeps["wandb"].graph().nodes
    kinds = nodes["type"].to_pylist()
    assert {"pr:ModelState", "pr:TrainEpoch", "pr:Environment", "pr:SourceCode"} & set(
        kinds
    ) == set()
    edges = sweeps["wandb"].sql(
        "select distinct s.type, a.label from edges e join nodes a on a.id = e.object "
        "join nodes s on s.id = e.subject where e.relation = 'was_associated_with' order by all"
    )
    from provrunner import __version__

    assert edges.fetchall() == [
        ("pr:Import", f"provrunner {__version__}"),
        ("pr:Run", "wandb 0.31.0"),
        ("pr:SensitivityAnalysis", f"provrunner {__version__}"),
        ("pr:Sweep", "wandb 0.31.0"),
    ]


def test_every_question_that_needs_no_value_is_answered(sweeps):
    refused = []
    for name in list_questions()["name"].to_pylist():
        try:
            ask(sweeps["mlflow/mlruns"], name)
        except ConfigError:
            refused.append(name)
    # these ask for a data set or for training metrics, of which the store holds none
    assert refused == [
        "means_by_value",
        "overfitting",
        "path",
        "affected",
    ]


def test_a_table_of_runs_becomes_a_sweep_with_its_other_columns_kept(tmp_path):
    rows = [f"{i},{lr},{s},{lr * 3 + s / 10},host{i},{i + 0.5},FINISHED" for i, (lr, s) in
            enumerate((lr, s) for s in (0, 1) for lr in (0.1, 0.2, 0.4))]  # fmt: skip
    table = tmp_path / "runs.csv"
    table.write_text("id,lr,seed,loss,host,duration_s,status\n" + "\n".join(rows) + "\n")
    sweep = import_runs(table, "loss", to=tmp_path / "sweep")
    row = sweep.runs.to_pylist()[4]
    assert (row["lr"], row["seed"], row["objective"]) == (0.2, 1, pytest.approx(0.7))
    assert (row["duration_s"], row["start"], row["status"]) == (4.5, None, "finished")
    values = sweep.sql("select subject, data from events where kind = 'value' and run = 4")
    assert values.fetchall() == [("id", '{"value":4}'), ("host", '{"value":"host4"}')]
    own = analyze_store(table, "loss").to_dict()
    found = sweep.sensitivity().to_dict()
    assert found["components"] == own["components"]
    assert [row["name"] for row in own["dropped"]] == ["id", "host"]
    assert found["dropped"] == own["dropped"]
    with pytest.raises(ConfigError, match="name the column to judge by"):
        import_runs(table, to=tmp_path / "other")


def test_secrets_in_a_store_do_not_reach_the_sweep(tmp_path):
    table = tmp_path / "runs.csv"
    table.write_text("lr,api_key,loss\n" + "".join(f"0.{i},hunter{i}00,{i}\n" for i in (1, 2, 3)))
    sweep = import_runs(table, "loss", parameters=["lr", "api_key"], to=tmp_path / "sweep")
    sweep.write()
    held = b"".join(path.read_bytes() for path in sweep.folder.rglob("*") if path.is_file())
    assert b"hunter" not in held


def test_the_verb_makes_a_folder_that_the_others_read(stores, tmp_path, capsys):
    words = [str(stores / "tensorboard"), "--objective", "val/loss", "--to", str(tmp_path / "s")]
    assert import_(words) == 0
    told = capsys.readouterr().out
    assert "imported from tensorboard" in told
    assert "report   " in told
    assert summary([str(tmp_path / "s")]) == 0
    assert verify([str(tmp_path / "s")]) == 0
    assert (tmp_path / "s" / "report.html").is_file()
    with pytest.raises(LogError, match="already holds the sweep 'tensorboard'"):
        import_(words)


def test_the_same_store_gives_the_same_logs(stores, tmp_path):
    first, second = (
        import_runs(stores / "mlflow" / "mlflow.db", "val/loss", to=tmp_path / name / "s")
        for name in ("a", "b")
    )
    own, other = (sweep.plan.sweep_id.encode() for sweep in (first, second))
    for file in sorted(first.folder.glob("runs/*/log/*.arrow")):
        again = (second.folder / file.relative_to(first.folder)).read_bytes()
        assert file.read_bytes().replace(own, other) == again
    assert open_sweep(first.folder).plan.points == second.plan.points


@pytest.mark.parametrize(
    ("name", "kinds"), [("objective", ("logistic", "hinge")), ("status", ("done", "complete"))]
)
def test_a_setting_named_like_a_column_of_ours_is_told_as_analyze_tells_it(tmp_path, name, kinds):
    table = tmp_path / "runs.csv"
    rows = [f"{i % 3},{kinds[i % 2]},{i // 6},{i % 2 * 2 + i * 7 % 5 / 10}\n" for i in range(12)]
    table.write_text(f"lr,{name},seed,loss\n" + "".join(rows))
    sweep = import_runs(table, "loss", parameters=["lr", name], to=tmp_path / "sweep")
    own = analyze_store(table, "loss", parameters=["lr", name]).to_dict()
    assert sweep.sensitivity().to_dict()["components"] == own["components"]
    assert own["components"][0]["component"] == f"parameter {name}"
    assert check_graph(sweep.graph()) == []


def _import_of(runs, folder, monkeypatch, objective="loss"):
    """Import runs as if a tool had stored them."""
    store = Store("tool", "s", Path(), tuple(runs))
    monkeypatch.setattr(imports, "read_store", lambda *_, **__: store)
    return store, import_runs(folder, objective, to=folder)


def _course(*values, **told):
    course = Course()
    for value in values:
        course.add(value, **told)
    return course


def test_two_sweeps_in_folders_of_one_name_share_no_id_and_each_is_found_by_its_own(tmp_path):
    table = tmp_path / "runs.csv"
    table.write_text("lr,loss\n0.1,1\n0.2,2\n")
    one, other = (import_runs(table, "loss", to=tmp_path / at / "same") for at in ("a", "b"))

    kinds = ("run-", "sweep-", "results-", "effect-", "hyperparameter-", "setting-", "analysis-")
    own = [
        {id_ for id_ in sweep.graph().nodes["id"].to_pylist() if id_.startswith(kinds)}
        for sweep in (one, other)
    ]
    assert len(own[0]) == len(own[1]) > 6
    assert not own[0] & own[1]
    for sweep in (one, other):
        assert (
            find_run(f"{sweep.plan.sweep_id}:0", tmp_path / "a" / "same").sweep.plan == sweep.plan
        )


@pytest.mark.parametrize("is_there", [False, True])
def test_a_failed_import_leaves_nothing_that_bars_a_second_try(tmp_path, monkeypatch, is_there):
    def fail(*_):
        raise KeyboardInterrupt

    table, folder = tmp_path / "runs.csv", tmp_path / "sweep"
    table.write_text("lr,loss\n0.1,1\n0.2,2\n")
    if is_there:
        folder.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(imports, "write_imported_run", fail)
        with pytest.raises(KeyboardInterrupt):
            import_runs(table, "loss", to=folder)
    assert folder.exists() == is_there
    assert import_runs(table, "loss", to=folder).runs.num_rows == 2


@pytest.mark.parametrize("time_us", [10**20, 300_000_000_000_000_000, -(10**17)])
def test_a_time_that_no_calendar_has_is_unknown(tmp_path, monkeypatch, time_us):
    runs = [
        StoredRun(str(lr), "done", {"lr": lr}, {"loss": _course(lr, time_us=time_us)}, 0, time_us)
        for lr in (0.1, 0.2)
    ]
    _, sweep = _import_of(runs, tmp_path / "sweep", monkeypatch)
    sweep.write()
    row = sweep.runs.to_pylist()[0]
    assert (row["start"].year, row["end"], row["duration_s"]) == (1970, None, None)


@pytest.mark.parametrize("last", [3.0, float("nan")])
def test_the_last_value_is_the_one_logged_last_though_steps_went_back(tmp_path, monkeypatch, last):
    def course(values):
        logged = Course()
        for step, value in zip((10, 20, 5), values, strict=True):
            logged.add(value, step=step)
        return logged

    runs = [
        StoredRun(str(lr), "done", {"lr": lr}, {"loss": course((9.0, 0.2 + lr, end))})
        for lr, end in ((0.1, last), (0.2, 4.0), (0.3, 5.0), (0.4, 6.0))
    ]
    _, sweep = _import_of(runs, tmp_path, monkeypatch)
    monkeypatch.setattr("provrunner.report.stores.read_store", imports.read_store)
    found, own = sweep.sensitivity().to_dict(), analyze_store(tmp_path, "loss").to_dict()
    assert own["best"]["objective"] == (4.0 if last != last else last)
    assert found["best"]["objective"] == own["best"]["objective"]
    assert found["statuses"] == own["statuses"]


@pytest.mark.parametrize("name", ["status", "duration_s"])
def test_a_metric_named_like_a_column_of_ours_hides_none(tmp_path, monkeypatch, name):
    runs = [
        StoredRun(str(lr), "done", {"lr": lr}, {name: _course(lr)}, took_us=2_000_000)
        for lr in (0.1, 0.2)
    ]
    store, sweep = _import_of(runs, tmp_path, monkeypatch, name)
    row = store.table.to_pylist()[1]
    assert (row["status"], row["duration_s"], row[f"metric {name}"]) == ("done", 2.0, 0.2)
    row = sweep.runs.to_pylist()[1]
    assert (row["status"], row["duration_s"], row["objective"]) == ("finished", 2.0, 0.2)


def test_runs_without_seeds_have_no_block_of_seeds(tmp_path):
    rows = [f"{lr},{loss}" for lr in (1, 2) for loss in (0.1 * lr, 0.11 * lr, 0.12 * lr, 0.13 * lr)]
    table = tmp_path / "runs.csv"
    table.write_text("\n".join(["lr,loss", *rows]))
    sweep = import_runs(table, "loss", parameters=["lr"], to=tmp_path / "sweep")
    found = sweep.sensitivity().to_dict()
    own = analyze_store(table, "loss", parameters=["lr"]).to_dict()
    assert [part["kind"] for part in found["components"]] == ["main", "noise"]
    assert found["components"] == own["components"]


def _told_alike(table, tmp_path, objective, direction=None):
    """Return the summary of an import of a table of runs, after a look at the table's own."""
    path = tmp_path / "runs.csv"
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in table))
    sweep = import_runs(path, objective, direction=direction, to=tmp_path / "sweep")
    found, own = sweep.sensitivity().to_dict(), analyze_store(path, objective, direction=direction)
    for key in ("components", "noise", "objectives", "flags", "trials"):
        mine = [{**row, "trial_id": ""} for row in found[key]] if key == "trials" else found[key]
        told = own.to_dict()[key]
        assert mine == ([{**row, "trial_id": ""} for row in told] if key == "trials" else told)
    return sweep, found


def test_several_objectives_are_kept_with_their_front(tmp_path):
    rows = [
        (lr, width, seed, abs(lr - 2) + 0.1 * math.sin(9 * lr + width + 5 * seed), width - lr)
        for lr in (1, 2, 3) for width in (16, 64) for seed in (0, 1)
    ]  # fmt: skip
    table = [("lr", "width", "seed", "loss", "speed"), *rows]
    ways = ["minimize", "maximize"]
    sweep, found = _told_alike(table, tmp_path, ["loss", "speed"], ways)
    assert sweep.plan.further == (Objective("speed", "maximize", at="last"),)
    assert [row["metric"] for row in found["objectives"]["list"]] == ["speed"]
    fronts = [row["values"] for row in found["objectives"]["front"]]
    assert fronts == [{"lr": 2, "width": 64}, {"lr": 1, "width": 64}]
    again = open_sweep(sweep.folder)
    assert again.sensitivity().to_json() == sweep.sensitivity().to_json()
    again.write()
    assert "Beaten by no other in all objectives" in (sweep.folder / "report.html").read_text()


def test_exact_repeats_without_seeds_count_once_in_an_import_too(tmp_path):
    rows = [(a, b, a + 0.1 * math.sin(7 * a + 3 * b)) for a in range(4) for b in range(3)]
    table = [("a", "b", "loss"), *rows, *rows[:5], ("0", "0", 0.7), ("1", "1", 1.4)]
    _, found = _told_alike(table, tmp_path, "loss")
    assert [row["flag"] for row in found["flags"]].count("reruns_collapsed") == 1
    assert sum(row["n"] for row in found["trials"]) == 14

from __future__ import annotations

import collections
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import provrunner
from provrunner.cli import main
from provrunner.errors import ConfigError, LogError, ProvrunnerWarning
from provrunner.ids import digest, run_id, trial_id
from provrunner.log.folder import run_folder
from provrunner.log.plan_file import write_plan
from provrunner.log.sweep_folders import create_sweep_folder
from provrunner.log.writer import ArrowSink
from provrunner.plan import Hyperparameter, Objective, Plan, Point
from provrunner.report.results import Sweep, build_study, open_sweep, trials_table
from provrunner.report.verbs import trace, verify_sweep
from provrunner.schema import TABLES, Event, RunStatus, StepMetrics

SECOND = 1_000_000_000
START_NS = 1_767_323_045 * SECOND
CHECKPOINT = b"weights"
LOSS = {0.01: 0.5, 0.03: 0.4, 0.1: 0.2}


def make_plan(name="optimizer.lr", levels=(0.01, 0.03, 0.1), seeds=(0, 1, 2, 3)) -> Plan:
    points = []
    for level in levels:
        for replicate, seed in enumerate(seeds):
            number, values = len(points), {name: level}
            identity = run_id(number, values, seed)
            points.append(Point(number, identity, trial_id(values), replicate, seed, values))
    return Plan(
        "s",
        "lr_grid",
        "2026-01-02T03:04:05Z",
        Objective("val/loss"),
        "grid",
        (Hyperparameter(name, tuple(levels), "log", default=levels[0]),),
        tuple(points),
        replicates=len(seeds),
    )


def story(point: Point, loss: float) -> Iterator[Event | StepMetrics]:
    """What a run of two epochs logs."""
    clock = iter(range(1, 1000))

    def event(kind, subject="", step=None, epoch=None, **data) -> Event:
        at = next(clock) * SECOND
        return Event(kind, subject, data, step, epoch, START_NS + at, at)

    yield event("run_start", run_id=point.run_id, command=["train"], seed=point.seed, attempt=0)
    yield event("param", "optimizer.lr", value=0.1, type="float", origin="axis", phase="init")
    yield event("dataset", "digits", digest="d" * 64, size=10, features=[4], classes=2, type="D")
    yield event("split", "train", dataset="digits", size=8)
    for epoch in range(2):
        yield event("epoch_start", "train", step=5 * epoch, epoch=epoch)
        for step in range(5 * epoch, 5 * epoch + 5):
            values = {"train/loss": loss + 1 / (step + 1)}
            yield StepMetrics(values, step, epoch, "train", START_NS + step * SECOND)
        values = {"val/loss": loss + 0.1 * (1 - epoch)}
        yield StepMetrics(values, 5 * epoch + 4, epoch, "validate", START_NS + 30 * SECOND)
        yield event(
            "checkpoint",
            f"checkpoints/{epoch}.ckpt",
            step=5 * epoch + 5,
            epoch=epoch,
            sha256=digest(CHECKPOINT),
            size_bytes=len(CHECKPOINT),
            metric="val/loss",
            value=loss,
            role="best",
        )
        yield event("epoch_end", "train", step=5 * epoch + 5, epoch=epoch, duration_s=2.0)


def log_run(folder: Path, point: Point, loss: float, status: RunStatus | None) -> ArrowSink:
    place = run_folder(folder, point.run_id)
    (place / "checkpoints").mkdir(parents=True)
    for epoch in range(2):
        (place / "checkpoints" / f"{epoch}.ckpt").write_bytes(CHECKPOINT)
    sink = ArrowSink(place, sweep_id="s", run_id=point.run_id)
    sink.open(0)
    sink.write(list(story(point, loss)))
    if status is not None:
        sink.close(status, None if status is RunStatus.FINISHED else "ValueError: no")
    return sink


def log_sweep(root: Path, plan: Plan, statuses: dict[int, RunStatus | None]) -> Path:
    """Write a sweep; a run whose status is PLANNED has no folder."""
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    folder = create_sweep_folder(root, plan.name, now=now)
    write_plan(folder, plan)
    for point in plan.points:
        status = statuses.get(point.run, RunStatus.FINISHED)
        if status is RunStatus.PLANNED:
            continue
        loss = (
            LOSS.get(next(iter(point.values.values())), 0.3)
            + (0, 0.01, 0.05, 0.02)[(point.seed + point.run) % 4]
        )
        log_run(folder, point, loss, status)
    return folder


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    folder = log_sweep(tmp_path_factory.mktemp("sweeps"), make_plan(), {11: RunStatus.FAILED})
    open_sweep(folder).write()
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    derived = [folder / name for name in ("tables", "prov")]
    files = [file for part in derived for file in part.iterdir()]
    files += [folder / name for name in ("summary.json", "summary.md", "next.yaml", "report.html")]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


# tables


def test_runs_say_how_each_run_ended_and_what_it_reached(written):
    runs = open_sweep(written).runs.select(["run", "status", "reason", "objective", "optimizer.lr"])
    rows = [tuple(row.values()) for row in runs.to_pylist()]
    assert rows[0] == (0, "finished", None, 0.5, 0.01)
    assert rows[4] == (4, "finished", None, 0.4, 0.03)
    assert rows[8] == (8, "finished", None, 0.2, 0.1)
    assert rows[11] == (11, "failed", "ValueError: no", 0.25, 0.1)
    assert len(rows) == 12


def test_every_table_has_its_declared_columns(written):
    tables = open_sweep(written).tables
    assert list(tables) == list(TABLES)
    for name, table in tables.items():
        assert table.schema.names[: len(TABLES[name])] == TABLES[name].names, name
        assert table.schema.types[: len(TABLES[name])] == TABLES[name].types, name


def test_a_folder_above_gives_the_newest_sweep(written):
    assert open_sweep(str(written.parent)).folder == written


def test_a_table_of_another_name_is_refused_with_the_nearest(written):
    with pytest.raises(LogError, match="did you mean 'epochs'"):
        open_sweep(written).table("epoch")


def test_a_running_sweep_is_read_as_far_as_it_is(tmp_path):
    plan = make_plan()
    statuses = dict.fromkeys(range(1, 12), RunStatus.PLANNED)
    folder = log_sweep(tmp_path, plan, statuses)
    sink = log_run(folder, plan.points[1], 0.4, None)
    try:
        sweep = open_sweep(folder)
        assert sweep.runs["status"].to_pylist() == ["finished", "running"] + ["planned"] * 10
        assert sweep.sql('select "val/loss" from epochs where run = 1').fetchall() == [
            (0.5,),
            (0.4,),
        ]
        assert sweep.sql(
            "select run from plan anti join (from runs where log_state is not null) using (run)"
        ).fetchall() == [(run,) for run in range(2, 12)]
        assert sweep.sensitivity().to_dict()["statuses"]["running"] == 1
        assert sweep.write()
    finally:
        sink.close(RunStatus.INTERRUPTED)


def test_a_run_killed_in_training_is_lost_with_all_its_rows(tmp_path):
    folder = log_sweep(tmp_path, make_plan(), dict.fromkeys(range(12), RunStatus.PLANNED))
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from provrunner.log import ArrowSink\n"
        "from provrunner.schema import Event, StepMetrics\n"
        "place = Path(sys.argv[1])\n"
        "place.mkdir()\n"
        "sink = ArrowSink(place, sweep_id='s', run_id=place.name)\n"
        "sink.open(0)\n"
        "sink.write([Event('run_start', data={'attempt': 0})])\n"
        "for step in range(500):\n"
        "    sink.write([StepMetrics({'val/loss': 1 / (step + 1)}, step, step, 'validate')])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    place = run_folder(folder, make_plan().points[0].run_id)
    subprocess.run([sys.executable, "-c", script, str(place)], check=False)
    row = open_sweep(folder).runs.to_pylist()[0]
    assert (row["status"], row["log_state"], row["end"]) == ("lost", "lost", None)
    assert (row["metric_rows"], row["objective"], row["objective_step"]) == (500, 0.002, 499)


def test_a_sweep_without_a_finished_run_still_gives_all_files(tmp_path):
    folder = log_sweep(tmp_path, make_plan(), dict.fromkeys(range(12), RunStatus.PLANNED))
    open_sweep(folder).write()
    assert json.loads((folder / "summary.json").read_text())["best"] is None
    assert (folder / "report.html").stat().st_size > 1000
    assert (
        pq.read_table(folder / "tables" / "runs.parquet")["status"].to_pylist() == ["planned"] * 12
    )


def test_a_sealed_log_that_was_cut_is_read_up_to_the_damage(written, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(written, folder)
    log = run_folder(folder, make_plan().points[0].run_id) / "log" / "metrics.arrow"
    log.write_bytes(log.read_bytes()[:-40])
    sweep = open_sweep(folder)
    named = rf"run {log.parent.parent.name}: {log}: other bytes than were sealed at byte 0; 0 "
    with pytest.warns(ProvrunnerWarning, match=named):
        runs = sweep.runs
    assert runs["log_state"].to_pylist()[0] in {"torn", "corrupt"}
    assert runs["log_state"].to_pylist()[1:] == ["complete"] * 11
    assert runs.num_rows == 12


def test_a_sweep_behind_links_is_read_and_verified_as_it_is(written, tmp_path):
    link, copy = tmp_path / "link", tmp_path / "copy"
    link.symlink_to(written)
    shutil.copytree(written, copy, copy_function=os.link)
    for folder in (link, copy):
        assert open_sweep(folder).runs.equals(open_sweep(written).runs)
        assert open_sweep(folder).graph().nodes.equals(open_sweep(written).graph().nodes)
        assert verify_sweep(folder, read_data=True).exit_code == 0


def test_a_damaged_seal_costs_one_run_and_names_it(written, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(written, folder)
    point = make_plan().points[1]
    (run_folder(folder, point.run_id) / "log" / "seal.json").write_text("{}")

    sweep = open_sweep(folder)

    with pytest.warns(
        ProvrunnerWarning, match=f"run {point.run_id}: .*seal.json is damaged"
    ) as told:
        row = sweep.runs.to_pylist()[1]
    assert len(told) == 1
    assert (row["status"], row["log_state"], row["metric_rows"]) == ("lost", "corrupt", 0)
    assert row["reason"] == "its seal.json is damaged"
    assert sweep.runs["log_state"].to_pylist().count("complete") == 11
    assert set(sweep.table("metrics")["run"].to_pylist()) == {0, *range(2, 12)}


@pytest.mark.parametrize(
    "words",
    [["lineage", "best"], ["why", "optimizer.lr"], ["diff", "1", "best"], ["impact", "best"]],
    ids=lambda words: words[0],
)
def test_what_is_asked_of_a_damaged_log_is_answered_and_warned_of(written, tmp_path, capsys, words):
    folder = tmp_path / "copy"
    shutil.copytree(written, folder)
    log = run_folder(folder, make_plan().points[0].run_id) / "log" / "events.arrow"
    log.write_bytes(log.read_bytes()[:-40])

    with pytest.raises(SystemExit) as ended:
        main([*words, str(folder)])

    out, err = capsys.readouterr()
    assert (ended.value.code, bool(out)) == (0, True)
    (line,) = err.splitlines()
    assert line.startswith(f"warning: run {log.parent.parent.name}: {log}: other bytes than were")


def test_texts_of_logged_rows_are_categories_in_the_parquet_files(written):
    path = written / "tables" / "metrics.parquet"
    schema = pq.read_schema(path)
    assert [str(schema.field(name).type.value_type) for name in ("stage", "name")] == ["string"] * 2
    assert (
        pq.read_table(path)["name"].to_pylist()
        == open_sweep(written).table("metrics")["name"].to_pylist()
    )


@pytest.mark.parametrize("reader", ["pandas", "polars"])
def test_the_parquet_files_are_joined_by_the_runs_id(written, reader):
    library = pytest.importorskip(reader)
    metrics, runs = (
        library.read_parquet(written / "tables" / f"{name}.parquet") for name in ("metrics", "runs")
    )
    assert str(metrics["run_id"].dtype) in ("category", "Categorical")
    wanted = runs[["run_id", "seed"]]
    joined = (
        metrics.merge(wanted, on="run_id")
        if reader == "pandas"
        else metrics.join(wanted, on="run_id")
    )
    rows = open_sweep(written).sql(
        "select run_id, seed, count(*) from metrics join runs using (run_id) group by all"
    )
    counts = collections.Counter(
        zip(map(str, joined["run_id"]), joined["seed"].to_list(), strict=True)
    )
    assert counts == {(run_id, seed): count for run_id, seed, count in rows.fetchall()}


def test_a_run_folder_that_is_in_no_plan_is_shown_but_not_analysed(written, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(written, folder)
    shutil.copytree(run_folder(folder, make_plan().points[0].run_id), folder / "runs" / "0019-abc")
    sweep = open_sweep(folder)
    assert sweep.runs["run"].to_pylist() == [*range(12), 19]
    assert sweep.runs["trial_id"].to_pylist()[-1] is None
    assert trials_table(sweep.plan, sweep.runs)["run"].to_pylist() == [*range(12)]


# questions


def test_sql_reaches_graph_and_sensitivity(written):
    sweep = open_sweep(written)
    assert sweep.sql("select count(*) from nodes where type = 'pr:Run'").fetchall() == [(12,)]
    assert sweep.sql("select count(*) > 0 from edges").fetchall() == [(True,)]
    components = sweep.sql("select component from sensitivity").fetchall()
    assert ("optimizer.lr",) in components


def test_an_answer_outlives_the_sweep_it_was_asked_of(written):
    answer = open_sweep(written).sql("select max(epoch) from epochs")
    assert answer.fetchall() == [(1,)]


def test_a_wrong_question_is_refused_in_one_line(written):
    with pytest.raises(ConfigError, match=r"^there is no table epoch; did you mean 'epochs'\?$"):
        open_sweep(written).sql("from epoch")


@pytest.mark.parametrize("run", [3, make_plan().points[3].run_id])
def test_a_log_is_read_by_number_or_id(written, run):
    log = open_sweep(written).read_log(run)
    assert log.table.num_rows == 12
    assert log.state == "complete"


def test_the_log_of_an_unknown_run_is_refused(written):
    with pytest.raises(LogError, match="has no run '17'; its 12 runs are numbered from 0"):
        open_sweep(written).read_log(17)


def test_sensitivity_is_told_the_declared_levels_and_default():
    study = build_study(make_plan())
    (parameter,) = study.parameters
    assert (parameter.name, parameter.levels, parameter.scale, parameter.default) == (
        "optimizer.lr",
        (0.01, 0.03, 0.1),
        "log",
        0.01,
    )
    assert (study.metric, study.direction, study.planned) == ("val/loss", "minimize", 12)


def test_seeds_are_no_hyperparameter():
    assert build_study(make_plan("seed", (1, 2), (0,))).parameters == ()


def test_a_hyperparameter_named_as_a_column_of_runs_is_analysed_all_the_same(tmp_path):
    plan = make_plan("epochs", (1, 2), (0, 1))
    sweep = open_sweep(log_sweep(tmp_path, plan, {}))
    assert sweep.runs["epochs"].to_pylist() == [2, 2, 2, 2]
    assert trials_table(plan, sweep.runs)["epochs"].to_pylist() == [1, 1, 2, 2]
    assert [row["name"] for row in sweep.sensitivity().to_dict()["parameters"]] == ["epochs"]


@pytest.mark.parametrize("term", ["best", "3", "val/loss@3/1", "effect"])
def test_trace_finds_the_same_as_the_whole_graph_with_its_analysis(written, term):
    sweep = open_sweep(written)
    if term == "effect":
        ids = sweep.graph().nodes["id"].to_pylist()
        term = next(one for one in ids if one.startswith("effect-") and one.endswith(".noise"))
    whole = sweep.graph().lineage(term, "up")
    found = trace(sweep, term).graph
    assert found.nodes.equals(whole.nodes)
    assert found.edges.equals(whole.edges)


def test_trace_follows_a_metric_to_its_data_set(written):
    found = trace(open_sweep(written), "val/loss@3")
    assert found.rows["depth"][0].as_py() == 0
    assert "pr:Dataset" in " ".join(found.rows["type"].to_pylist())
    digests = dict(
        zip(found.rows["type"].to_pylist(), found.rows["digest"].to_pylist(), strict=True)
    )
    assert len(digests["pr:Dataset"]) == 12
    assert found.details.column_names == [*found.rows.column_names, "attributes"]
    assert found.draw().lstrip().startswith(b"<?xml") or b"<svg" in found.draw()


def test_verify_finds_a_written_sweep_whole(written):
    assert verify_sweep(written).exit_code == 0


def test_paths_name_the_best_runs_log(written):
    paths = open_sweep(written).paths()
    assert paths["report"] == str(written / "report.html")
    best = make_plan().points[8].run_id
    assert paths["log"] == (f'pandas.read_feather("{written}/runs/{best}/log/metrics.arrow")')


# files


def test_the_same_logs_give_the_same_bytes(written, tmp_path):
    copy = tmp_path / "elsewhere"
    shutil.copytree(written, copy)
    for name in ("tables", "prov"):
        shutil.rmtree(copy / name)
    for name in ("summary.json", "summary.md", "next.yaml", "report.html"):
        (copy / name).unlink()
    code = f"import provrunner\nprint(*provrunner.open_sweep({str(copy)!r}).write(), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Kathmandu"},
    )
    paths = [Path(line) for line in done.stdout.splitlines()]
    before, after = files_of(written), files_of(copy)
    assert [name for name in before if before[name] != after[name]] == []
    assert sorted(before) == sorted(str(path.relative_to(copy)) for path in paths)


def test_files_hold_every_table(written):
    for name in TABLES:
        assert (
            pq.read_table(written / "tables" / f"{name}.parquet").num_rows
            == open_sweep(written).table(name).num_rows
        )


def test_a_second_report_touches_no_file(written):
    times = {path: path.stat().st_mtime_ns for path in open_sweep(written).write()}
    open_sweep(written).write()
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_a_writer_killed_half_way_leaves_the_old_file_whole(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from provrunner.report.files import replace_file\n"
        "def write(path):\n"
        "    path.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        f"replace_file(Path({str(path)!r}), write)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "old"


def test_a_folder_that_cannot_be_written_is_named(written, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(written, copy)
    shutil.rmtree(copy / "prov")
    (copy / "prov").write_text("a file in the way")
    with pytest.raises(LogError, match=r"cannot write .*prov"):
        open_sweep(copy).write()


# light imports


def modules_after(code: str) -> set[str]:
    ends = "\nimport sys\nprint(*sys.modules)"
    output = subprocess.run(
        [sys.executable, "-c", code + ends], check=True, capture_output=True, text=True
    ).stdout
    return {name.partition(".")[0] for name in output.splitlines()[-1].split()}


def test_the_best_value_is_found_where_training_and_validation_log_it_by_one_name(tmp_path):
    plan = replace(make_plan(seeds=(0,)), objective=Objective("loss"))
    folder = log_sweep(tmp_path, plan, dict.fromkeys(range(3), RunStatus.PLANNED))
    for point in plan.points:
        sink = ArrowSink(run_folder(folder, point.run_id), sweep_id="s", run_id=point.run_id)
        sink.open(0)
        sink.write([Event("run_start", time_ns=START_NS)])
        for at, stage in enumerate(("train", "validate"), 1):
            values = {"loss": LOSS[point.values["optimizer.lr"]] + at}
            sink.write([StepMetrics(values, 0, 0, stage, START_NS + at * SECOND)])
        sink.close(RunStatus.FINISHED)
    sweep = open_sweep(folder)
    assert sweep.runs["objective"].to_pylist() == [2.5, 2.4, 2.2]
    best = sweep.graph().lineage("best").nodes.filter(pc.field("depth") == 0).to_pylist()
    assert [(row["run"], json.loads(row["attributes"])["prov:value"]) for row in best] == [(2, 2.2)]


def test_importing_provrunner_loads_no_training_and_no_charts():
    heavy = {"torch", "lightning", "hydra", "altair", "vl_convert", "pyarrow", "duckdb"}
    assert modules_after("import provrunner") & heavy == set()


def test_a_summary_loads_no_training_no_charts_and_no_graph_pictures(written):
    code = (
        f"import provrunner\nsummary = provrunner.open_sweep({str(written)!r}).sensitivity()\n"
        "summary.to_json()"
    )
    heavy = {"torch", "lightning", "hydra", "altair", "vl_convert", "pygraphviz", "prov"}
    assert modules_after(code) & (heavy | {"duckdb"}) == set()


def test_the_public_face_has_every_name_it_promises():
    assert provrunner.open_sweep is open_sweep
    assert provrunner.Sweep is Sweep
    assert provrunner.LogError is LogError
    assert provrunner.__version__.count(".") == 2
    assert set(provrunner.__all__) <= set(dir(provrunner))


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'open_sweeps'"):
        _ = provrunner.open_sweeps

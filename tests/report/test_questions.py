# ruff: noqa: E501
"""Each shipped question, against literal values or pandas over CSV files with the same rows."""

from __future__ import annotations

import itertools
import json
import math
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support import question_sweep as told
from support.question_sweep import EPOCHS, FAILED, LAST, LR, SLOW, STEERED, TWO_RANKS, WIDTH

from provrunner.cli import main
from provrunner.errors import ProvrunnerError
from provrunner.log import run_status, write_plan
from provrunner.log.folder import run_folder
from provrunner.log.sweep_folders import project_sweeps
from provrunner.report import ask, list_questions, open_sweep, question_sql
from provrunner.report.questions import find_question, questions
from provrunner.report.results import Sweep
from provrunner.schema import RunStatus

POINTS = told.make_plan().points
STATES = {"finished": "finished", "live": "running", "killed": "lost"}
TESTS = Path(__file__).parents[1]


@dataclass
class Told:
    """A sweep, how its last run stands, and the same rows as read from CSV files."""

    sweep: Sweep
    status: str
    metrics: pd.DataFrame
    events: pd.DataFrame

    def ask(self, question: int, **parameters: Any) -> list[tuple[Any, ...]]:
        table = ask(self.sweep, question, **parameters)
        return [tuple(row.values()) for row in table.to_pylist()]

    def rows(self, question: int, *columns: str, **parameters: Any) -> list[tuple[Any, ...]]:
        table = ask(self.sweep, question, **parameters).select(list(columns))
        return [tuple(row.values()) for row in table.to_pylist()]

    def values(self, name: str) -> pd.DataFrame:
        """The last value of a metric: one row a run, rank and epoch."""
        rows = self.metrics[self.metrics["name"] == name]
        return rows.groupby(["run", "rank", "epoch"], as_index=False)["value"].last()

    def curve(self, run: int, name: str) -> list[float]:
        rows = self.values(name)
        return rows[(rows["run"] == run) & (rows["rank"] == 0)]["value"].tolist()

    def of_kind(self, kind: str, subject: str | None = None) -> pd.DataFrame:
        rows = self.events[self.events["kind"] == kind]
        return rows if subject is None else rows[rows["subject"] == subject]

    def status_of(self, run: int) -> str:
        return {FAILED: "failed", LAST: self.status}.get(run, "finished")


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Iterator[dict[str, Path]]:
    root = tmp_path_factory.mktemp("states")
    folders = {"finished": told.write_sweep(root / "finished")}
    for name in ("live", "killed"):
        folders[name] = told.write_sweep(root / name, without=(LAST,))
    sink = told.write_last(folders["live"], 2)
    program = Path(told.__file__)
    writer = subprocess.Popen(
        [sys.executable, str(program), str(folders["killed"]), "2"], stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"written\n"
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    yield folders
    del sink


@pytest.fixture(scope="module", params=STATES)
def state(request, folders) -> Told:
    return _told(folders, request.param)


@pytest.fixture(scope="module")
def whole(folders) -> Told:
    return _told(folders, "finished")


@pytest.fixture(scope="module")
def live(folders) -> Told:
    return _told(folders, "live")


def _told(folders: dict[str, Path], name: str) -> Told:
    folder = folders[name]
    told.write_csv(folder.parent, last_epochs=EPOCHS if name == "finished" else 2)
    frames = [pd.read_csv(folder.parent / f"{one}.csv") for one in ("metrics", "events")]
    return Told(open_sweep(folder), STATES[name], *frames)


def loss_of(run: int, epoch: int = EPOCHS - 1) -> float:
    return told.val_loss(POINTS[run], epoch)


# hyperparameters and curves


def test_q01_gives_the_settings_that_a_run_began_with(whole):
    assert whole.ask(1, run=3) == [
        (3, "model.dropout", "0.5", "float", "file"),
        (3, "model.unused", "7", "int", "command line"),
        (3, "model.width", "16", "int", "axis"),
        (3, "optimizer.lr", "0.01", "float", "axis"),
    ]


def test_q02_gives_a_runs_curves_so_far(state):
    rows = state.rows(2, "epoch", "val/loss", "val/acc", "elapsed_s", run=LAST)
    losses, accuracies = state.curve(LAST, "val/loss"), state.curve(LAST, "val/acc")
    ends = state.of_kind("epoch_end")
    elapsed = ends[ends["run"] == LAST]["time_s"].tolist()
    assert [row[:3] for row in rows][: len(losses)] == list(
        zip(range(len(losses)), losses, accuracies, strict=True)
    )
    assert [row[3] for row in rows][: len(losses)] == pytest.approx(elapsed)
    if state.status != "finished":
        assert rows[2:] == [(2, None, None, None)]


def test_q03_tells_what_was_adapted_by_whom_and_when(state):
    columns = ("run", "name", "old", "new", "cause", "agent", "epoch", "step")
    assert state.rows(3, *columns) == [(STEERED, LR, "0.01", "0.005", "manual", "ada", 1, 3)]
    at = state.of_kind("adaptation")["time_s"].item()
    assert state.rows(3, "elapsed_s")[0][0] == pytest.approx(at)


def test_q04_gives_the_metric_around_an_adaptation(whole):
    before, during, after, _ = whole.curve(STEERED, "val/acc")
    assert whole.rows(4, "before", "during", "after", "change", metric="val/acc") == [
        (before, during, after, after - before)
    ]


def test_q05_finds_the_best_run_of_any_metric(whole):
    accuracy = whole.values("val/acc").query("rank == 0 and run != @FAILED")
    best = accuracy.loc[accuracy["value"].idxmax()]
    rows = whole.rows(5, "run", "value", "epoch", "values", metric="val/acc", direction="maximize")
    assert rows == [(best["run"], best["value"], best["epoch"], json.dumps(
        dict(sorted(POINTS[int(best["run"])].values.items())), separators=(",", ":")))]  # fmt: skip


def test_q06_ranks_the_runs_of_all_sweeps_of_the_project(tmp_path):
    one, other = (told.write_sweep(tmp_path, without=tuple(left)) for left in ([3, 4], range(11)))
    asked = Told(open_sweep(one), "finished", pd.DataFrame(), pd.DataFrame())
    expected = sorted(
        [(loss_of(run), run, str(one)) for run in (0, 1, 2, 5)]
        + [(min(loss_of(run, e) for e in range(EPOCHS)), run, str(place))
           for run, place in ((6, one), (7, one), (8, one), (9, one), (11, one), (11, other))]
    )  # fmt: skip
    assert asked.rows(6, "objective", "run", "folder", k=5) == expected[:5]
    assert len(asked.ask(6, k=100)) == 10


def test_q06_takes_nothing_from_a_derived_table_that_was_altered(tmp_path):
    folder = told.write_sweep(tmp_path, without=range(11))
    sweep = open_sweep(folder)
    sweep.write()
    truth = [(min(loss_of(LAST, epoch) for epoch in range(EPOCHS)),)]
    path = folder / "tables" / "runs.parquet"
    altered = pa.Table.from_pandas(sweep.runs.to_pandas().assign(objective=0.125))
    for damage in (lambda: pq.write_table(altered, path), lambda: path.write_bytes(b"PAR1")):
        damage()
        asked = Told(open_sweep(folder), "finished", pd.DataFrame(), pd.DataFrame())
        assert asked.rows(6, "objective") == truth


def test_a_project_is_the_folder_of_dated_and_named_sweeps_and_no_deeper(tmp_path):
    plan = told.make_plan()
    root = tmp_path / "home" / "outputs"
    stamp = "2026-01-02_03-04-05-abc123"
    inside = [root / "asked" / stamp, root / "other" / stamp, root / "mine"]
    outside = [root / "other" / "deep" / stamp, root / "other" / "named", root.parent / "x"]
    for folder in (*inside, *outside):
        folder.mkdir(parents=True)
        write_plan(folder, plan)
    assert project_sweeps(inside[0]) == sorted(inside)
    assert project_sweeps(root / "mine") == sorted(inside)


def test_q07_gives_the_time_of_epochs_and_those_that_stand_out(state):
    rows = {(row[0], row[1]): row[2:] for row in state.rows(
        7, "run", "rank", "epochs", "mean_s", "sd_s", "outliers")}  # fmt: skip
    ends = state.of_kind("epoch_end", "train")
    seconds = ends["data"].map(lambda data: json.loads(data)["duration_s"])
    grouped = ends.assign(seconds=seconds).groupby(["run", "rank"])["seconds"]
    assert set(rows) == set(grouped.groups)
    for key, durations in grouped:
        epochs, mean, sd, outliers = rows[key]
        assert epochs == len(durations)
        assert (mean, sd) == pytest.approx((durations.mean(), durations.std()))
        assert outliers == ([2] if key[0] == SLOW else [])


def test_q07_leaves_out_an_epoch_that_an_exception_broke_off(tmp_path):
    folder = told.write_sweep(tmp_path, without=range(1, 12))
    story, sinks = told.Story(POINTS[1], 0), {}
    story.begin()
    story.start_epoch(0)
    story.end_epoch(0)
    story.start_epoch(1)
    story.event("exception", "", step=3, epoch=1, type="E", message="", traceback="")
    story.event("epoch_end", "train", step=3, epoch=1, after_s=0.1, duration_s=0.1, batches=1)
    told.write_story(folder, story, sinks)
    sinks[0].close(RunStatus.FAILED, "E")
    asked = Told(open_sweep(folder), "finished", pd.DataFrame(), pd.DataFrame())
    assert asked.rows(7, "epochs", "mean_s", run=1) == [(1, 2.0)]
    assert asked.rows(37, "run", "epochs_done") == [(1, 1)]


def test_q08_averages_a_metric_by_the_values_of_a_hyperparameter(whole):
    losses = {point.run: 1 / 8 for point in POINTS}
    rows = whole.rows(8, "level", "runs", "mean", hyperparameter=WIDTH)
    assert rows == [("8", 6, pytest.approx(losses[0])), ("16", 5, pytest.approx(losses[0]))]
    (small, large) = whole.rows(8, "level", "runs", "mean", metric="val/loss", hyperparameter=LR)
    finals = [loss_of(run) for run in range(12) if run != FAILED]
    assert small == ("0.01", 6, pytest.approx(sum(finals[:6]) / 6))
    assert large == ("0.1", 5, pytest.approx(sum(finals[6:]) / 5))


def test_q09_compares_the_layers_of_two_runs(whole):
    columns = ("name", "a_parameters", "b_parameters", "same", "a_total", "same_architecture")
    assert whole.rows(9, *columns, a=0, b=3) == [
        ("net.0", 40, 80, False, 80, False),
        ("net.1", 40, 80, False, 80, False),
    ]
    assert {row[:2] for row in whole.rows(9, "same", "same_architecture", a=0, b=1)} == {
        (True, True)
    }


def test_q10_finds_runs_by_optimizer_learning_rate_and_dropout(whole):
    found = whole.rows(10, "run", optimizer="adam", lr_from=0.05, dropout_above=0)
    assert found == [(9,), (10,), (11,)]
    assert whole.ask(10, optimizer="SGD") == []
    assert len(whole.ask(10, lr_to=0.01)) == 6


# while it runs


def test_q11_flags_the_runs_that_overfit_now(state):
    flagged = {row[0]: row[1] for row in state.rows(11, "run", "since_epoch") if row[1]}
    expected = {}
    for run in range(12):
        losses, training = state.curve(run, "val/loss"), state.curve(run, "train/loss")
        losses, training = losses[: len(training)], training[: len(losses)]
        best = losses.index(min(losses))
        if len(losses) - 1 - best >= 2 and training[-1] < training[best]:
            expected[run] = best + 1
    assert flagged == expected
    assert expected.keys() >= {6, 7, 8, 9}
    assert (LAST in flagged) == (state.status == "finished")


def test_q12_says_whether_a_run_still_improves_and_how_long_it_takes(live):
    columns = ("status", "epoch", "epochs_planned", "best", "safe_to_stop", "epoch_s", "left_s")
    (row,) = live.rows(12, *columns, run=LAST)
    losses = live.curve(LAST, "val/loss")
    assert row == ("running", 1, 4, min(losses), False, pytest.approx(2.05), pytest.approx(4.1))
    assert live.rows(12, "safe_to_stop", run=6, k=2) == [(True,)]
    assert live.rows(12, "safe_to_stop", run=6, k=3) == [(False,)]


def test_q13_ranks_the_active_runs_after_their_first_epochs(live, whole):
    assert live.rows(13, "run", "value", "epoch", epochs=1) == [(LAST, loss_of(LAST, 0), 0)]
    assert whole.ask(13) == []
    first = sorted((loss_of(run, 0), run) for run in range(12))
    expected = [(run, value) for value, run in first[:3]]
    assert whole.rows(13, "run", "value", epochs=1, k=3, status="all") == expected


def test_q14_gives_the_latest_epoch_of_each_active_run_and_rank(state):
    if state.status == "running":
        assert state.rows(14, "run", "rank", "epoch", "train/loss") == [(LAST, 0, 2, 0.2)]
    else:
        assert state.ask(14) == []
    latest = state.metrics.groupby(["run", "rank"])["epoch"].max()
    rows = state.rows(14, "run", "rank", "epoch", status="all")
    assert rows == [(run, rank, epoch) for (run, rank), epoch in latest.items()]


def test_q14_keeps_to_the_last_epoch_that_has_logged_something(tmp_path):
    folder = told.write_sweep(tmp_path, without=range(12))
    story = told.Story(POINTS[0], 0)
    story.begin()
    story.start_epoch(0)
    sink = told.write_story(folder, story, {})
    begun = Told(open_sweep(folder), "live", pd.DataFrame(), pd.DataFrame())
    assert begun.rows(14, "epoch", "duration_s") == [(0, None)]
    story.records.clear()
    story.end_epoch(0)
    story.start_epoch(1)
    sink.write(story.records)
    later = Told(open_sweep(folder), "live", pd.DataFrame(), pd.DataFrame())
    assert later.rows(14, "epoch", "duration_s") == [(0, 2.0)]


def test_q15_tells_what_came_of_a_change_in_flight(state):
    _, during, _, end = state.curve(STEERED, "val/loss")
    assert state.rows(15, "run", "cause", "agent", "at_change", "at_end", "change") == [
        (STEERED, "manual", "ada", during, end, end - during)
    ]


# where it came from


def test_q16_leads_from_a_number_to_the_raw_data(whole):
    kinds = {row[0] for row in whole.rows(16, "type", node="val/acc@3/2")}
    assert {"pr:Metric", "pr:Split", "pr:Dataset", "pr:RunConfig", "prov:Person"} <= kinds
    lineage = whole.sweep.graph().lineage("val/acc@3/2").nodes
    expected = dict(zip(lineage["id"].to_pylist(), lineage["depth"].to_pylist(), strict=True))
    assert dict(whole.rows(16, "id", "depth", node="val/acc@3/2")) == expected


def test_q17_finds_the_shortest_way_between_two_things_in_either_order(whole):
    way = whole.rows(17, "depth", "type", a="val/loss@3/3", b="flowers")
    assert [row[0] for row in way] == [0, 1, 2, 3]
    assert (way[0][1], way[-1][1]) == ("pr:Metric", "pr:Dataset")
    assert whole.rows(17, "depth", "type", a="flowers", b="val/loss@3/3") == way
    edges = whole.sweep.tables["edges"].to_pylist()
    known = {(row["subject"], row["object"], row["relation"]) for row in edges}
    ids = whole.rows(17, "id", "relation", a="val/loss@3/3", b="flowers")
    assert {(a[0], b[0], b[1]) for a, b in itertools.pairwise(ids)} <= known


def test_q18_finds_samples_that_two_splits_share(whole):
    columns = ("split", "size", "ratio", "seed", "classes", "shared_samples")
    assert whole.rows(18, *columns) == [
        ("train", 6, 0.6, 5, '{"0":4,"1":2}', None),
        ("val", 4, 0.4, 5, '{"0":2,"1":2}', 1),
    ]


def test_q19_lists_the_preprocessing_in_order(whole):
    assert whole.rows(19, "position", "name", "params", "fitted_on") == [
        (0, "drop_missing", '{"how":"any"}', None),
        (1, "scale", '{"mean":1.5}', "train"),
    ]


def test_q20_finds_every_run_that_came_of_the_data(whole):
    rows = whole.rows(20, "run", "type", node="flowers")
    assert {run for run, kind in rows if kind == "pr:Run"} == set(range(12))
    assert whole.rows(20, "run", "type", node="scale")[0] == (0, "pr:Run")


def test_q21_counts_what_each_step_dropped_and_altered(whole):
    assert whole.rows(21, "name", "dropped", "changed", "runs") == [
        ("drop_missing", 3, 0, 12),
        ("scale", 0, 40, 12),
    ]


@pytest.mark.parametrize("artifact", [f"{4:032d}{3:032d}", f"{4:032d}{3:032d}"[:40], "all"])
def test_q22_tells_what_a_checkpoint_was_made_with(whole, artifact):
    parameters = {"run": 4} if artifact == "all" else {"artifact": artifact}
    facts = {(kind, name): value for kind, name, value in whole.ask(22, **parameters)}
    assert facts["artifact", "path"] == "checkpoints/3.ckpt"
    assert facts["run", "seed"] == "1"
    assert facts["code", "commit"] == "c0ffee"
    assert facts["package", "torch"] == "2.4"
    assert facts["run", "host"] == "lab-3"
    assert facts["device", "accelerator"] == told.CUDA


def test_q23_says_who_launched_a_run_and_whether_it_can_be_repeated(whole):
    rows = whole.rows(23, "run", "user", "cmd", "software", "repeatable")
    command = "python -m provrunner +sweep=asked"
    assert rows[0] == (0, "ada", command, ["torch 2.4"], "yes")
    assert rows[1][4] == "no: the changes to the code were not kept"
    assert len(rows) == 12


def test_q23_names_software_once_however_often_a_run_was_begun(tmp_path):
    folder = told.write_sweep(tmp_path, without=range(12))
    story = told.Story(POINTS[0], 0)
    story.begin()
    story.begin()
    sink = told.write_story(folder, story, {})
    asked = Told(open_sweep(folder), "live", pd.DataFrame(), pd.DataFrame())
    assert asked.rows(23, "software") == [(["torch 2.4"],)]
    sink.close(RunStatus.FINISHED)


# comparing


def test_q24_lists_what_differs_the_most_important_first(whole):
    rows = {(row[0], row[1]): row[2:] for row in whole.ask(24, a=0, b=9)}
    assert list(rows)[:2] == [("setting", LR), ("setting", WIDTH)]
    assert rows["setting", LR][:2] == ("0.01", "0.1")
    assert rows["setting", LR][2] > 0.5 > rows["setting", WIDTH][2]
    assert rows["model", "architecture"][:2] == ("w8", "w16")
    assert rows["metric", "val/loss"][:2] == (str(loss_of(0)), str(loss_of(9)))
    assert ("package", "torch") not in rows


def test_q25_gives_the_share_of_each_component_and_the_noise(whole):
    rows = whole.rows(25, "component", "kind", "share", "n_runs")
    effects = whole.sweep.sensitivity().to_dict()["components"]
    assert sorted(rows) == sorted((e["component"], e["kind"], e["share"], 11) for e in effects)
    assert rows[0][0] == LR
    assert rows[-1][0] == "noise"


def test_q26_pairs_the_seeds_of_the_two_best_trials(whole):
    (row,) = whole.rows(
        26, "best_mean", "second_mean", "seeds_paired", "paired_t", "p", "statement"
    )
    best, second = [loss_of(run) for run in (3, 4, 5)], [loss_of(run) for run in (0, 1, 2)]
    gaps = pd.Series(best) - pd.Series(second)
    t = gaps.mean() / (gaps.std() / math.sqrt(3))
    assert row[:4] == pytest.approx((sum(best) / 3, sum(second) / 3, 3, t))
    document = whole.sweep.sensitivity().to_dict()["best"]
    assert row[4:] == (document["p"], document["statement"])


def test_q27_takes_the_main_effects_out_of_a_table_of_means(whole):
    rows = whole.rows(27, "level_a", "level_b", "n", "mean", "interaction")
    cells = {
        (lr, width): [
            min(loss_of(point.run, epoch) for epoch in range(EPOCHS))
            for point in POINTS
            if point.values == {LR: lr, WIDTH: width} and point.run != FAILED
        ]
        for lr in (0.01, 0.1)
        for width in (8, 16)
    }
    means = {cell: sum(values) / len(values) for cell, values in cells.items()}
    twist = (means[0.01, 8] - means[0.01, 16] - means[0.1, 8] + means[0.1, 16]) / 4
    assert [row[:4] for row in rows] == [
        (str(lr), str(width), len(values), pytest.approx(means[lr, width]))
        for (lr, width), values in cells.items()
    ]
    assert [row[4] for row in rows] == pytest.approx([twist, -twist, -twist, twist])


def test_q28_finds_the_epoch_from_which_the_ranking_holds(whole):
    rows = whole.rows(28, "epoch", "runs", "correlation", "stable")
    values = whole.values("val/loss").query("rank == 0 and run != @FAILED")
    by_epoch = values.pivot_table(index="run", columns="epoch", values="value")
    expected = by_epoch.corr(method="spearman")[EPOCHS - 1]
    assert [row[2] for row in rows] == pytest.approx(expected.tolist())
    assert [row[3] for row in rows] == [False, True, True, True]
    assert [row[:2] for row in rows] == [(epoch, 11) for epoch in range(EPOCHS)]


def test_q29_weighs_what_runs_reached_against_what_they_cost(whole):
    columns = ("level", "runs", "mean_cpu_s", "peak_rss_bytes", "mean_written_bytes")
    small = (10.0 * EPOCHS * 5 + 2 * 10.0 * EPOCHS) / 6
    assert whole.rows(29, *columns, by=WIDTH) == [
        ("8", 6, pytest.approx(small), 9000, pytest.approx((400 * 5 + 800) / 6)),
        ("16", 5, pytest.approx(72.0), 12000, 400.0),
    ]
    assert set(whole.rows(29, "objective_per_cpu_hour")) == {(None,)}  # of a loss, more is worse
    front = whole.rows(29, "level", "on_pareto_front")
    trials = {row[0]: row[1] for row in front}
    assert trials['{"model.width":16,"optimizer.lr":0.01}'] is True
    assert trials['{"model.width":16,"optimizer.lr":0.1}'] is False
    assert trials['{"model.width":8,"optimizer.lr":0.1}'] is True


# what went wrong


def test_q30_tells_which_runs_failed_and_where_in_the_space(state):
    columns = ("run", "status", "reason", "exception", "step", "epoch", "failures_by_value")
    lost = state.status == "lost"
    bad = 2 if lost else 1
    by_value = [f"{WIDTH}=16: {bad} of 6", f"{LR}=0.1: {bad} of 6"]
    expected = [(FAILED, "failed", "ValueError: no", "ValueError", 3, 1, by_value)]
    if lost:
        expected.append((LAST, "lost", "its process is gone", None, 4, 2, by_value))
    assert state.rows(30, *columns) == expected


def test_q30_sets_failures_against_runs_that_have_begun(tmp_path):
    folder = told.write_sweep(tmp_path, without=(*range(9), LAST))
    asked = Told(open_sweep(folder), "finished", pd.DataFrame(), pd.DataFrame())
    assert asked.rows(30, "run", "failures_by_value") == [
        (FAILED, [f"{WIDTH}=16: 1 of 2", f"{LR}=0.1: 1 of 2"])
    ]


def test_q31_finds_points_that_are_missing_twice_or_not_in_the_plan(tmp_path):
    plan = told.make_plan()
    points = [*plan.points[:3], *plan.points[6:11], plan.points[6]]
    document = json.loads(plan.to_json())
    document["points"] = [json.loads(plan.to_json())["points"][point.run] for point in points]
    folder = told.write_sweep(tmp_path, without=(2, LAST, 4, 5))
    (folder / "plan.json").write_text(json.dumps(document))
    rows = Told(open_sweep(folder), "", pd.DataFrame(), pd.DataFrame()).ask(31)
    twice = plan.points[6]
    values = '{"model.width":8,"optimizer.lr":0.1}'
    assert rows == [
        ("duplicated", 6, twice.run_id, values, 0),
        ("duplicated", 6, twice.run_id, values, 0),
        ("not begun", 2, plan.points[2].run_id, '{"model.width":8,"optimizer.lr":0.01}', 2),
        ("not in the plan's grid", None, None, "model.width=16 optimizer.lr=0.01", None),
        ("not planned", 3, plan.points[3].run_id, None, None),
    ]


def test_q31_finds_nothing_in_a_sweep_as_planned(state):
    assert state.ask(31) == []


def test_q32_tells_where_each_value_comes_from(whole):
    assert whole.ask(32, run=0, origin="axis") == [
        (0, WIDTH, "8", "axis", "axis file"),
        (0, LR, "0.01", "axis", "axis file"),
    ]
    assert len(whole.ask(32)) == 4


def test_q33_finds_keys_that_no_run_read(whole):
    assert whole.ask(33) == [
        ("model.unused", "7", "command line", "command line file", list(range(12)))
    ]


def test_q34_tells_what_capture_cost_so_far(state):
    rows = state.rows(34, "run", "hook_s", "metric_rows", "dropped", "lost_rows")
    counts = state.metrics.groupby("run").size()
    costs = state.of_kind("overhead")
    seconds = costs["data"].map(lambda data: json.loads(data)["hook_s"])
    hooks = costs.assign(s=seconds).groupby(["run", "rank"])["s"].max().groupby("run").sum()
    assert rows == [(run, pytest.approx(hooks[run]), counts[run], 0, 0) for run in range(12)]
    assert all(size > 1000 for (size,) in state.rows(34, "log_bytes"))


def test_q35_tells_logs_that_are_whole_from_those_that_are_not(state):
    columns = ("run", "log_state", "missing_events", "repeated_events", "metric_rows", "whole")
    counts = state.metrics.groupby("run").size()
    log_state = {"finished": "complete", "running": "running", "lost": "lost"}[state.status]
    expected = [(run, "complete", 0, 0, counts[run], True) for run in range(12)]
    expected[LAST] = (LAST, log_state, 0, 0, counts[LAST], log_state == "complete")
    assert state.rows(35, *columns) == expected


def test_q36_leads_from_a_statement_to_the_rows_it_rests_on(whole):
    rows = whole.rows(36, "run", "objective", "metric", "stage", "epoch", "step", component=WIDTH)
    best = {
        run: min((loss_of(run, epoch), epoch) for epoch in range(EPOCHS))
        for run in range(12)
        if run != FAILED
    }
    assert rows == [
        (run, value, "val/loss", "validate", epoch, 2 * epoch + 1)
        for run, (value, epoch) in best.items()
    ]


def test_q37_gives_the_last_checkpoint_of_what_did_not_finish(state):
    columns = ("run", "status", "epochs_done", "checkpoint", "checkpoint_epoch", "sha256")
    expected = [(FAILED, "failed", 2, "checkpoints/1.ckpt", 1, f"{FAILED:032d}{1:032d}")]
    if state.status != "finished":
        last = (LAST, state.status, 2, "checkpoints/1.ckpt", 1, f"{LAST:032d}{1:032d}")
        expected.append(last)
    assert state.rows(37, *columns) == expected


def test_q38_tells_which_ranks_took_part_in_an_epoch(state):
    loss = loss_of(TWO_RANKS, 1)
    assert state.rows(38, "rank", "value", run=TWO_RANKS, epoch=1) == [(0, loss), (1, loss + 1)]
    rows = state.rows(38, "run", "rank", "epoch")
    latest = state.metrics.groupby(["run", "rank"])["epoch"].max()
    assert rows == [(run, rank, epoch) for (run, rank), epoch in latest.items()]


# all of them


@pytest.mark.parametrize("question", questions(), ids=lambda question: question.name)
def test_every_question_is_answered_in_every_state(state, question):
    rows = ask(state.sweep, question.number).num_rows
    only_of_active_runs = question.name in ("best_active", "latest_epoch")
    is_empty = question.name == "grid_gaps" or (only_of_active_runs and state.status != "running")
    assert (rows == 0) == is_empty


@pytest.mark.parametrize("question", questions(), ids=lambda question: question.name)
def test_every_question_is_answered_before_any_run_has_begun(planned, question):
    needs = {
        parameter.default
        for parameter in question.parameters
        if parameter.default in ("best", "runner_up", "data")
    }
    if not needs:
        ask(planned, question.number)
        return
    with pytest.raises(ProvrunnerError, match=r"have begun|no data set|has a best value"):
        ask(planned, question.number)


@pytest.fixture(scope="module")
def planned(tmp_path_factory) -> Sweep:
    return open_sweep(told.write_sweep(tmp_path_factory.mktemp("planned"), without=range(12)))


def test_there_are_thirty_eight_questions_and_a_test_for_each():
    numbers = [question.number for question in questions()]
    assert numbers == list(range(1, 39))
    tested = {int(name[6:8]) for name in globals() if re.match(r"test_q\d\d_", name)}
    assert tested == set(numbers)


def test_the_docs_list_every_question_as_it_is():
    text = (TESTS.parent / "docs" / "questions.md").read_text(encoding="utf-8")
    rows = [line.strip("|").split("|") for line in text.splitlines() if re.match(r"\| \d", line)]
    listed = [[cell.strip() for cell in row] for row in rows]
    assert listed == [
        [
            str(question.number),
            f"`{question.name}`",
            question.text + (f" {question.note}." if question.note else ""),
            "yes" if question.live else "",
            "<br>".join(f"`{one.name}={one.default}` {one.meaning}" for one in question.parameters),
            ", ".join(question.tables),
        ]
        for question in questions()
    ]


def test_the_list_names_each_question_with_its_parameters():
    row = list_questions().to_pylist()[10]
    assert (row["number"], row["name"], row["live"]) == (11, "overfitting", "live")
    assert row["parameters"] == (
        "run=all validation=objective direction=objective training=train/loss patience=2"
    )


# how it is asked


def test_a_question_is_found_by_number_and_name():
    assert {find_question(term).number for term in (30, "30", "Q30", "failures")} == {30}


def test_the_sql_of_a_question_is_a_query_of_its_own(whole):
    query = question_sql(whole.sweep, "safe_to_stop", run=6, k=2)
    assert "$" not in re.sub(r"'[^']*'", "", query)
    assert whole.sweep.sql(query).fetchall() == whole.ask(12, run=6, k=2)


def test_a_bound_may_be_infinite(whole):
    assert len(whole.ask(10, lr_from="-inf", lr_to="inf")) == 12


def test_a_value_with_a_quote_stays_a_value(whole):
    assert whole.ask(3, name="'; drop table runs; --") == []


@pytest.mark.parametrize(
    ("question", "parameters", "message"),
    [
        ("overfiting", {}, "no question 'overfiting'; did you mean 'overfitting'"),
        (39, {}, "no question '39'; `provrunner ask` lists all 38"),
        (11, {"rum": 3}, "takes no 'rum'; did you mean 'run'"),
        (25, {"run": 3}, "question 'importance' takes no 'run'"),
        (2, {"run": 99}, "has no run '99'"),
        (2, {"run": "0003-c8de131d"}, "did you mean '0003-c8de131c'"),
        (12, {"k": "few"}, "k=few: expected a whole number from 0 up: epochs in which it should have improved"),
        (5, {"k": -1}, "k=-1: expected a whole number from 0 up: how many runs"),
        (14, {"status": "finnished"}, "status=finnished: expected one of planned, running, finished"),
        (11, {"training": "train/los"}, "no metric 'train/los'.*did you mean 'train/loss'|train/los"),
        (5, {"direction": "down"}, "direction=down: expected direction: minimize or maximize"),
        (5, {"metric": "val/acc"}, "'val/acc' is not the sweep's objective: say direction=minimize or"),
        (27, {"a": "optimizer.l"}, "no hyperparameter 'optimizer.l'; did you mean 'optimizer.lr'"),
    ],
)  # fmt: skip
def test_a_mistake_is_met_by_the_nearest_name(whole, question, parameters, message):
    with pytest.raises(ProvrunnerError, match=message):
        ask(whole.sweep, question, **parameters)


def test_an_answer_without_rows_says_what_there_is_none_of(folders, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["ask", "adaptations", "run=1", str(folders["finished"])])
    printed = capsys.readouterr()
    assert (ended.value.code, printed.err) == (0, "no rows: nothing was adapted\n")
    assert printed.out.startswith("run  rank  name")


def test_the_verb_takes_folder_and_parameters_in_any_order(folders, capsys):
    folder = str(folders["finished"])
    for words in (["run=3", folder], [folder, "run=3"]):
        with pytest.raises(SystemExit) as ended:
            main(["ask", "Q2", *words, "--format", "csv"])
        assert ended.value.code == 0
        assert capsys.readouterr().out.splitlines()[1].startswith("3,0,0,")


def test_on_a_terminal_the_list_is_folded_into_its_width(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    widths = {}
    for terminal in (True, False):
        monkeypatch.setattr(sys.stdout, "isatty", lambda answer=terminal: answer)
        with pytest.raises(SystemExit):
            main(["ask"])
        widths[terminal] = max(map(len, capsys.readouterr().out.splitlines()))
    assert widths[True] <= 100 < widths[False]


def test_two_folders_are_one_too_many(folders, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["ask", "2", str(folders["finished"]), str(folders["live"])])
    assert ended.value.code == 2
    assert "expected one sweep folder" in capsys.readouterr().err


def test_validation_that_is_to_rise_gets_worse_when_it_falls(whole):
    by_loss = whole.rows(11, "run", "overfits", "best_epoch")
    by_accuracy = whole.rows(
        11, "run", "overfits", "best_epoch", validation="val/acc", direction="maximize"
    )
    assert by_accuracy == by_loss
    assert any(overfits for _, overfits, _ in by_loss)


@pytest.mark.parametrize(
    ("query", "made"),
    [
        ("from plan", {"plan"}),
        ("select count(*) from environment", {"environment"}),
        ("from levels", {"plan"}),
        ("from project_runs", set()),
        (
            "from progress",
            {"runs", "epochs", "params", "adaptations", "events", "metrics", "sweep"},
        ),
    ],
)
def test_a_query_makes_the_tables_that_it_names_and_no_other(folders, query, made):
    sweep = open_sweep(folders["finished"])
    sweep.sql(query).to_arrow_table()
    assert set(sweep._tables._made) == made


def test_a_run_is_known_by_number_id_and_its_beginning(whole):
    for term in (3, "3", POINTS[3].run_id, POINTS[3].run_id[:6]):
        assert whole.rows(2, "run", run=term)[0] == (3,)
    assert whole.rows(2, "run", run="best")[0] == (5,)
    assert run_status(run_folder(whole.sweep.folder, POINTS[5].run_id))[0] == "finished"

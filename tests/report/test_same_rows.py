"""Whichever way a run is asked, and whenever: the same rows, none twice, none taken back."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import question_sweep as told
from support.question_sweep import LAST

from provrunner.cli import main
from provrunner.log import ArrowSink, read_plan, run_folder
from provrunner.report import ask, open_sweep, verify_sweep
from provrunner.schema import RunStatus, StepMetrics

METRICS = f"select step, epoch, stage, name, value from metrics where run = {LAST}"
EVENTS = f"select seq, kind, subject, data from events where run = {LAST} and kind <> 'run_end'"
POINT = told.make_plan().points[LAST]


def expected_metrics(records) -> list[tuple]:
    return [
        (one.step, one.epoch, one.stage, name, value)
        for one in records
        if isinstance(one, StepMetrics)
        for name, value in one.values.items()
    ]


def expected_events(records) -> list[tuple]:
    events = [one for one in records if not isinstance(one, StepMetrics)]
    return [(seq, one.kind, one.subject, dict(one.data)) for seq, one in enumerate(events)]


def rows_of(folder: Path) -> tuple[list[tuple], list[tuple]]:
    """Ask a sweep opened anew, in SQL."""
    sweep = open_sweep(folder)
    events = [(*row[:3], json.loads(row[3])) for row in sweep.sql(EVENTS).fetchall()]
    return sweep.sql(METRICS).fetchall(), events


def queried(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[tuple]:
    """Ask by the command line."""
    with pytest.raises(SystemExit) as ended:
        main(["query", METRICS, str(folder), "--format", "json"])
    assert ended.value.code == 0
    return [tuple(row.values()) for row in json.loads(capsys.readouterr().out)]


def check_all_ways(folder: Path, records, capsys) -> None:
    """The table, SQL, the verb and a question see exactly what was written."""
    metrics, events = expected_metrics(records), expected_events(records)
    assert rows_of(folder) == (metrics, events)
    assert queried(folder, capsys) == metrics
    losses = {epoch: value for _, epoch, _, name, value in metrics if name == "val/loss"}
    asked = ask(open_sweep(folder), "curve", run=LAST).to_pylist()
    assert {row["epoch"]: row.get("val/loss") for row in asked if row.get("val/loss")} == losses
    (cost,) = ask(open_sweep(folder), "overhead", run=LAST).to_pylist()
    assert cost["metric_rows"] == len(metrics)


def test_a_growing_log_takes_nothing_back_and_ends_with_all_that_was_written(tmp_path, capsys):
    folder = told.write_sweep(tmp_path, without=range(12))
    sink = ArrowSink(run_folder(folder, POINT.run_id), sweep_id="s", run_id=POINT.run_id)
    sink.open(0)
    records = told.tell(POINT).records
    seen: tuple[list[tuple], list[tuple]] = ([], [])
    for end in range(7, len(records) + 7, 7):
        sink.write(records[end - 7 : end])
        if end % 21 == 0:
            sink.flush()
        now = rows_of(folder)
        assert [rows[: len(before)] for rows, before in zip(now, seen, strict=True)] == list(seen)
        assert now == (expected_metrics(records[:end]), expected_events(records[:end]))
        seen = now
    check_all_ways(folder, records, capsys)
    sink.close(RunStatus.FINISHED)
    check_all_ways(folder, records, capsys)


@pytest.fixture
def writer(tmp_path) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """A process that wrote a run as far as the middle of its third epoch, and holds it open."""
    folder = told.write_sweep(tmp_path, without=range(12))
    program = [sys.executable, told.__file__, str(folder), "2"]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        yield folder, process
        process.kill()


def test_a_killed_writer_leaves_all_it_wrote_also_after_its_log_is_sealed(writer, capsys):
    folder, process = writer
    records = told.tell(read_plan(folder).points[LAST], 0, 2, torn=True).records
    check_all_ways(folder, records, capsys)
    process.send_signal(signal.SIGKILL)
    process.wait()
    check_all_ways(folder, records, capsys)
    verify_sweep(folder, seal=True)
    check_all_ways(folder, records, capsys)
    status = open_sweep(folder).sql(f"select status from runs where run = {LAST}").fetchall()
    assert status == [("lost",)]


def test_a_resumed_run_keeps_every_row_and_counts_each_epoch_once(tmp_path):
    folder = told.write_sweep(tmp_path, without=range(12))
    place = run_folder(folder, POINT.run_id)
    first, again = told.tell(POINT, 0, 2, torn=True).records, told.tell(POINT).records
    for records, status in ((first, RunStatus.INTERRUPTED), (again, RunStatus.FINISHED)):
        sink = ArrowSink(place, sweep_id="s", run_id=POINT.run_id)
        sink.open(0)
        sink.write(records)
        sink.close(status)
    sweep = open_sweep(folder)
    assert len(sweep.sql(METRICS).fetchall()) == len(expected_metrics([*first, *again]))
    epochs = sweep.sql(f'select epoch, "val/loss" from epochs where run = {LAST}').fetchall()
    assert epochs == [(epoch, told.val_loss(POINT, epoch)) for epoch in range(told.EPOCHS)]

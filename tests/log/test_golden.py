"""Every released format stays readable: one small log of each is kept, with its rows as text."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from provrunner.log import read_log, run_status, seal_run
from provrunner.schema import LogState, RunStatus

GOLDEN = Path(__file__).parent.parent / "data" / "log_format_1"


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    folder = tmp_path / "golden"
    shutil.copytree(GOLDEN, folder)
    # kept here without the zeros that fill a journal to the size of its arenas
    os.truncate(folder / "live" / "log" / "metrics.r0.0.journal", 2 * 256 * 1024)
    for path in folder.rglob("*"):
        os.utime(path, (0, 0))  # its writer, on another machine, has long been silent
    return folder


def rows_as_text(log_folder: Path, table: str) -> list[str]:
    rows = read_log(log_folder, table).table
    columns = []
    for name in rows.column_names:
        column = rows[name].cast("int64") if name == "time" else rows[name]
        values = column.to_pylist()
        columns.append([value.hex() for value in values] if name == "value" else values)
    lines = [json.dumps(row, ensure_ascii=False) for row in zip(*columns, strict=True)]
    return [json.dumps(rows.column_names), *lines]


@pytest.mark.parametrize("table", ["metrics", "events"])
@pytest.mark.parametrize("kind", ["sealed", "live"])
def test_a_log_of_format_1_reads_as_it_did_when_it_was_written(golden, kind, table):
    expected = (golden / f"{kind}.{table}.jsonl").read_text(encoding="utf-8").splitlines()
    assert rows_as_text(golden / kind, table) == expected


def test_the_states_of_the_logs_of_format_1(golden):
    assert run_status(golden / "sealed") == (RunStatus.FINISHED, LogState.COMPLETE)
    assert run_status(golden / "live") == (RunStatus.LOST, LogState.TORN)
    assert read_log(golden / "live").state is LogState.LOST


def test_a_log_left_in_format_1_can_still_be_sealed(golden):
    before = rows_as_text(golden / "live", "metrics")
    seal_run(golden / "live", RunStatus.LOST)
    assert run_status(golden / "live") == (RunStatus.LOST, LogState.COMPLETE)
    assert rows_as_text(golden / "live", "metrics") == before

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from provrunner.log import ArrowSink
from provrunner.log.liveness import this_process
from provrunner.schema import StepMetrics

PREAMBLE = """
import os, signal, sys
from pathlib import Path
from provrunner.log import *
from provrunner.schema import *
run = Path(sys.argv[1])
sink = ArrowSink(run, sweep_id="s", run_id="0003-9f2c41d8")
sink.open(0)

def say(text):
    os.write(1, f"{text}\\n".encode())

def step(number, **values):
    values = values or {"loss": number / 8}
    sink.write([StepMetrics(values, number, 0, "fit", time_ns=number * 1000)])
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "0003-9f2c41d8"


@pytest.fixture
def open_sink(run: Path) -> Callable[..., ArrowSink]:
    def open_one(
        rank: int = 0, folder: Path = run, *, ranks: int = 1, **options: object
    ) -> ArrowSink:
        sink = ArrowSink(folder, sweep_id="s", run_id="0003-9f2c41d8", **options)
        sink.open(rank, ranks)
        return sink

    return open_one


@pytest.fixture
def start(run: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start a process that writes a run; what is left of it is killed after the test."""
    started: list[subprocess.Popen[str]] = []

    def start_one(body: str) -> subprocess.Popen[str]:
        script = PREAMBLE + textwrap.dedent(body)
        command = [sys.executable, "-c", script, str(run)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start_one
    for process in started:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def steps(*numbers: int, rank: int = 0) -> list[StepMetrics]:
    return [
        StepMetrics({"loss": n + rank / 8, "lr": 0.5}, n, n // 10, "fit", time_ns=n * 1000)
        for n in numbers
    ]


def dead_owner() -> dict[str, str]:
    """Metadata of a process of this machine before its last boot."""
    return replace(this_process(), boot_id="before").to_metadata()


def plain(table: pa.Table) -> list[tuple[int, str, float]]:
    columns = [table.column(name).to_pylist() for name in ("step", "name", "value")]
    return list(zip(*columns, strict=True))

"""Faults in the midst of a training: it computes the same, and what is lost is said."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess

import pytest
import torch
from support import scenarios
from support.processes import wait_for
from support.scripts import only_run, start, witnessed

from provrunner.log import read_log, run_status
from provrunner.schema import LogState, RunStatus

pytestmark = pytest.mark.slow

FINISHED = (RunStatus.FINISHED, LogState.COMPLETE)


def finish(process, seconds=60.0):
    process.join(seconds)
    assert not process.is_alive()
    return process.exitcode


@pytest.fixture(scope="module")
def plain_weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    assert finish(start(scenarios.train_for, folder, "plain")) == 0
    return torch.load(folder / "weights.pt", weights_only=True)


@pytest.fixture
def disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def train_with(fault, folder, plain_weights):
    """Train through a fault; the weights must be those of a training without provrunner."""
    assert finish(start(scenarios.train_for, folder, fault)) == 0
    weights = torch.load(folder / "weights.pt", weights_only=True)
    assert all(torch.equal(weights[name], value) for name, value in plain_weights.items())
    return (folder / "output").read_text()


def declared(run):
    events = read_log(run, "events").table.to_pylist()
    return sum(json.loads(e["data"])["count"] for e in events if e["kind"] == "gap")


def test_a_disk_full_for_a_while_costs_nothing_that_is_not_declared(tmp_path, disk, plain_weights):
    output = train_with("full for a while", tmp_path, plain_weights)
    run = only_run(disk)
    assert run_status(run) == FINISHED
    rows = read_log(run).table.num_rows
    assert rows + declared(run) == 300
    assert output.count("cannot be written") == 1


def test_a_disk_full_to_the_end_costs_no_step_of_training(tmp_path, disk, plain_weights):
    output = train_with("full to the end", tmp_path, plain_weights)
    log = read_log(only_run(disk))
    assert log.state is LogState.LOST
    steps = log.table["step"].to_pylist()
    assert steps == list(range(len(steps)))
    assert len(steps) >= 50
    assert output.count("cannot be written") == 1


def test_a_deleted_folder_costs_no_step_of_training(tmp_path, plain_weights):
    output = train_with("deleted", tmp_path, plain_weights)
    assert output.count("cannot be written") == 1
    assert not (tmp_path / "disk" / "logs").exists()


def test_a_mistake_of_ours_costs_a_warning_and_no_step_of_training(tmp_path, plain_weights):
    train_with("failing", tmp_path, plain_weights)
    run = only_run(tmp_path / "disk")
    assert run_status(run) == FINISHED
    steps = read_log(run).table["step"].to_pylist()
    assert steps == list(range(len(steps)))
    assert 45 <= len(steps) <= 55


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        # torch's main thread may hear of it by a signal or by the queue
        ("dies", "exited unexpectedly|is killed by signal: Killed"),
        ("hangs", "timed out after 2 seconds"),
    ],
)
def test_a_worker_that_dies_or_hangs_fails_the_run_and_writes_nothing(tmp_path, fault, said):
    assert finish(start(scenarios.load_with_workers, tmp_path, fault)) == 1
    run = only_run(tmp_path)
    assert run_status(run) == (RunStatus.FAILED, LogState.COMPLETE)
    steps = read_log(run).table["step"].to_pylist()
    assert steps == list(range(len(steps)))
    events = read_log(run, "events").table.to_pylist()
    assert [event["seq"] for event in events] == list(range(len(events)))
    (told,) = (json.loads(event["data"]) for event in events if event["kind"] == "exception")
    output = (tmp_path / "output").read_text()
    assert re.search(said, output)
    # a signal may come while training is about to raise already: what it raised first is told
    assert told["message"] in output


def test_a_requeued_job_is_sealed_and_its_next_start_goes_on(tmp_path):
    first = start(scenarios.requeue, tmp_path)
    wait_for(lambda: len(witnessed(tmp_path)) > 50)
    os.kill(first.pid, signal.SIGUSR1)
    wait_for((tmp_path / "requeued").exists)
    os.kill(first.pid, signal.SIGTERM)
    finish(first)
    assert (tmp_path / "requeued").read_text() == "requeue 7\n"
    stopped = only_run(tmp_path)
    assert run_status(stopped) == (RunStatus.INTERRUPTED, LogState.COMPLETE)

    assert finish(start(scenarios.requeue, tmp_path)) == 0
    (again,) = set(tmp_path.glob("logs/*/*/runs/*")) - {stopped}
    assert run_status(again) == FINISHED
    loaded = [
        e for e in read_log(again, "events").table.to_pylist() if e["kind"] == "checkpoint_loaded"
    ]
    assert len(loaded) == 1
    assert read_log(again).table["step"].to_pylist()[0] > 10

"""What an earlier attempt left, and how a run goes on from it."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from provrunner.capture.beginning import begin_process
from provrunner.capture.options import CaptureOptions, RunContext
from provrunner.ids import file_digest
from provrunner.log import ArrowSink
from provrunner.plan import Objective, Plan, Point
from provrunner.run.continuing import Continuation, RandomState, find_continuation
from provrunner.run.launching import _first_number
from provrunner.schema import Event, RunStatus

CONFIG = OmegaConf.create({"trainer": {"max_epochs": 5}})


def draw():
    return random.random(), float(np.random.random()), float(torch.rand(()))


def save(run, epoch, *, whole=True, state=True, stopped=None, **more):
    path = run / "checkpoints" / f"epoch{epoch:03d}.ckpt"
    path.parent.mkdir(parents=True, exist_ok=True)
    progress = {"epoch_loop.batch_progress": {"is_last_batch": whole}}
    callbacks = {"RandomState": RandomState().state_dict()} if state else {}
    if stopped is not None:
        callbacks["EarlyStopping{...}"] = {"wait_count": stopped, "stopped_epoch": 0, "patience": 3}
    saved = {"epoch": epoch, "loops": {"fit_loop": progress}, "callbacks": callbacks}
    torch.save({"global_step": 10 * (epoch + 1), **saved, **more}, path)
    return path


def left_behind(run, *paths, deleted=(), **start):
    """Write the log of an attempt that made these checkpoints."""
    sink = ArrowSink(run, sweep_id="s", run_id=run.name)
    sink.open(0)
    sink.write([Event("run_start", run.name, {"attempt": 0, **start})])
    for path in paths:
        name = path.relative_to(run).as_posix()
        sink.write([Event("checkpoint", name, {"sha256": file_digest(path)})])
        if path in deleted:
            sink.write([Event("checkpoint_deleted", name, {})])
    sink.close(RunStatus.LOST)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "0003-9f2c41d8"


def test_a_run_that_never_began_begins_with_its_first_step(folder):
    assert find_continuation(folder, CONFIG) == Continuation(0, None, {})


def test_the_latest_whole_checkpoint_is_gone_on_from(folder):
    paths = [save(folder, 0), save(folder, 1)]
    left_behind(folder, *paths)
    found = find_continuation(folder, CONFIG)
    assert (found.attempt, found.checkpoint) == (1, paths[1])
    assert list(found.checkpoints) == ["checkpoints/epoch000.ckpt", "checkpoints/epoch001.ckpt"]


def test_no_checkpoint_is_gone_on_from_when_all_is_to_begin_anew(folder):
    left_behind(folder, save(folder, 1))
    found = find_continuation(folder, CONFIG, anew=True)
    assert (found.attempt, found.checkpoint) == (1, None)


def test_what_an_attempt_that_began_anew_threw_away_is_not_gone_on_from(folder):
    left_behind(folder, save(folder, 1))
    left_behind(folder, attempt=1, anew=True)
    found = find_continuation(folder, CONFIG)
    assert (found.attempt, found.checkpoint) == (2, None)
    assert list(found.checkpoints) == ["checkpoints/epoch001.ckpt"]  # still this run's own
    later = save(folder, 0)
    left_behind(folder, later, attempt=2)
    assert find_continuation(folder, CONFIG).checkpoint == later


class Calling:
    """Calls something when it is unpickled, as any object may."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return type(self.path).touch, (self.path,)


def test_a_checkpoint_that_would_call_something_is_not_unpickled(folder, tmp_path):
    good = save(folder, 0)
    left_behind(folder, good, save(folder, 1, more=Calling(tmp_path / "called")))
    assert find_continuation(folder, CONFIG).checkpoint == good
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize(
    "spoil",
    ["other bytes", "gone", "deleted", "midst of an epoch", "no random state", "nothing left"],
)
def test_a_checkpoint_that_will_not_do_is_passed_over(folder, spoil):
    good = save(folder, 0)
    epoch = 4 if spoil == "nothing left" else 1
    bad = save(folder, epoch, whole=spoil != "midst of an epoch", state=spoil != "no random state")
    left_behind(folder, good, bad, deleted=[bad] if spoil == "deleted" else [])
    if spoil == "other bytes":
        bad.write_bytes(bad.read_bytes()[:-1] + b"?")
    if spoil == "gone":
        bad.unlink()
    assert find_continuation(folder, CONFIG).checkpoint == good


def test_no_checkpoint_is_gone_on_from_where_a_scheduler_waits_for_a_plateau(folder):
    paths = [save(folder, epoch, lr_schedulers=[{"num_bad_epochs": 0}]) for epoch in (0, 1)]
    left_behind(folder, *paths)
    assert find_continuation(folder, CONFIG).checkpoint is None


def test_other_schedulers_are_gone_on_with(folder):
    good = save(folder, 0, lr_schedulers=[{"last_epoch": 1}])
    left_behind(folder, good)
    assert find_continuation(folder, CONFIG).checkpoint == good


@pytest.mark.parametrize(("max_steps", "epoch"), [(-1, 1), (21, 1), (20, 0)])
def test_a_checkpoint_after_the_last_step_leaves_nothing_to_train(folder, max_steps, epoch):
    config = OmegaConf.create({"trainer": {"max_epochs": -1, "max_steps": max_steps}})
    paths = [save(folder, 0), save(folder, 1)]
    left_behind(folder, *paths)
    assert find_continuation(folder, config).checkpoint == paths[epoch]


@pytest.mark.parametrize(("waited", "epoch"), [(2, 1), (3, 0)])
def test_a_checkpoint_that_was_stopped_early_leaves_nothing_to_train(folder, waited, epoch):
    paths = [save(folder, 0, stopped=1), save(folder, 1, stopped=waited)]
    left_behind(folder, *paths)
    assert find_continuation(folder, CONFIG).checkpoint == paths[epoch]


def test_random_numbers_go_on_where_a_checkpoint_was_made(tmp_path):
    torch.save(RandomState().state_dict(), tmp_path / "state")
    drawn = draw()
    assert draw() != drawn
    RandomState().load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    assert draw() == drawn


def test_a_damaged_checkpoint_is_passed_over_and_told_of(folder):
    paths = [save(folder, epoch) for epoch in range(3)]
    left_behind(folder, *paths)
    data = bytearray(paths[2].read_bytes())
    data[-1] ^= 1
    paths[2].write_bytes(data)
    paths[1].unlink()
    found = find_continuation(folder, CONFIG)
    assert found.checkpoint == paths[0]
    assert found.refused == {
        "checkpoints/epoch002.ckpt": "it has other bytes than were written",
        "checkpoints/epoch001.ckpt": "it is missing, and nothing says that it was deleted",
    }


def test_a_sharded_checkpoint_is_passed_over_and_told_of(folder):
    paths = [save(folder, epoch) for epoch in range(2)]
    left_behind(folder, *paths)
    paths[1].unlink()
    paths[1].mkdir()
    found = find_continuation(folder, CONFIG)
    assert found.checkpoint == paths[0]
    assert "no run goes on from a sharded checkpoint" in found.refused["checkpoints/epoch001.ckpt"]


def test_what_is_refused_is_an_event_of_the_attempt_that_goes_on():
    context = RunContext(
        refused={"checkpoints/a.ckpt": "other bytes"}, checkpoints={"checkpoints/a.ckpt": "ab"}
    )
    events = begin_process(
        world_size=1, cuda=False, context=context, options=CaptureOptions(level="light"), environ={}
    )
    told = [(kind, subject, data) for kind, subject, data in events if kind == "checkpoint_refused"]
    assert told == [
        ("checkpoint_refused", "checkpoints/a.ckpt", {"sha256": "ab", "reason": "other bytes"})
    ]


@pytest.mark.parametrize(
    ("due", "first"), [((0, 1, 2), 0), ((3, 4), 3), ((1, 3), 5), ((), 0)], ids=str
)
def test_jobs_of_a_resumed_sweep_are_numbered_on(due, first):
    plan = Plan(
        "s",
        "s",
        "",
        Objective("loss"),
        "grid",
        (),
        tuple(Point(n, str(n), "", 0, 0, {}) for n in range(5)),
    )
    assert _first_number([["a=1", f"run.number={number}"] for number in due], plan) == first

import functools
import pickle
from pathlib import Path

import pytest
import torch.distributed

from provrunner.errors import LogError
from provrunner.log import ArrowSink, read_log
from provrunner.run import agreement
from provrunner.run.agreement import SharedSink
from provrunner.schema import RunStatus, StepMetrics


def make_folder(root: Path) -> Path:
    folder = root / f"sweep-{len(list(root.iterdir()))}"
    folder.mkdir()
    return folder


def make_sink(folder):
    return ArrowSink(folder, sweep_id=folder.name, run_id="0000-00000000")


@pytest.fixture
def rank(tmp_path, monkeypatch):
    """Make the sink of a rank, as if in a process of its own."""

    def rank(number, callback=0):
        monkeypatch.setenv("RANK", str(number))
        monkeypatch.setattr(agreement, "_NUMBERS", iter([callback]))
        return SharedSink(functools.partial(make_folder, tmp_path), make_sink)

    return rank


@pytest.fixture
def store(monkeypatch):
    store = torch.distributed.HashStore()
    monkeypatch.setattr(agreement, "shared_store", lambda: store)
    return store


def log(sink, rank):
    sink.open(rank, 2)
    sink.write([StepMetrics({"loss": 0.5}, step=0, epoch=0, stage="fit")])


def test_ranks_write_the_folder_of_the_first(rank, store, tmp_path):
    first, second = rank(0), rank(1)
    assert (first.folder, second.folder) == (tmp_path / "sweep-0", None)
    log(first, 0)
    log(second, 1)
    assert second.folder == first.folder
    for sink in (second, first):
        sink.close(RunStatus.FINISHED)
    table, state = read_log(first.folder)
    assert (table["rank"].to_pylist(), state) == ([0, 1], "complete")
    assert [path.name for path in tmp_path.iterdir()] == ["sweep-0"]


def test_two_callbacks_keep_to_folders_of_their_own(rank, store, tmp_path):
    ones, others = [rank(0, 0), rank(0, 1)], [rank(1, 0), rank(1, 1)]
    for first, second in zip(ones, others, strict=True):
        first.open(0, 2)
        second.open(1, 2)
    assert [sink.folder.name for sink in others] == ["sweep-0", "sweep-1"]
    for sink in (*others, *ones):
        sink.close(RunStatus.FINISHED)


def test_a_trainer_of_one_process_is_alone_whatever_the_environment_says(rank, tmp_path):
    sink = rank(3)
    sink.open(0, 1)
    sink.close(RunStatus.FINISHED)
    assert sink.folder == tmp_path / "sweep-0"


def test_a_first_rank_that_logs_nothing_is_named(rank, store, monkeypatch):
    monkeypatch.setattr(agreement, "_PATIENCE", agreement.timedelta(milliseconds=10))
    with pytest.raises(LogError, match="give every rank's Trainer the callback"):
        rank(1).open(1, 2)


def test_a_sink_that_was_never_opened_drops_what_it_gets(rank):
    sink = rank(1)
    sink.write([])
    sink.flush()
    sink.close(RunStatus.FINISHED)
    assert sink.dropped == 0


def test_a_sink_travels_closed_and_keeps_its_folder(rank, tmp_path):
    sink = rank(0)
    sink.open(0)
    copy = pickle.loads(pickle.dumps(sink))
    sink.close(RunStatus.FINISHED)
    assert copy.folder == sink.folder
    assert copy._sink is None


def test_a_first_rank_that_can_make_no_folder_says_so_to_the_others():
    def fail():
        raise LogError("no room on the disk")

    told = torch.distributed.HashStore()
    with pytest.raises(LogError, match="no room"):
        agreement.tell_folder(told, "key", fail)
    with pytest.raises(LogError, match="no room on the disk"):
        agreement.ask_folder(told, "key")

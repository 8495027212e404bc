from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provrunner.log.columns import EventRow
from provrunner.log.journal import Journal
from provrunner.log.records import read_journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.r0.0.journal"


def rows_of(path: Path) -> list[tuple[int, tuple[bytes, ...], list[list[float]]]]:
    parts = read_journal(path).steps
    return [(p.first_row, p.name_set.names, p.steps["values"].tolist()) for p in parts]


def test_records_come_back_with_their_row_numbers_and_names(path):
    journal = Journal(path, row=10)
    journal.append({"a": 1.0, "b": 2.0}, (0, 7, 70, "fit"))
    journal.append({"a": 3.0, "b": 4.0}, (0, 8, 80, "fit"))
    journal.append({"c": 5.0}, (1, 9, 90, "validate"))
    assert rows_of(path) == [
        (10, (b"a", b"b"), [[1.0, 2.0], [3.0, 4.0]]),
        (14, (b"c",), [[5.0]]),
    ]
    (part, last) = read_journal(path).steps
    assert part.steps["step"].tolist() == [7, 8]
    assert (last.name_set.stage, last.steps["epoch"].tolist()) == (b"validate", [1])
    journal.close()


def test_numbers_without_their_names_are_those_of_the_names_given(path):
    journal = Journal(path)
    first, other = ("a", "b"), ("b", "a")
    journal.append_numbers(first, [1.0, 2.0], (0, 0, 0, "fit"))
    journal.append_numbers(first, [3.0, 4.0], (0, 1, 0, "fit"))
    journal.append_numbers(other, [5.0, 6.0], (0, 2, 0, "fit"))
    journal.append_numbers(first, [7.0, 8.0], (0, 3, 0, "validate"))
    journal.append({"a": 9.0, "b": 10.0}, (0, 4, 0, "fit"))
    assert rows_of(path) == [
        (0, (b"a", b"b"), [[1.0, 2.0], [3.0, 4.0]]),
        (4, (b"b", b"a"), [[5.0, 6.0]]),
        (6, (b"a", b"b"), [[7.0, 8.0]]),
        (8, (b"a", b"b"), [[9.0, 10.0]]),
    ]
    stages = [part.name_set.stage for part in read_journal(path).steps]
    assert stages == [b"fit", b"fit", b"validate", b"fit"]
    journal.close()


def test_numbers_find_their_names_again_in_the_next_arena(path):
    journal = Journal(path)
    names = tuple(f"name {at}" for at in range(100))
    for step in range(700):
        assert journal.append_numbers(names, [float(step)] * 100, (0, step, 0, "fit"))
        for arena in journal.take() if step % 100 == 99 else ():
            assert arena.read().steps[-1].name_set.names[99] == b"name 99"
            journal.free(arena)
    assert journal.row == 70_000
    journal.close()


def test_the_file_is_allocated_in_full_before_it_is_mapped(path):
    Journal(path).close()
    stat = path.stat()
    assert stat.st_size == (2 * 256 + 64) * 1024
    assert stat.st_blocks * 512 >= stat.st_size


def test_a_file_system_that_cannot_allocate_gets_zeros_instead(path, monkeypatch):
    def refuse(*where: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    journal = Journal(path)
    journal.append({"a": 1.0}, (0, 0, 0, "fit"))
    assert path.stat().st_blocks * 512 >= 2 * 256 * 1024
    assert rows_of(path) == [(0, (b"a",), [[1.0]])]
    journal.close()


def test_a_torn_record_ends_the_journal_and_is_no_damage(path):
    journal = Journal(path)
    for step in range(3):
        journal.append({"a": float(step)}, (0, step, 0, "fit"))
    end = journal.take_last()[0].used
    journal.close()
    with path.open("r+b", buffering=0) as file:
        for lost in range(1, 48):
            os.pwrite(file.fileno(), bytes(lost), end - lost)
            assert rows_of(path) == [(0, (b"a",), [[0.0], [1.0]])], lost
            assert not read_journal(path).damaged


def test_a_flipped_bit_before_newer_records_is_damage(path):
    journal = Journal(path)
    for step in range(3):
        journal.append({"a": float(step)}, (0, step, 0, "fit"))
    end = journal.take_last()[0].used
    journal.close()
    data = bytearray(path.read_bytes())
    data[end - 60] ^= 1
    path.write_bytes(data)
    assert rows_of(path) == [(0, (b"a",), [[0.0]])]
    assert read_journal(path).damaged


def test_a_length_that_one_flipped_bit_makes_nothing_is_damage(path):
    journal = Journal(path)
    for step in range(3):
        # a record of 64 bytes: without that bit its length is the mark of the end
        journal.append({"a": 0.0, "b": 1.0, "c": float(step)}, (0, step, 0, "fit"))
    end = journal.take_last()[0].used
    journal.close()
    data = bytearray(path.read_bytes())
    assert data[end - 128] == 64
    data[end - 128] = 0
    path.write_bytes(data)
    assert rows_of(path) == [(0, (b"a", b"b", b"c"), [[0.0, 1.0, 0.0]])]
    assert read_journal(path).damaged


@pytest.mark.parametrize("arena", [0, 1])
@pytest.mark.parametrize("at", [3, 11])
def test_a_head_of_an_arena_that_was_flipped_is_damage(path, arena, at):
    journal = Journal(path)
    names = tuple(f"name {n}" for n in range(100))
    for step in range(500):
        journal.append_numbers(names, [0.0] * 100, (0, step, 0, "fit"))
    journal.close()
    assert read_journal(path).begun
    assert not read_journal(path).damaged
    data = bytearray(path.read_bytes())
    data[arena * (256 << 10) + at] ^= 1
    path.write_bytes(data)
    assert read_journal(path).damaged


def test_freed_arenas_are_used_again_and_their_old_records_are_not_read(path):
    journal = Journal(path)
    for step in range(100):
        journal.append({"a": float(step)}, (0, step, 0, "fit"))
    (arena,) = journal.take()
    journal.append({"a": 100.0}, (0, 100, 0, "fit"))
    assert [part[0] for part in rows_of(path)] == [0, 100]
    journal.free(arena)
    assert rows_of(path) == [(100, (b"a",), [[100.0]])]
    (arena,) = journal.take()
    journal.free(arena)
    journal.append({"a": 101.0}, (0, 101, 0, "fit"))
    assert rows_of(path) == [(101, (b"a",), [[101.0]])]
    assert not read_journal(path).damaged
    assert path.stat().st_size == (2 * 256 + 64) * 1024
    journal.close()


def test_it_grows_to_16_mib_and_then_refuses(path):
    journal = Journal(path)
    values = {f"m{i}": float(i) for i in range(10_000)}
    kept = 0
    while journal.append(values, (0, kept, 0, "fit")):
        kept += 1
    assert path.stat().st_size <= 17 << 20
    assert kept * 80_000 > 12 << 20
    assert journal.rows == journal.row == kept * 10_000
    parts = read_journal(path).steps
    assert sum(part.rows for part in parts) == kept * 10_000
    assert not journal.append(values, (0, 0, 0, "fit"))
    journal.free(journal.take()[0])
    assert journal.append(values, (0, kept, 0, "fit"))
    journal.close()


def test_without_room_on_the_disk_rows_wait_in_memory(path, monkeypatch):
    journal = Journal(path)

    def refuse(*where: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    values = {f"m{i}": float(i) for i in range(1000)}
    for step in range(200):
        assert journal.append(values, (0, step, 0, "fit"))
    arenas = journal.take_last()
    found = [part for arena in arenas for part in arena.read().steps]
    assert sum(part.rows for part in found) == 200_000
    assert sum(part.rows for part in read_journal(path).steps) < 200_000
    journal.close()


def test_events_have_room_of_their_own_once_metrics_have_filled_theirs(path, monkeypatch):
    journal = Journal(path)

    def refuse(*where: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    rows = [EventRow(seq, 1, 2, seq, 3, "epoch_end", "train", "{}") for seq in range(40)]
    for row in rows:
        for _ in range(200):
            journal.append({"a": 1.0}, (0, row.seq, 0, "fit"))
        assert journal.append_event(row)
    assert journal.append_event(EventRow(40, 1, 2, 3, 4, "config", "", "x" * 100_000))
    found = read_journal(path)
    assert found.events[: len(rows)] == tuple(rows)
    assert not found.damaged
    kept = sum(part.rows for part in found.steps)
    lost = sum(part.rows for part in journal.unkept())
    assert kept + lost == 40 * 200
    assert kept > 0
    journal.forget_events()
    again = EventRow(41, 1, 2, 3, 4, "gap", "", "x" * 60_000)
    assert journal.append_event(again)
    found = read_journal(path)
    assert again in found.events
    assert not found.damaged
    journal.close()


def test_an_event_that_found_no_room_on_the_disk_is_kept(path):
    journal = Journal(path)
    row = EventRow(4, 1, 2, None, 3, "run_end", "é", '{"status":"finished"}')
    journal.append({"a": 1.0}, (0, 0, 0, "fit"))
    assert journal.append_event(row)
    journal.append({"a": 2.0}, (0, 1, 0, "fit"))
    found = read_journal(path)
    assert found.events == (row,)
    assert sum(part.rows for part in found.steps) == 2
    journal.close()


@settings(max_examples=30, deadline=None)
@given(
    steps=st.lists(st.tuples(st.sampled_from(["fit", "validate"]), st.integers(1, 4)), max_size=30),
    taken=st.integers(1, 10),
)
def test_whatever_is_freed_in_between_no_row_is_lost_or_read_twice(tmp_path_factory, steps, taken):
    path = tmp_path_factory.mktemp("journal") / "j"
    journal = Journal(path)
    flushed: list[float] = []
    expected: list[float] = []
    for number, (stage, count) in enumerate(steps):
        values = {f"{stage}{i}": number + i / 8 for i in range(count)}
        journal.append(values, (0, number, 0, stage))
        expected.extend(values.values())
        if number % taken == 0:
            for arena in journal.take():
                flushed.extend(v for p in arena.read().steps for v in p.steps["values"].ravel())
                journal.free(arena)
    waiting = [
        value
        for part in read_journal(path).steps
        for row, value in enumerate(part.steps["values"].ravel(), part.first_row)
        if row >= len(flushed)
    ]
    assert [*flushed, *waiting] == expected
    journal.close()

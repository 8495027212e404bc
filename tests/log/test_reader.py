from __future__ import annotations

import functools
import math
from pathlib import Path

import pyarrow as pa
import pytest

from provrunner.errors import LogError
from provrunner.log import LogFollower, read_log, reader, run_status, seal_run
from provrunner.log.rankreader import RankReader
from provrunner.schema import Event, LogState, RunStatus, StepMetrics

from .conftest import plain, steps


@pytest.fixture
def sealed(open_sink, run: Path) -> Path:
    sink = open_sink()
    rows = [StepMetrics({"a": math.sin(n), "b": 0.5}, n, 0, "fit", n * 1000) for n in range(20_000)]
    sink.write([*rows, Event("value", "a")])
    sink.close(RunStatus.FINISHED)
    return run


def test_a_log_is_found_by_its_run_its_folder_and_its_files(open_sink, run):
    sink = open_sink()
    sink.write([*steps(0), Event("value", "a")])
    live = {run, run / "log", run / "log" / "metrics.r0.0.arrows"}
    assert all(len(read_log(path).table) == 2 for path in live)
    assert len(read_log(run / "log" / "events.r0.0.arrows").table) == 1
    sink.close(RunStatus.FINISHED)
    table, state = read_log(str(run / "log" / "events.arrow"))
    assert (len(table), state) == (2, LogState.COMPLETE)


def test_what_is_no_log_is_refused_and_no_log_is_empty(tmp_path):
    with pytest.raises(LogError, match="no log at"):
        read_log(tmp_path / "missing")
    with pytest.raises(ValueError, match="'metrics' and 'events'"):
        read_log(tmp_path, "params")
    (tmp_path / "x.csv").write_text("")
    with pytest.raises(LogError, match="no file of a log"):
        read_log(tmp_path / "x.csv")
    log = read_log(tmp_path)
    assert (len(log.table), log.state, log.detail) == (0, LogState.LOST, "no log was written")
    assert run_status(tmp_path) == (RunStatus.PLANNED, LogState.LOST)


def test_a_flipped_bit_in_a_sealed_table_is_found_and_the_rows_before_it_are_kept(sealed):
    path = sealed / "log" / "metrics.arrow"
    data = bytearray(path.read_bytes())
    at = len(data) * 97 // 100
    data[at] ^= 16
    path.write_bytes(data)
    whole = [row for n in range(20_000) for row in ((n, "a", math.sin(n)), (n, "b", 0.5))]
    log = read_log(sealed)
    assert log.state is LogState.CORRUPT
    assert log.offset == at // 16_384 * 16_384
    assert log.detail == f"metrics.arrow: other bytes than were sealed at byte {log.offset}"
    rows = plain(log.table)
    assert rows == whole[: len(rows)]
    assert len(rows) == 32_768


@pytest.mark.parametrize("cut", [0, 5, 8, 300, -1, -700])
def test_a_truncated_sealed_table_is_never_complete(sealed, cut):
    path = sealed / "log" / "events.arrow"
    path.write_bytes(path.read_bytes()[:cut])
    log = read_log(sealed, "events")
    assert log.state is LogState.CORRUPT
    path.unlink()
    assert "it was sealed and is gone" in read_log(sealed, "events").detail


def test_a_damaged_or_newer_seal_is_refused(sealed):
    seal = sealed / "log" / "seal.json"
    seal.write_text(seal.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(LogError, match="format 2; this provrunner reads up to 1"):
        read_log(sealed)
    seal.write_text("[]")
    with pytest.raises(LogError, match=r"seal.json is damaged"):
        run_status(sealed)


def test_a_table_without_a_seal_is_not_called_complete(sealed):
    (sealed / "log" / "seal.json").unlink()
    log = read_log(sealed / "log" / "metrics.arrow")
    assert (log.state, len(log.table)) == (LogState.LOST, 40_000)


def test_a_follower_gives_each_row_once_through_batches_journal_and_seal(open_sink, run):
    follower = LogFollower(run)
    seen = [follower.poll()]
    sink = open_sink()
    for number in range(12):
        sink.write(steps(number))
        seen.append(follower.poll())
        if number % 4 == 3:
            sink.flush()
        if number % 3 == 2:
            seen.append(follower.poll())
    sink.write(steps(12))
    sink.close(RunStatus.FINISHED)
    seen.append(follower.poll())
    seen.append(follower.poll())
    assert pa.concat_tables(seen)["step"].to_pylist() == [n for n in range(13) for _ in range(2)]


def test_rows_missing_between_two_segments_are_damage(start, open_sink, run):
    process = start('step(1); step(2); sink.flush(); step(3); say("ready"); signal.pause()')
    process.stdout.readline()
    process.kill()
    process.wait()
    sink = open_sink()
    sink.write(steps(4))
    assert read_log(run).table["step"].to_pylist() == [1, 2, 3, 4, 4]
    journal = run / "log" / "metrics.r0.0.journal"
    # the row of step 3 waits in the second arena
    journal.write_bytes(journal.read_bytes()[: (256 << 10) + 24] + bytes((256 << 10) - 24))
    log = read_log(run)
    assert log.state is LogState.CORRUPT
    assert "metrics.r0.0.arrows: 1 rows are missing" in log.detail
    assert log.table["step"].to_pylist() == [1, 2]
    sink.close(RunStatus.FINISHED)


def test_a_segment_changed_after_the_next_began_is_damage(start, open_sink, run):
    process = start('step(1); sink.flush(); say("ready"); signal.pause()')
    process.stdout.readline()
    process.kill()
    process.wait()
    sink = open_sink()
    stream = run / "log" / "metrics.r0.0.arrows"
    stream.write_bytes(stream.read_bytes()[:-1])
    log = read_log(run)
    assert log.state is LogState.CORRUPT
    assert "bytes changed since the next segment" in log.detail
    sink.close(RunStatus.FINISHED)


def test_what_waits_in_a_segment_stays_its_own_when_the_next_ones_stream_was_cut(
    start, open_sink, run
):
    process = start('step(1); sink.flush(); step(2); say("ready"); signal.pause()')
    process.stdout.readline()
    process.kill()
    process.wait()
    sink = open_sink()
    stream = run / "log" / "metrics.r0.1.arrows"
    whole = stream.read_bytes()
    stream.write_bytes(whole[:300])
    log = read_log(run)
    assert log.table["step"].to_pylist() == [1, 2]
    assert log.table["segment"].to_pylist() == [0, 0]
    assert (log.state, log.offset) == (LogState.CORRUPT, 0)
    assert log.detail == "metrics.r0.1.arrows: a head that was cut at byte 0"
    stream.write_bytes(whole)
    sink.close(RunStatus.FINISHED)


@pytest.mark.parametrize("size", [0, 8, 256 << 10, None])
def test_a_journal_cut_between_its_arenas_or_removed_is_damage(start, run, size):
    process = start('step(1); sink.flush(); step(2); say("ready"); signal.pause()')
    process.stdout.readline()
    process.kill()
    process.wait()
    assert read_log(run).table["step"].to_pylist() == [1, 2]
    journal = run / "log" / "metrics.r0.0.journal"
    data = journal.read_bytes()
    if size is None:
        journal.unlink()
    else:
        journal.write_bytes(data[:size])
    # the row of step 2 lay in the second arena
    log = read_log(run)
    assert log.table["step"].to_pylist() == [1]
    assert log.state is LogState.CORRUPT
    assert "metrics.r0.0." in log.detail


@pytest.mark.parametrize("table", ["metrics", "events"])
@pytest.mark.parametrize("size", [0, 300])
def test_a_stream_cut_within_its_head_is_damage_at_once(start, run, table, size):
    process = start('step(1); sink.flush(); say("ready"); signal.pause()')
    process.stdout.readline()
    process.kill()
    process.wait()
    stream = run / "log" / f"{table}.r0.0.arrows"
    stream.write_bytes(stream.read_bytes()[:size])
    log = read_log(run, table)
    assert (log.state, log.offset) == (LogState.CORRUPT, 0)
    assert f"{table}.r0.0.arrows: a head that was cut" in log.detail


HOSTILE = pa.schema([("value", pa.float64())])


def test_a_small_file_that_unpacks_to_gigabytes_is_refused(tmp_path):
    path = tmp_path / "metrics.arrow"
    rows = pa.RecordBatch.from_arrays(
        [pa.Array.from_buffers(pa.float64(), 1 << 22, [None, pa.py_buffer(bytes(8 << 22))])],
        schema=HOSTILE,
    )
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(path, HOSTILE, options=options) as writer:
        for _ in range(40):
            writer.write_batch(rows)
    assert path.stat().st_size < 1 << 20
    log = read_log(path)
    assert log.state is LogState.CORRUPT
    assert "data that unpack to over" in log.detail


def test_a_million_columns_are_refused(tmp_path):
    path = tmp_path / "metrics.arrow"
    schema = pa.schema([(f"c{i}", pa.int8()) for i in range(20_000)])
    with pa.ipc.new_file(path, schema):
        pass
    log = read_log(path)
    assert log.state is LogState.CORRUPT
    assert "impossible size" in log.detail


@pytest.fixture
def sealed_meanwhile(start, run, monkeypatch):
    """Let a dead run be sealed right after a reader has listed its streams, or looked for them."""
    process = start('step(1); sink.flush(); step(2); say("ready"); os._exit(0)')
    process.wait()
    listed = reader.live_segments

    def list_late(log, table, seal, *, before=True):
        monkeypatch.setattr(reader, "live_segments", listed)
        first = None if before else listed(log, table, seal)
        seal_run(run, RunStatus.LOST)
        return listed(log, table, seal) if first is None else first

    def arrange(before: bool) -> None:
        late = functools.partial(list_late, before=before)
        monkeypatch.setattr(reader, "live_segments", late)

    return arrange


@pytest.mark.parametrize("before", [True, False])
def test_a_seal_in_the_midst_of_a_reading_costs_the_reader_nothing(run, sealed_meanwhile, before):
    follower = LogFollower(run)
    sealed_meanwhile(before)
    log = read_log(run)
    assert (log.state, log.table["step"].to_pylist()) == (LogState.COMPLETE, [1, 2])
    assert follower.poll()["step"].to_pylist() == [1, 2]


def test_a_run_that_is_sealed_while_it_is_looked_at_is_not_planned(run, sealed_meanwhile):
    sealed_meanwhile(before=True)
    assert run_status(run) == (RunStatus.LOST, LogState.COMPLETE)


def test_a_follower_loses_nothing_of_one_rank_when_another_ones_stream_is_gone(
    open_sink, run, monkeypatch
):
    sinks = [open_sink(rank, ranks=2) for rank in range(2)]
    for rank, sink in enumerate(sinks):
        sink.write(steps(1, 2, rank=rank))
        sink.flush()
    follower = LogFollower(run)
    poll = RankReader.poll

    def poll_and_seal(self, segments):
        if self.rank == 1:
            monkeypatch.setattr(RankReader, "poll", poll)
            sinks[1].close(RunStatus.FINISHED)
            sinks[0].close(RunStatus.FINISHED)
        return poll(self, segments)

    monkeypatch.setattr(RankReader, "poll", poll_and_seal)
    rows = pa.concat_tables([follower.poll(), follower.poll()])
    assert sorted(plain(rows)) == sorted(plain(read_log(run).table))
    assert len(rows) == 8


@pytest.mark.parametrize("table", ["metrics", "events"])
def test_a_stream_that_was_copied_alone_is_not_damaged(start, run, tmp_path, table):
    process = start('step(1); sink.flush(); say("ready"); os._exit(0)')
    process.wait()
    name = f"{table}.r0.0.arrows"
    copy = tmp_path / name
    copy.write_bytes((run / "log" / name).read_bytes())
    log = read_log(copy)
    assert log.state is LogState.LOST
    assert len(log.table) == len(read_log(run, table).table)

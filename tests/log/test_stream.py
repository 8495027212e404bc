from __future__ import annotations

import errno
import os
from pathlib import Path

import pyarrow as pa
import pytest

from provrunner.errors import LogError
from provrunner.log import read_log
from provrunner.log.columns import EventRow, event_batch
from provrunner.log.journal import Journal
from provrunner.log.messages import END_OF_STREAM, Damage, parse_message
from provrunner.log.stream import StreamFile
from provrunner.log.streamreader import StreamReader
from provrunner.schema import EVENTS, FORMAT_VERSION, LogState

from .conftest import dead_owner


def write_stream(path: Path, batches: int = 2, **metadata: str) -> list[int]:
    """Write small batches of one row; return the offsets at which messages end."""
    described = {"format": "1", "run_id": "0003-a", "first_row": "0", **dead_owner(), **metadata}
    stream = StreamFile(path, EVENTS, metadata=described, rows=0)
    ends = [stream.size]
    for seq in range(batches):
        row = EventRow(seq, seq, seq, None, -1, "value", "a", '{"value": 1}')
        stream.append(event_batch([row]))
        ends.append(stream.size)
    stream.close()
    Journal(path.with_name("metrics.r0.0.journal")).close()
    return ends


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.r0.0.arrows"


def test_a_stream_is_plain_arrow_ipc_for_any_reader(path):
    write_stream(path)
    table = pa.ipc.open_stream(path.read_bytes()).read_all()
    assert table["seq"].to_pylist() == [0, 1]
    assert table.schema.metadata[b"format"] == b"1"


def test_a_stream_cut_at_any_byte_keeps_each_whole_batch_and_is_never_complete(path):
    ends = write_stream(path)
    for cut in reversed(range(ends[-1])):
        os.truncate(path, cut)
        reader = StreamReader(path, "events")
        batches = reader.poll()
        assert len(batches) == max(0, sum(end <= cut for end in ends) - 1), cut
        assert reader.damage is None, (cut, reader.damage)
        assert reader.torn == (cut not in (0, *ends)), cut
        if cut in (0, *ends) or cut % 97 == 0:
            os.utime(path, (0, 0))  # without its head only the file's age tells
            state = read_log(path).state
            expected = LogState.TORN if reader.torn else LogState.LOST
            assert state is (LogState.CORRUPT if cut < ends[0] else expected), cut


def test_a_torn_tail_is_reported_with_its_offset(path):
    ends = write_stream(path)
    path.write_bytes(path.read_bytes()[:-1])
    log = read_log(path)
    assert (log.state, log.offset) == (LogState.TORN, ends[-2])
    assert log.detail == f"events.r0.0.arrows: half a batch from byte {ends[-2]} was cut"
    assert log.table["seq"].to_pylist() == [0]


def test_a_flipped_bit_is_found_wherever_it_is(path):
    ends = write_stream(path)
    with path.open("r+b", buffering=0) as file:
        data = file.read()
        for at in range(len(data)):
            os.pwrite(file.fileno(), bytes([data[at] ^ 1 << (at % 8)]), at)
            check_flip(path, ends, at)
            os.pwrite(file.fileno(), data[at : at + 1], at)


def check_flip(path: Path, ends: list[int], at: int) -> None:
    reader = StreamReader(path, "events")
    batches = reader.poll()
    assert reader.damage is not None, at
    # the head of the stream is vouched for by the chain of the first batch
    last = max(end for end in (0, *ends) if end <= at)
    assert reader.damage.offset == last or at < ends[0], at
    assert len(batches) <= max(0, sum(end <= at for end in ends) - 1), at


def test_damage_is_reported_with_file_and_offset(path):
    ends = write_stream(path)
    data = bytearray(path.read_bytes())
    data[ends[1] + 500] ^= 4
    path.write_bytes(data)
    log = read_log(path)
    assert (log.state, log.offset) == (LogState.CORRUPT, ends[1])
    assert log.detail == f"events.r0.0.arrows: a wrong checksum at byte {ends[1]}"
    assert log.table["seq"].to_pylist() == [0]


def test_a_batch_taken_out_breaks_the_chain(path):
    ends = write_stream(path, batches=3)
    data = path.read_bytes()
    path.write_bytes(data[: ends[1]] + data[ends[2] :])
    log = read_log(path)
    assert (log.state, log.offset) == (LogState.CORRUPT, ends[1])
    assert "a broken chain" in log.detail


def test_bytes_after_the_end_of_the_stream_are_damage(path):
    ends = write_stream(path)
    path.write_bytes(path.read_bytes() + END_OF_STREAM + b"\xff\xff\xff\xff\0\0\0\0")
    assert read_log(path).offset == ends[-1] + 8


def test_a_newer_format_is_refused_clearly(path):
    write_stream(path, format=str(FORMAT_VERSION + 1))
    with pytest.raises(LogError, match="format 2; this provrunner reads up to 1; install a newer"):
        read_log(path)


def test_a_table_of_other_columns_is_refused(path):
    schema = pa.schema([(f"c{i}", pa.int8()) for i in range(50)])
    stream = StreamFile(path, schema, metadata={"format": "1"}, rows=0)
    stream.close()
    log = read_log(path)
    assert (log.state, log.offset) == (LogState.CORRUPT, 0)
    assert "the columns of another table" in log.detail


def test_a_writer_never_opens_a_file_that_is_there(path):
    path.write_bytes(b"x")
    with pytest.raises(FileExistsError):
        write_stream(path)
    assert path.read_bytes() == b"x"


def test_a_write_that_fails_half_way_is_cut_back_to_the_last_whole_batch(path, monkeypatch):
    stream = StreamFile(path, EVENTS, metadata={"format": "1"}, rows=0)
    batch = event_batch([EventRow(0, 0, 0, None, None, "value", "a")])
    stream.append(batch)
    whole = path.read_bytes()
    write = os.write

    def half(descriptor: int, data: bytes) -> int:
        if len(data) < 500:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(OSError, match="No space"):
        stream.append(batch)
    monkeypatch.undo()
    assert path.read_bytes() == whole
    assert not stream.broken
    stream.append(event_batch([EventRow(1, 0, 0, None, None, "value", "a")]))
    stream.close()
    assert read_log(path).table["seq"].to_pylist() == [0, 1]


def test_an_fsync_that_failed_is_never_asked_again(path, monkeypatch):
    stream = StreamFile(path, EVENTS, metadata={"format": "1"}, rows=0)

    def refuse(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="Input/output"):
        stream.sync()
    assert stream.broken
    stream.close()


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\xff\xff\xff\xff\x7f" + b"\0" * 64,
        b"\xff\xff\xff\xff\x10\x00\x00\x00" + b"\xff" * 64,
        b"\xff\xff\xff\xff\x40\x00\x00\x00" + b"\x7f" * 128,
        b"PK\x03\x04" * 8,
    ],
)
def test_forged_heads_are_damage_and_no_crash(data):
    with pytest.raises(Damage):
        parse_message(memoryview(data), 0)

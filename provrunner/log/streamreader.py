"""Reads live streams batch by batch, from where it last stopped, while they grow."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa

from provrunner.errors import LogError
from provrunner.log.messages import (
    CHAIN,
    CRC_SCHEMA,
    END,
    FIRST_ROW,
    RECORD_BATCH,
    SCHEMA,
    Damage,
    Message,
    check_sizes,
    find_whole_batch,
    head_checksum,
    parse_message,
)
from provrunner.schema import EVENTS, FORMAT_VERSION, METRICS

__all__ = ["StreamReader"]


class StreamReader:
    """One live stream, read by plain reads and never beyond the last whole message.

    Attributes:
        metadata: the stream's schema metadata; empty until its first message is whole.
        rows: row number that the next batch must start with.
        offset: bytes that were found whole.
        ended: the end-of-stream mark was read.
        torn: half a message lies behind the last whole one.
        damage: what stopped the reader for good; None while nothing did.
    """

    def __init__(self, path: Path, table: str):
        self.path = path
        self.metadata: dict[str, str] = {}
        self.rows = 0
        self.offset = 0
        self.ended = False
        self.torn = False
        self.damage: Damage | None = None
        self._schema = METRICS if table == "metrics" else EVENTS
        self._stored: pa.Schema | None = None
        self._digest = hashlib.sha256()

    @property
    def first_row(self) -> int:
        """Row number of the stream's first row within its rank."""
        return _count(self.metadata.get("first_row", "0"))

    def poll(self) -> list[tuple[int, pa.RecordBatch]]:
        """Return the batches that became whole since the last call, with their first row numbers.

        Raises:
            FileNotFoundError: the stream is gone: the run was sealed.
            LogError: it was written in a newer format.
        """
        if self.damage is not None:
            return []
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.offset)
            data = memoryview(file.readall() or b"")
        batches: list[tuple[int, pa.RecordBatch]] = []
        try:
            self._read(data, batches)
        except Damage as damage:
            self.damage = Damage(self.offset, str(damage).rpartition(" at byte ")[0])
        return batches

    def sha256(self, size: int) -> str | None:
        """Return the digest of the first `size` bytes; None when the file has fewer."""
        with self.path.open("rb") as file:
            data = file.read(size)
        return hashlib.sha256(data).hexdigest() if len(data) == size else None

    def _read(self, data: memoryview, batches: list[tuple[int, pa.RecordBatch]]) -> None:
        messages: list[Message] = []
        at = 0
        while (message := parse_message(data, at)) is not None:
            if self.ended:
                raise Damage(at, "bytes after the end of the stream")
            messages.append(message)
            check_sizes(messages, len(data))
            self._take(data, message, batches)
            at = message.end
        self.torn = at < len(data)
        if self.torn and find_whole_batch(data, at):
            raise Damage(at, "an unreadable message before whole ones")

    def _take(
        self, data: memoryview, message: Message, batches: list[tuple[int, pa.RecordBatch]]
    ) -> None:
        raw = data[message.start : message.end]
        if self._stored is None:
            self._take_head(raw, message)
        elif message.kind == END:
            self.ended = True
        else:
            batches.append((self.rows, self._batch(raw, message)))
            self.rows += message.rows
        self._digest.update(raw)
        self.offset += len(raw)

    def _take_head(self, raw: memoryview, message: Message) -> None:
        if message.kind != SCHEMA:
            raise Damage(message.start, "no schema")
        schema, metadata = _schema(bytes(raw))
        version = _count(metadata.get("format", ""))
        if version > FORMAT_VERSION:
            raise LogError(
                f"{self.path} has log format {version}; this provrunner reads up to "
                f"{FORMAT_VERSION}; install a newer provrunner"
            )
        if (
            version < 1
            or CRC_SCHEMA not in metadata
            or not schema.remove_metadata().equals(self._schema)
        ):
            raise Damage(message.start, "the columns of another table")
        self._stored = schema
        self.metadata = metadata
        self.rows = self.first_row

    def _batch(self, raw: memoryview, message: Message) -> pa.RecordBatch:
        if message.kind != RECORD_BATCH:
            raise Damage(message.start, "a message that no live stream has")
        if message.metadata.get(CHAIN) != self._digest.hexdigest():
            raise Damage(message.start, "a broken chain")
        if message.metadata.get(FIRST_ROW) != str(self.rows):
            raise Damage(message.start, f"row {message.metadata.get(FIRST_ROW)} after {self.rows}")
        try:
            # a stream of its own for each would cost five times as much
            found = pa.ipc.read_message(pa.py_buffer(bytes(raw)))
            batch = pa.ipc.read_record_batch(found, self._stored)
            batch.validate(full=True)
        except (pa.ArrowException, OSError, EOFError) as error:
            raise Damage(message.start, f"an unreadable batch ({error})") from error
        return batch


def _schema(raw: bytes) -> tuple[pa.Schema, dict[str, str]]:
    try:
        schema = pa.ipc.read_schema(pa.py_buffer(raw))
        metadata = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise Damage(0, f"an unreadable schema ({error})") from error
    checksum = metadata.get(CRC_SCHEMA, "")
    if checksum and head_checksum(raw, checksum.encode()) != checksum:
        raise Damage(0, "a wrong checksum")
    return schema, metadata


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0

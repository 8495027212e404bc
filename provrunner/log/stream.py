"""An Arrow IPC stream that is whole after every write, whatever the disk does."""

from __future__ import annotations

import contextlib
import hashlib
import os
import zlib
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from provrunner.log.messages import (
    CHAIN,
    CRC_BODY,
    CRC_HEAD,
    CRC_SCHEMA,
    END_OF_STREAM,
    FIRST_ROW,
    HEAD_BYTES,
    head_checksum,
)

__all__ = ["StreamFile", "encode_batch", "encode_schema", "write_all"]

_COMPRESS_BYTES = 4096
_CHECKSUM_PLACES = (b"CRC.HEAD", b"CRC.BODY")
_LENGTH_PLACE = b"HEADSIZE"


class StreamFile:
    """One live stream: opened exclusively, grown by whole messages, cut back when a write fails.

    Attributes:
        path: where it lies.
        rows: row number that the next batch starts with.
        size: bytes written and known to be whole.
        broken: a failed write could not be cut back; nothing more may be written.
    """

    def __init__(self, path: Path, schema: pa.Schema, *, metadata: Mapping[str, str], rows: int):
        self.path = path
        self.rows = rows
        self.size = 0
        self.broken = False
        self._digest = hashlib.sha256()
        self._descriptor = os.open(
            path, os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o666
        )
        try:
            self._write(encode_schema(schema, metadata))
        except OSError:
            os.close(self._descriptor)
            path.unlink(missing_ok=True)
            raise

    @property
    def sha256(self) -> str:
        """Digest of all bytes written."""
        return self._digest.hexdigest()

    def append(self, batch: pa.RecordBatch) -> None:
        """Write a batch with its checksums and chain in one call of the system.

        Raises:
            OSError: it could not be written; the stream ends before it, or is `broken`.
        """
        data = encode_batch(batch, first_row=self.rows, sha256_before=self.sha256)
        self._write(data, rows=batch.num_rows)

    def finish(self) -> None:
        """Write the end-of-stream mark."""
        self._write(END_OF_STREAM)

    def sync(self) -> None:
        """Wait until the disk has all."""
        try:
            os.fsync(self._descriptor)
        except OSError:
            # pages the disk refused are marked clean: asking again would be told they are safe
            self.broken = True
            raise

    def is_there(self) -> bool:
        """Say whether the path still names this file."""
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self._descriptor))
        except OSError:
            return False

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)

    def _write(self, data: bytes, *, rows: int = 0) -> None:
        digest = self._digest.copy()
        digest.update(data)
        after = self.size + len(data), self.rows + rows, digest
        try:
            write_all(self._descriptor, data)
            # no call from here on: what a signal handler raises comes before all three or after
            self.size, self.rows, self._digest = after
        except BaseException:
            self._cut_back()
            raise

    def _cut_back(self) -> None:
        self.broken = True
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, self.size)
            self.broken = False


def encode_schema(schema: pa.Schema, metadata: Mapping[str, str]) -> bytes:
    """Encode the message a stream begins with; its metadata gets a checksum of the whole."""
    place = _CHECKSUM_PLACES[0]
    message = bytes(schema.with_metadata({**metadata, CRC_SCHEMA: place}).serialize())
    return message.replace(place, head_checksum(message, place).encode())


def encode_batch(batch: pa.RecordBatch, *, first_row: int, sha256_before: str) -> bytes:
    """Encode a batch as one message that carries its row number, checksums and chain.

    Batches over 4 KiB are compressed with zstd; for smaller ones it costs more than it saves.
    """
    compression = "zstd" if batch.nbytes > _COMPRESS_BYTES else None
    buffer = pa.BufferOutputStream()
    writer = pa.RecordBatchStreamWriter(
        buffer, batch.schema, options=pa.ipc.IpcWriteOptions(compression=compression)
    )
    writer.write_batch(
        batch,
        custom_metadata={
            FIRST_ROW: str(first_row),
            CHAIN: sha256_before,
            HEAD_BYTES: _LENGTH_PLACE,
            CRC_HEAD: _CHECKSUM_PLACES[0],
            CRC_BODY: _CHECKSUM_PLACES[1],
        },
    )
    stream = buffer.getvalue().to_pybytes()
    schema_bytes = 8 + int.from_bytes(stream[4:8], "little")
    return _with_checksums(stream[schema_bytes:])


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`: one call of the system unless it takes less than all."""
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, data[written:])


def _with_checksums(message: bytes) -> bytes:
    head_bytes = int.from_bytes(message[4:8], "little")
    body = message[8 + head_bytes :]
    head = message[: 8 + head_bytes].replace(_LENGTH_PLACE, f"{head_bytes:08d}".encode())
    checksums = (
        head_checksum(head, *_CHECKSUM_PLACES).encode(),
        f"{zlib.crc32(body):08x}".encode(),
    )
    for place, checksum in zip(_CHECKSUM_PLACES, checksums, strict=True):
        head = head.replace(place, checksum)
    return head + body

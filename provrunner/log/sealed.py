"""Sealed tables and the seal that vouches for them, as they are read."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from provrunner.errors import LogError
from provrunner.log.columns import decoded, empty_table
from provrunner.log.folder import NEXT_SEAL_FILE, SEAL_FILE, sealed_name
from provrunner.log.messages import END, RECORD_BATCH, Damage, Message, check_sizes, parse_message
from provrunner.schema import FORMAT_VERSION, RunStatus

__all__ = [
    "DAMAGED_SEAL",
    "DamagedSealError",
    "Seal",
    "SealedFile",
    "SealedStream",
    "parse_sealed",
    "read_seal",
    "seal_of",
    "sealed_prefix",
]

DAMAGED_SEAL = "its seal.json is damaged"
"""The reason that is told of a run whose seal cannot be trusted."""

_MAGIC = b"ARROW1\0\0"
_BLOCK_BYTES = 16 << 10
# to wake threads takes longer than to unpack the few kilobytes of most logs
_OPTIONS = pa.ipc.IpcReadOptions(use_threads=False)
_OWN_DIGEST = re.compile(rb',\n "sha256": "([0-9a-f]{64})"\n\}\n\Z')


class DamagedSealError(LogError):
    """A `seal.json` that cannot be trusted; the logs of other runs can."""


@dataclass(frozen=True, slots=True)
class SealedFile:
    """What the seal says of one sealed table.

    Attributes:
        rows: how many it has.
        size_bytes: size of the file.
        sha256: digest of the file.
        blocks: CRC-32 of each 16 KiB of the file in hex: where it is damaged if it is.
    """

    rows: int
    size_bytes: int
    sha256: str
    blocks: tuple[str, ...]

    @classmethod
    def of(cls, data: bytes, rows: int) -> SealedFile:
        """Describe the bytes of a sealed file."""
        return cls(rows, len(data), hashlib.sha256(data).hexdigest(), _blocks(data))


@dataclass(frozen=True, slots=True)
class SealedStream:
    """What the seal says of one live stream that was merged into a sealed table.

    Attributes:
        rows: rows it gave, those of its journal included.
        state: `whole`, `torn` (half a batch at its end was cut) or `corrupt` (the file was kept).
        detail: what was found; None when it was whole.
        offset: first byte that could not be trusted.
    """

    table: str
    rank: int
    segment: int
    rows: int
    state: str = "whole"
    detail: str | None = None
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Seal:
    """The contents of `seal.json`."""

    sweep_id: str
    run_id: str
    status: RunStatus
    reason: str | None
    files: Mapping[str, SealedFile]
    streams: tuple[SealedStream, ...]

    def to_json(self) -> str:
        """Write the seal in one way only, so that sealing again gives the same bytes."""
        document = {
            "format": FORMAT_VERSION,
            "sweep_id": self.sweep_id,
            "run_id": self.run_id,
            "status": self.status.value,
            "reason": self.reason,
            "files": {
                sealed_name(table): asdict(file) for table, file in sorted(self.files.items())
            },
            "streams": [asdict(stream) for stream in self.streams],
        }
        body = json.dumps(document, indent=1, ensure_ascii=False).removesuffix("\n}")
        return f'{body},\n "sha256": "{_text_digest(body)}"\n}}\n'

    def merged(self, table: str) -> set[tuple[int, int]]:
        """Return rank and segment of each stream that lies in a sealed table."""
        return {(s.rank, s.segment) for s in self.streams if s.table == table}


def read_seal(log: Path) -> Seal | None:
    """Read `seal.json` of a log folder; None when there is none.

    Raises:
        DamagedSealError: it is damaged, or gone where tables are that only a seal leaves there.
        LogError: it is of a newer format.
    """
    seal = _read(log / SEAL_FILE)
    if seal is None and _lacks_seal(log):
        raise DamagedSealError(f"{log / SEAL_FILE} is gone, though what it sealed is there")
    return seal


def seal_of(log: Path, table: str) -> Seal | None:
    """Return the seal that holds for one table, None when the table is not sealed.

    Sealing a run again replaces three files one after the other. Until the last is in place the
    next seal, written before the first, vouches for those that are.
    """
    seal = read_seal(log)
    following = _read(log / NEXT_SEAL_FILE) if seal is not None else None
    if seal is None or following is None:
        return seal
    path = log / sealed_name(table)
    found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    return following if found == following.files[table].sha256 else seal


def parse_sealed(data: bytes, table: str, promised: SealedFile | None) -> pa.Table:
    """Read a sealed table from the bytes of its file, every offset and index checked.

    Args:
        data: the whole file.
        table: `metrics` or `events`.
        promised: what the seal says; None when there is no seal.

    Raises:
        Damage: these are not the bytes that were sealed, or no table of ours.
    """
    if promised is not None and hashlib.sha256(data).hexdigest() != promised.sha256:
        raise Damage(_first_damage(data, promised.blocks), "other bytes than were sealed")
    if not data.startswith(_MAGIC):
        raise Damage(0, "no Arrow file")
    messages = _messages(data)
    if not messages or messages[-1].kind != END:
        raise Damage(messages[-1].end if messages else len(_MAGIC), "half a message")
    check_sizes(messages, len(data))
    try:
        read = pa.ipc.open_stream(
            pa.py_buffer(data).slice(len(_MAGIC)), options=_OPTIONS
        ).read_all()
        read.validate(full=True)
        return decoded(read, table)
    except (pa.ArrowException, OSError) as error:
        raise Damage(len(_MAGIC), f"no table of ours ({error})") from error


def sealed_prefix(data: bytes, table: str, offset: int) -> pa.Table:
    """Return the rows of a damaged sealed table whose batches end before byte `offset`."""
    batches: list[pa.RecordBatch] = []
    try:
        whole = _messages(data[:offset])
        check_sizes(whole, len(data))
        stream = pa.ipc.open_stream(pa.py_buffer(data).slice(len(_MAGIC)), options=_OPTIONS)
        for _ in range(sum(message.kind == RECORD_BATCH for message in whole)):
            batches.append(stream.read_next_batch())
        prefix = pa.Table.from_batches(batches, stream.schema)
        prefix.validate(full=True)
        return decoded(prefix, table)
    except (pa.ArrowException, OSError, Damage, StopIteration):
        return empty_table(table)


def _messages(data: bytes) -> list[Message]:
    """Return the whole messages; the last is the end of the stream in a file that has all."""
    # the footer's offsets are not looked at: the messages themselves follow one another
    view = memoryview(data)
    messages: list[Message] = []
    at = len(_MAGIC)
    while (message := parse_message(view, at, checked=False)) is not None:
        messages.append(message)
        at = message.end
        if message.kind == END:
            break
    return messages


def _blocks(data: bytes) -> tuple[str, ...]:
    view = memoryview(data)
    starts = range(0, len(data), _BLOCK_BYTES)
    return tuple(f"{zlib.crc32(view[at : at + _BLOCK_BYTES]):08x}" for at in starts)


def _first_damage(data: bytes, blocks: tuple[str, ...]) -> int:
    """Return the start of the first block that is not what was sealed."""
    found = _blocks(data)
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(found, blocks, strict=False))
    return min(sum(1 for _ in same) * _BLOCK_BYTES, len(data))


def _read(path: Path) -> Seal | None:
    try:
        data = path.read_bytes()
        document = json.loads(data)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DamagedSealError(f"{path} is damaged: {error}") from error
    try:
        if document["format"] > FORMAT_VERSION:
            raise LogError(
                f"{path} has log format {document['format']}; this provrunner reads up to "
                f"{FORMAT_VERSION}; install a newer provrunner"
            )
        seal = _from_document(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedSealError(f"{path} is damaged: {error!r}") from error
    digest = _OWN_DIGEST.search(data)
    if digest is None or digest[1].decode() != hashlib.sha256(data[: digest.start()]).hexdigest():
        raise DamagedSealError(f"{path} is damaged: it does not have the digest that it names")
    return seal


def _lacks_seal(log: Path) -> bool:
    # the next seal is there before the tables, and becomes the seal after them: in this order
    # none that comes meanwhile is missed
    return any((log / sealed_name(table)).exists() for table in ("metrics", "events")) and not (
        (log / NEXT_SEAL_FILE).exists() or (log / SEAL_FILE).exists()
    )


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def _from_document(document: Mapping[str, Any]) -> Seal:
    return Seal(
        sweep_id=str(document["sweep_id"]),
        run_id=str(document["run_id"]),
        status=RunStatus(document["status"]),
        reason=document["reason"],
        files={
            table: _file(document["files"][sealed_name(table)]) for table in ("metrics", "events")
        },
        streams=tuple(SealedStream(**stream) for stream in document["streams"]),
    )


def _file(entry: Mapping[str, Any]) -> SealedFile:
    return SealedFile(**{**entry, "blocks": tuple(entry["blocks"])})

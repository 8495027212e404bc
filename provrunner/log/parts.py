"""Tables derived of runs that have ended, kept so that nobody need derive them from logs again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from provrunner.ids import canonical_json, digest, file_digest
from provrunner.log.epochs import Epochs, Metric, metrics_of
from provrunner.log.folder import EVENTS_FILE, METRICS_FILE, SEAL_FILE
from provrunner.log.objective import stages_of
from provrunner.plan import Objective
from provrunner.schema import TABLES

__all__ = [
    "PARTS_FOLDER",
    "SOURCES_FILE",
    "TABLES_FOLDER",
    "DamagedPartError",
    "Part",
    "Sources",
    "find_parts",
    "fingerprint",
    "read_sources",
    "with_files",
]

TABLES_FOLDER = "tables"
PARTS_FOLDER = "parts"
SOURCES_FILE = "sources.json"
_FORMAT = 1
_DERIVATION = 3
"""To be raised with every change of what is derived: tables made before it are derived anew."""

_SEALED = {METRICS_FILE, EVENTS_FILE, SEAL_FILE}


class DamagedPartError(ValueError):
    """Stored tables that are not the bytes that were written."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What stored tables were derived from; it is written beside them.

    Attributes:
        objective: what the runs were judged by.
        stages: in which stages some run logged it.
        metrics: every metric that was logged, with its column of `epochs`; None where it has none.
        runs: the fingerprint of each run's log, by run id.
        holds_others: whether the tables have rows of further runs.
        removals: how many rows of `collected` the table `artifacts` rests on, and their digest.
        files: SHA-256 of each table's file, by table.
        plan: SHA-256 of the plan; None where the tables are those of some runs alone.
        summary: SHA-256 of the summary that was made of them; None likewise.
    """

    objective: Objective
    stages: frozenset[str]
    metrics: Mapping[Metric, str | None]
    runs: Mapping[str, str]
    holds_others: bool = False
    removals: tuple[int, str] = (0, "")
    files: Mapping[str, str] = field(default_factory=dict)
    plan: str | None = None
    summary: str | None = None

    def to_json(self) -> str:
        """Write what `from_json` reads, in one way only."""
        document = {
            "format": _FORMAT,
            "derivation": _derivation(),
            "objective": asdict(self.objective),
            "stages": sorted(self.stages),
            "metrics": [[*metric, label] for metric, label in sorted(self.metrics.items())],
            "holds_others": self.holds_others,
            "removals": self.removals,
            "files": dict(self.files),
            "plan": self.plan,
            "summary": self.summary,
            "runs": dict(self.runs),
        }
        return json.dumps(document, indent=0, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Sources | None:
        """Read what `to_json` wrote; None where it is damaged or of another version."""
        try:
            document = json.loads(text)
            if (document["format"], document["derivation"]) != (_FORMAT, _derivation()):
                return None
            return cls(
                Objective(**document["objective"]),
                frozenset(document["stages"]),
                {(name, stage): label for name, stage, label in document["metrics"]},
                dict(document["runs"]),
                bool(document["holds_others"]),
                (int(document["removals"][0]), str(document["removals"][1])),
                dict(document["files"]),
                document["plan"],
                document["summary"],
            )
        except (ValueError, LookupError, TypeError):
            return None


@dataclass(frozen=True)
class Part:
    """Stored tables of some runs.

    Attributes:
        folder: where they lie.
        sources: what they were derived from.
        runs: the ids of the runs that count; rows of others are left out.
    """

    folder: Path
    sources: Sources
    runs: frozenset[str]

    @cached_property
    def stages(self) -> frozenset[str]:
        """In which stages these runs logged the objective.

        Raises:
            DamagedPartError: the table that tells is gone, or not what was written.
        """
        if self._is_whole:
            return self.sources.stages
        return stages_of(self.read("metrics"), self.sources.objective.metric)

    @cached_property
    def metrics(self) -> frozenset[Metric]:
        """Every metric that these runs logged.

        Raises:
            DamagedPartError: as for `stages`.
        """
        if self._is_whole:
            return frozenset(self.sources.metrics)
        return metrics_of(self.read("metrics"))

    def read(self, name: str) -> pa.Table:
        """Read the rows of a public table, without the columns that depend on the plan.

        Raises:
            DamagedPartError: its file is gone, or not what was written.
        """
        return self._rows(name).select(TABLES[name].names).cast(TABLES[name])

    def read_epochs(self) -> Epochs:
        """Read what `find_epochs` found of these runs.

        Raises:
            DamagedPartError: the file is gone, or not what was written.
        """
        rows = self._rows("epochs")
        labels = {metric: label for metric, label in self.sources.metrics.items() if label}
        columns = {metric: rows[label] for metric, label in labels.items()}
        known = {
            metric: column for metric, column in columns.items() if column.null_count < len(rows)
        }
        base = rows.select(TABLES["epochs"].names).cast(TABLES["epochs"])
        return Epochs(base, known, self.metrics)

    @property
    def _is_whole(self) -> bool:
        """Whether there are rows of no other runs."""
        return not self.sources.holds_others and len(self.runs) == len(self.sources.runs)

    def _rows(self, name: str) -> pa.Table:
        from pyarrow import parquet

        path = self.folder / f"{name}.parquet"
        try:
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() != self.sources.files.get(name):
                raise DamagedPartError(f"{path} is not what was derived")
            # in this thread: nothing of it is left running when the program ends
            rows = parquet.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
        except (OSError, pa.ArrowException) as error:
            raise DamagedPartError(f"{path} cannot be read: {error}") from error
        if not self._is_whole:
            rows = rows.filter(pc.is_in(rows["run_id"], pa.array(sorted(self.runs), pa.utf8())))
        return rows


def fingerprint(log: str) -> str | None:
    """Return what tells a sealed log from every other; None for one that is not, or holds more.

    It is the digest of the seal, which has those of the sealed files, and the size of these.

    Args:
        log: the log folder; a path as text, for there may be ten thousand.
    """
    try:
        with os.scandir(log) as entries:
            sizes = {entry.name: entry.stat().st_size for entry in entries}
        if sizes.keys() != _SEALED:
            return None
        with open(f"{log}/{SEAL_FILE}", "rb", buffering=0) as file:  # noqa: PTH123
            seal = file.read(sizes[SEAL_FILE] + 1)
    except OSError:
        return None
    return f"{hashlib.sha256(seal).hexdigest()[:32]} {sum(sizes.values())}"


def find_parts(
    folder: Path, objective: Objective, fingerprints: Mapping[str, str]
) -> tuple[Part, ...]:
    """Return the stored tables of a sweep that still tell of its logs as they are.

    Args:
        folder: the sweep's folder.
        objective: what it is judged by.
        fingerprints: of the logs of the runs that may be taken from there, by run id.

    Returns:
        Parts that have no run in common.
    """
    tables = folder / TABLES_FOLDER
    parts: list[Part] = []
    left = dict(fingerprints)
    for place in (tables, *sorted((tables / PARTS_FOLDER).glob("[!.]*"))):
        sources = read_sources(place / SOURCES_FILE)
        if sources is None or sources.objective != objective:
            continue
        same = frozenset(run for run, told in sources.runs.items() if left.get(run) == told)
        if same:
            parts.append(Part(place, sources, same))
            left = {run: told for run, told in left.items() if run not in same}
    return tuple(parts)


def read_sources(path: Path) -> Sources | None:
    """Read a file of sources; None where there is none that can be used."""
    try:
        return Sources.from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None


def with_files(sources: Sources, place: Path, tables: Iterable[str]) -> Sources:
    """Add the digests of the files of some tables, which lie in a folder."""
    files = {name: file_digest(place / f"{name}.parquet") for name in tables}
    return replace(sources, files=files)


def _derivation() -> str:
    columns: dict[str, Any] = {name: str(schema) for name, schema in TABLES.items()}
    return digest(canonical_json({"version": _DERIVATION, "columns": columns}))[:16]

"""Write the derived files of a sweep, each as a whole or not at all."""

from __future__ import annotations

import filecmp
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from provrunner.errors import LogError
from provrunner.ids import digest
from provrunner.log.compact import remove_parts
from provrunner.log.derive import STORED_TABLES
from provrunner.log.folder import run_folder
from provrunner.log.liveness import Owner, is_alive, this_process
from provrunner.log.parts import SOURCES_FILE, TABLES_FOLDER, with_files

if TYPE_CHECKING:
    from provrunner.report.results import Sweep
    from provrunner.sensitivity import Summary

__all__ = [
    "holding",
    "replace_file",
    "temporary_beside",
    "write_files",
    "write_parquet",
    "write_summary",
]

_STALE_S = 3600.0
_TEMPORARY = re.compile(r"\.(?P<machine>[0-9a-f]{8})-(?P<pid>[0-9]+)-[0-9a-f]{8}\.tmp$")
_ALWAYS = frozenset({"json", "provn"})
_CHEAP_STATEMENTS = 20_000
"""Statements of a graph, about 60 runs, up to which every serialisation is written unasked."""
_REPEATED = ("stage", "name", "kind", "subject")
"""Texts that many rows of the tables `metrics` and `events` have in common."""
_KEY = "run_id"
"""A category in every table, for Polars joins no category with the text of another table."""

_CAPTIONS = {
    "prov/sweep.svg": "What led to what in this sweep",
    "prov/lineage.svg": "What the best number came from",
    "prov/plan.svg": "What each run does, step by step",
    "prov/plan_data.svg": "What flows from step to step",
    "prov/best_run.svg": "How the best run came about",
}
_LINKS = {
    "Summary": "summary.json",
    "Runs": "tables/runs.parquet",
    "Epochs": "tables/epochs.parquet",
    "PROV-JSON": "prov/sweep.json",
    "PROV-N": "prov/sweep.provn",
}

_Writer = Callable[[Path], object]


def write_files(sweep: Sweep) -> tuple[Path, ...]:
    """Write tables, PROV documents, summary and report of a sweep; return their paths.

    Raises:
        LogError: a file cannot be written; those before it are whole.
    """
    paths = _write_all(sweep.folder, _writers(sweep))
    remove_parts(sweep.folder)
    return paths


def write_summary(summary: Summary, folder: Path | str) -> tuple[Path, ...]:
    """Write a summary as JSON, Markdown and Parquet, with a sweep of points worth running next.

    Returns:
        The files: summary.json, summary.md, sensitivity.parquet, and next.yaml where there are
        such points.

    Raises:
        LogError: a file cannot be written.
    """
    folder = Path(folder)
    effects = ("sensitivity.parquet", _parquet(summary.effects))
    return _write_all(folder, [*_texts(summary, folder), effects])


def _write_all(folder: Path, writers: Iterable[tuple[str, _Writer]]) -> tuple[Path, ...]:
    written = []
    for name, write in writers:
        path = folder / name
        try:
            replace_file(path, write)
        except OSError as error:
            raise LogError(f"cannot write {path}: {error.strerror or error}") from error
        written.append(path)
    return tuple(written)


def _writers(sweep: Sweep) -> Iterator[tuple[str, _Writer]]:
    """Yield each derived file's name in the folder, and what writes it."""
    for name, table in sweep.tables.items():
        yield f"tables/{name}.parquet", _parquet(table)
    yield f"{TABLES_FOLDER}/{SOURCES_FILE}", lambda path: path.write_text(_sources(sweep), "utf-8")
    from provrunner.report.export import draw_pictures

    pictures = {f"prov/{name}.svg": picture for name, picture in draw_pictures(sweep).items()}
    yield from _provenance(sweep, pictures)
    yield from _summary(sweep, pictures)


def _sources(sweep: Sweep) -> str:
    """Say what the tables, which are written by now, were derived from."""
    return with_files(sweep.sources(), sweep.folder / TABLES_FOLDER, STORED_TABLES).to_json()


def _parquet(table: pa.Table) -> _Writer:
    return lambda path: write_parquet(table, path)


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a public table; texts that rows repeat are read as categories.

    pandas reads the metrics of many runs in half the time and without a text for each row.
    """
    # how a table came in pieces must not show in the bytes
    table = table.combine_chunks()
    repeated = (_KEY, *_REPEATED) if "segment" in table.column_names else (_KEY,)
    for position, name in enumerate(table.column_names):
        if name in repeated:
            texts = table.column(position).dictionary_encode()
            table = table.set_column(position, name, texts)
    pq.write_table(table, path, **_layout(table))


def _layout(table: pa.Table) -> dict[str, Any]:
    """Return how Parquet lays out a table of metrics, for quick reads of the values of many runs.

    Logged numbers hardly repeat: their bytes are split by place, where a dictionary of them would
    only be in the way, and most of what can be saved is in runs of equal bytes.
    """
    if not {"step", "stage", "name", "value"}.issubset(table.column_names):
        return {"compression": "zstd"}
    compression = dict.fromkeys(table.column_names, "zstd")
    return {
        "row_group_size": 1 << 18,
        # a tenth larger, and read in half the time
        "compression": {**compression, "value": "lz4"},
        "use_dictionary": [name for name in table.column_names if name != "value"],
        "use_byte_stream_split": ["value"],
    }


def _provenance(sweep: Sweep, pictures: Mapping[str, bytes]) -> Iterator[tuple[str, _Writer]]:
    from provrunner.report.export import graph_writers

    graph = sweep.graph()
    cheap = graph.nodes.num_rows + graph.edges.num_rows <= _CHEAP_STATEMENTS
    for suffix, write in graph_writers(graph).items():
        if cheap or suffix in _ALWAYS:
            yield f"prov/sweep.{suffix}", write
    for name, picture in pictures.items():
        yield name, holding(picture)


def _summary(sweep: Sweep, pictures: Mapping[str, bytes]) -> Iterator[tuple[str, _Writer]]:
    from provrunner.graph import build_view
    from provrunner.report.html import build_page

    summary = sweep.sensitivity()
    yield from _texts(summary, sweep.folder, sweep.about())
    page = build_page(
        summary=summary.to_dict(),
        plan=sweep.plan,
        tables=sweep.tables,
        pictures={_CAPTIONS[name]: picture for name, picture in pictures.items()},
        links=_LINKS,
        view=build_view(sweep.graph()),
        configs=_configs(sweep),
    )
    yield "report.html", _text(page)


def _configs(sweep: Sweep) -> frozenset[str]:
    """Return the ids of the runs that left the configuration they were given."""
    ids = (point.run_id for point in sweep.plan.points)
    kept = (run for run in ids if (run_folder(sweep.folder, run) / "config.yaml").is_file())
    return frozenset(kept)


def _texts(
    summary: Summary, folder: Path, about: Sequence[str] = ()
) -> Iterator[tuple[str, _Writer]]:
    """Give the files that say a summary; one of points that are worth no run any more goes."""
    from provrunner.report.markdown import summary_markdown

    yield "summary.json", _text(summary.to_json())
    yield "summary.md", _text(summary_markdown(summary.to_dict(), about=about))
    if summary.document["next_points"] is not None:
        yield "next.yaml", _text(summary.document["next_points"]["config"])
    else:
        (folder / "next.yaml").unlink(missing_ok=True)


def holding(content: bytes) -> _Writer:
    """Return what writes a file of these bytes."""
    return lambda path: path.write_bytes(content)


def _text(text: str) -> _Writer:
    return holding(text.encode("utf-8", "backslashreplace"))


def replace_file(path: Path, write: _Writer) -> None:
    """Put a file in place by one rename; leave one alone that has the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    try:
        write(temporary)
        if not (path.is_file() and filecmp.cmp(temporary, path, shallow=False)):
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def temporary_beside(path: Path) -> Path:
    """Name what is to take a path's place once it is whole; remove what killed writers left there.

    The name tells which process writes it, so that a later one knows whether it still does.
    """
    here = this_process()
    machine = _machine(here)
    for left in path.parent.glob(".*.tmp"):
        told = _TEMPORARY.search(left.name)
        if told and told["machine"] == machine:
            is_left = not is_alive(replace(here, pid=told["pid"], process_start=""), None)
        else:
            # of another machine; a living writer's is never that old
            is_left = time.time() - left.stat().st_mtime > _STALE_S
        if is_left:
            _remove(left)
    return path.with_name(f".{path.name}.{machine}-{here.pid}-{secrets.token_hex(4)}.tmp")


def _machine(owner: Owner) -> str:
    return digest(f"{owner.host} {owner.boot_id} {owner.pid_namespace}")[:8]


def _remove(left: Path) -> None:
    if left.is_dir():
        shutil.rmtree(left, ignore_errors=True)
    else:
        left.unlink(missing_ok=True)

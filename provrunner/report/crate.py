"""A sweep or a run packed as an RO-Crate: its files, its provenance, and what describes them."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from provrunner.errors import LogError
from provrunner.ids import file_digest
from provrunner.log.folder import run_folder, unplanned_runs
from provrunner.plan import Point
from provrunner.report.files import temporary_beside

if TYPE_CHECKING:
    from provrunner.graph import Graph
    from provrunner.graph.export.ro_crate import CrateFile
    from provrunner.report.results import Sweep

__all__ = ["write_crate"]

_ZIP = ".zip"
_MEDIA_TYPES = {
    ".arrow": "application/vnd.apache.arrow.file",
    ".arrows": "application/vnd.apache.arrow.stream",
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".jsonld": "application/ld+json",
    ".md": "text/markdown",
    ".nq": "application/n-quads",
    ".parquet": "application/vnd.apache.parquet",
    ".png": "image/png",
    ".provn": "text/provenance-notation",
    ".svg": "image/svg+xml",
    ".ttl": "text/turtle",
    ".xml": "application/xml",
    ".yaml": "application/yaml",
}
_OTHER = "application/octet-stream"
_OF_THE_SWEEP = ("summary.json", "summary.md", "report.html", "tables/*.parquet")


def write_crate(
    sweep: Sweep,
    target: Path,
    graph: Graph,
    writers: Mapping[str, Callable[[Path], None]],
    *,
    point: Point | None = None,
    license_: str | None = None,
) -> Path:
    """Pack files, provenance documents and description into a folder, or a file `….zip`.

    Args:
        sweep: whose files are copied.
        target: what to write; a folder there must be empty, or a crate, which is replaced.
        graph: of the sweep, or of the one run.
        writers: what writes the graph's documents, by suffix.
        point: the one run; None is the whole sweep with all that was derived of it.
        license_: of the crate, an IRI or a text.

    Raises:
        LogError: something else lies at the target, it cannot be written, or a checkpoint's bytes
            are not those that its run wrote.
        GraphError: no run has begun.
    """
    from provrunner.graph.export.ro_crate import METADATA, build_crate

    if target.suffix != _ZIP and not _is_free(target, METADATA):
        raise LogError(f"{target} is neither empty nor a crate: name a new folder, or a .zip file")
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = temporary_beside(target)
    try:
        _copy(sweep, folder, point)
        for suffix, write in writers.items():
            (folder / "prov").mkdir(exist_ok=True)
            write(folder / "prov" / f"graph.{suffix}")
        files = list(_files(sweep, folder))
        _check_checkpoints(sweep, files)
        crate = build_crate(graph, files, license_=license_)
        text = json.dumps(crate, indent=1, ensure_ascii=False) + "\n"
        (folder / METADATA).write_text(text, "utf-8", "backslashreplace", newline="\n")
        _put(folder, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return target


def _is_free(target: Path, metadata: str) -> bool:
    if not target.exists():
        return True
    return target.is_dir() and (not any(target.iterdir()) or (target / metadata).is_file())


def _copy(sweep: Sweep, folder: Path, point: Point | None) -> None:
    """Copy the plan, the runs' own files and, of a whole sweep, what was derived."""
    for path in _sources(sweep, point):
        copy = folder / path.relative_to(sweep.folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def _sources(sweep: Sweep, point: Point | None) -> Iterator[Path]:
    yield sweep.folder / "plan.json"
    for one in _points(sweep) if point is None else (point,):
        yield from _regular(run_folder(sweep.folder, one.run_id).rglob("*"))
    if point is None:
        for pattern in _OF_THE_SWEEP:
            yield from _regular(sweep.folder.glob(pattern))


def _points(sweep: Sweep) -> tuple[Point, ...]:
    return (*sweep.plan.points, *unplanned_runs(sweep.folder, sweep.plan))


def _check_checkpoints(sweep: Sweep, files: Iterable[CrateFile]) -> None:
    """Refuse a file that is not what the provenance in the crate says of it."""
    rows = sweep.table("artifacts").select(["run_id", "path", "sha256"]).to_pylist()
    # A path that is written again and again holds the last of its checkpoints.
    wrote = {f"runs/{row['run_id']}/{row['path']}": row["sha256"] for row in rows}
    for file in files:
        expected = wrote.get(file.path) or file.sha256
        if expected != file.sha256:
            raise LogError(
                f"checkpoint {sweep.folder / file.path} was changed: its SHA-256 is "
                f"{file.sha256[:12]}, the run wrote {expected[:12]}; put back what the run wrote, "
                "or move the file away"
            )


def _regular(paths: Iterator[Path]) -> Iterator[Path]:
    """Give plain files; a link might lead out of the sweep."""
    for path in sorted(paths):
        if path.is_file() and not path.is_symlink() and path.suffix != ".tmp":
            yield path


def _files(sweep: Sweep, folder: Path) -> Iterator[CrateFile]:
    from provrunner.graph.export.ro_crate import CrateFile

    runs = {point.run_id: point.run for point in _points(sweep)}
    for path in _regular(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        yield CrateFile(
            "/".join(parts),
            _MEDIA_TYPES.get(path.suffix, _OTHER),
            path.stat().st_size,
            file_digest(path),
            runs.get(parts[1]) if parts[0] == "runs" else None,
        )


def _put(folder: Path, target: Path) -> None:
    if target.suffix == _ZIP:
        packed = temporary_beside(target)
        _pack(folder, packed)
        packed.replace(target)
        return
    if target.exists():
        shutil.rmtree(target)
    folder.replace(target)


def _pack(folder: Path, packed: Path) -> None:
    """Write a zip file whose bytes depend on the content alone."""
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix())
                entry.compress_type = zipfile.ZIP_DEFLATED
                with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as sink:
                    shutil.copyfileobj(source, sink)

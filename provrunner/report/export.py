"""A sweep's provenance graph as files: serialisations of W3C PROV, pictures, or a crate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from provrunner.errors import ConfigError, LogError, nearest
from provrunner.report.files import holding, replace_file
from provrunner.report.runref import find_run

if TYPE_CHECKING:
    from provrunner.graph import Graph
    from provrunner.graph.export.records import Bundles
    from provrunner.report.results import Sweep

__all__ = ["FORMATS", "draw_pictures", "export_graph", "graph_writers"]

FORMATS: Mapping[str, str] = {
    "json": "PROV-JSON",
    "provn": "PROV-N",
    "xml": "PROV-XML",
    "jsonld": "PROV-JSONLD",
    "nq": "N-Quads",
    "ttl": "Turtle",
}
"""The serialisations by the suffix of their files."""

_Writer: TypeAlias = Callable[[Path], None]

_ALL = "all"
_CRATE = "ro-crate"
_PICTURES = ("svg", "png")


def export_graph(
    sweep: Sweep,
    to: str = "json",
    *,
    run: int | str | None = None,
    out: Path | str | None = None,
    bundles: bool = False,
    license_: str | None = None,
) -> tuple[Path, ...]:
    """Write a sweep's provenance in one serialisation or in all of them, or pack it as a crate.

    Args:
        sweep: an open sweep; how finely training is told is said when it is opened.
        to: a key of `FORMATS`, the name of one in any case, `all` of them, or `ro-crate`: a folder
            with the files of the sweep or run, their provenance and `ro-crate-metadata.json`; or
            `svg` or `png`: pictures of the sweep, or of the run.
        run: the one run to write, as for `find_run`, with all that it came from; None for all.
        out: the file; with `all`, each suffix takes the place of its own; of a crate, a new folder
            or a file `….zip`; of a sweep's pictures, a folder. None is in the sweep's folder
            `prov/`, called by the sweep or run.
        bundles: put what is stated of each run alone into a bundle of its own. Turtle has no
            bundles: it holds the same statements flat.
        license_: of a crate, an IRI or a text.

    Returns:
        The paths written, in the order of `FORMATS`.

    Raises:
        ConfigError: there is no such format, or bundles are asked of one run.
        LogError: there is no such run, or a file cannot be written.
        GraphError: no run has begun that a crate could be of.
    """
    formats = _formats(to)
    if bundles and run is not None:
        raise ConfigError("bundles are a run each: leave out --bundles or --run")
    graph, point = sweep.graph(), None if run is None else find_run(run, sweep).point
    if point is not None:
        from provrunner.graph import cut_run

        graph = cut_run(graph, point.run)
    name = "sweep" if point is None else f"run-{point.run_id}"
    target = sweep.folder / "prov" / name if out is None else Path(out)
    writers = graph_writers(graph, bundles=bundles)
    try:
        if formats[0] in _PICTURES:
            run_number = None if point is None else point.run
            return tuple(_draw(sweep, formats[0], run_number, target, exactly=out is not None))
        if formats == (_CRATE,):
            from provrunner.report.crate import write_crate

            folder = target if out is not None else target.with_name(f"{name}-{_CRATE}")
            return (write_crate(sweep, folder, graph, writers, point=point, license_=license_),)
        return tuple(_write(target, out is not None, formats, writers))
    except OSError as error:
        raise LogError(f"cannot write {error.filename or target}: {error.strerror}") from error


def _write(
    target: Path, exactly: bool, formats: tuple[str, ...], writers: Mapping[str, _Writer]
) -> Iterator[Path]:
    """Write some formats, one of them to the very file that was named."""
    for suffix in formats:
        path = target if exactly and len(formats) == 1 else target.with_suffix(f".{suffix}")
        replace_file(path, writers[suffix])
        yield path


def _draw(
    sweep: Sweep, format_: str, run: int | None, target: Path, *, exactly: bool
) -> Iterator[Path]:
    """Write the picture of a run to a file, or those of a sweep to a folder."""
    from provrunner.graph import draw_run

    if run is not None:
        path = target if exactly else target.with_suffix(f".{format_}")
        replace_file(path, holding(draw_run(sweep.graph(), run, format_=format_)))
        yield path
        return
    for name, picture in draw_pictures(sweep, format_).items():
        path = (target if exactly else target.parent) / f"{name}.{format_}"
        replace_file(path, holding(picture))
        yield path


def draw_pictures(sweep: Sweep, format_: str = "svg") -> dict[str, bytes]:
    """Draw a sweep by type, its plan in both views and, where there is one, the best run.

    Returns:
        Pictures by name: `sweep`, `best_run`, `lineage` of the best value, `plan`, `plan_data`.
    """
    from provrunner.graph import draw_lineage, draw_plan, draw_run, draw_types

    graph = sweep.graph()
    pictures = {"sweep": draw_types(graph, format_=format_)}
    best = sweep.sensitivity().to_dict()["best"]
    if best is not None:
        pictures["best_run"] = draw_run(graph, best["run"], format_=format_)
        pictures["lineage"] = draw_lineage(graph.lineage("best"), format_=format_)
    pictures["plan"] = draw_plan(graph, format_=format_)
    pictures["plan_data"] = draw_plan(graph, "data", format_=format_)
    return pictures


def graph_writers(graph: Graph, *, bundles: bool = False) -> dict[str, _Writer]:
    """Return what writes a graph to a file in each of the `FORMATS`, all streamed."""
    from provrunner.graph import bundle_runs, export

    document, parts = bundle_runs(graph) if bundles else (graph, [])
    nested: dict[str, Callable[[Graph, Path, Bundles], None]] = {
        "json": export.write_prov_json,
        "provn": export.write_prov_n,
        "xml": export.write_prov_xml,
        "jsonld": export.write_prov_jsonld,
        "nq": export.write_nquads,
    }

    def writer(write: Callable[[Graph, Path, Bundles], None]) -> _Writer:
        return lambda path: write(document, path, parts)

    writers = {suffix: writer(write) for suffix, write in nested.items()}
    return {**writers, "ttl": lambda path: export.write_turtle(graph, path)}


def _formats(to: str) -> tuple[str, ...]:
    if to == _ALL:
        return tuple(FORMATS)
    names = {name.lower(): suffix for suffix, name in FORMATS.items()} | {
        one: one for one in FORMATS
    }
    names |= {one: one for one in (_CRATE, *_PICTURES)}
    if to.lower() not in names:
        known = [*FORMATS, _ALL, _CRATE, *_PICTURES]
        raise ConfigError(f"no format {to!r}; one of {', '.join(known)}{nearest(to, known)}")
    return (names[to.lower()],)

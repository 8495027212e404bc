"""A sweep's provenance graph as files in the serialisations of W3C PROV."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from provrunner.errors import ConfigError, LogError, nearest
from provrunner.report.files import replace_file

if TYPE_CHECKING:
    from provrunner.graph import Graph
    from provrunner.graph.export.records import Bundles
    from provrunner.report.results import Sweep

__all__ = ["FORMATS", "export_graph", "graph_writers"]

FORMATS: Mapping[str, str] = {
    "json": "PROV-JSON",
    "provn": "PROV-N",
    "xml": "PROV-XML",
    "jsonld": "PROV-JSONLD",
    "nq": "N-Quads",
    "ttl": "Turtle",
}
"""The serialisations by the suffix of their files."""

_ALL = "all"


def export_graph(
    sweep: Sweep,
    to: str = "json",
    *,
    run: int | str | None = None,
    out: Path | str | None = None,
    bundles: bool = False,
) -> tuple[Path, ...]:
    """Write a sweep's provenance in one serialisation or in all of them.

    Args:
        sweep: an open sweep; how finely training is told is said when it is opened.
        to: a key of `FORMATS`, the name of one in any case, or `all`.
        run: the number or id of the one run to write, with all that it came from; None for all.
        out: the file; with `all`, each suffix takes the place of its own. None is a file in the
            sweep's folder `prov/`, called by the sweep or run.
        bundles: put what is stated of each run alone into a bundle of its own. Turtle has no
            bundles: it holds the same statements flat.

    Returns:
        The paths written, in the order of `FORMATS`.

    Raises:
        ConfigError: there is no such format, or bundles are asked of one run.
        LogError: there is no such run, or a file cannot be written.
    """
    formats = _formats(to)
    if bundles and run is not None:
        raise ConfigError("bundles are a run each: leave out --bundles or --run")
    graph = sweep.graph()
    name = "sweep"
    if run is not None:
        from provrunner.graph import cut_run

        point = sweep.plan.find_point(run)
        graph, name = cut_run(graph, point.run), f"run-{point.run_id}"
    target = sweep.folder / "prov" / name if out is None else Path(out)
    writers = graph_writers(graph, bundles=bundles)
    written = []
    for suffix in formats:
        path = target if out is not None and len(formats) == 1 else target.with_suffix(f".{suffix}")
        try:
            replace_file(path, writers[suffix])
        except OSError as error:
            raise LogError(f"cannot write {path}: {error.strerror or error}") from error
        written.append(path)
    return tuple(written)


def graph_writers(graph: Graph, *, bundles: bool = False) -> dict[str, Callable[[Path], None]]:
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

    def writer(write: Callable[[Graph, Path, Bundles], None]) -> Callable[[Path], None]:
        return lambda path: write(document, path, parts)

    writers = {suffix: writer(write) for suffix, write in nested.items()}
    return {**writers, "ttl": lambda path: export.write_turtle(graph, path)}


def _formats(to: str) -> tuple[str, ...]:
    if to == _ALL:
        return tuple(FORMATS)
    names = {name.lower(): suffix for suffix, name in FORMATS.items()} | {
        one: one for one in FORMATS
    }
    if to.lower() not in names:
        known = [*FORMATS, _ALL]
        raise ConfigError(f"no format {to!r}; one of {', '.join(known)}{nearest(to, known)}")
    return (names[to.lower()],)

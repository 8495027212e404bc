"""What the reading verbs of the command line call, beside the methods of a sweep."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from provrunner.errors import ConfigError, GraphError
from provrunner.log.sweep_folders import find_sweep
from provrunner.schema import TABLES

if TYPE_CHECKING:
    from provrunner.graph import Graph
    from provrunner.log.verify import Finding, Verification
    from provrunner.report.results import Sweep

__all__ = ["Trace", "trace", "verify_sweep", "write_picture"]

_ROW_COLUMNS = ("depth", "kind", "type", "label", "digest", "run", "start", "id")
_DIGEST = '"pr:(?:sha256|gitCommit|lockSha256)":"(?P<digest>[0-9a-f]{12})'


@dataclass(frozen=True, slots=True)
class Trace:
    """What something came from, or what came of it.

    Attributes:
        graph: that part of the sweep's graph; its nodes have a column depth.
    """

    graph: Graph

    @property
    def rows(self) -> pa.Table:
        """Its nodes, nearest first.

        Columns depth, kind, type, label, digest, run, start, id. The digest is the first 12 digits
        of a SHA-256 or commit; of an environment, that of its packages.
        """
        return self.details.select(list(_ROW_COLUMNS))

    @property
    def details(self) -> pa.Table:
        """The same with all that is known of each node: the column attributes, JSON text."""
        order = [("depth", "ascending"), ("id", "ascending")]
        nodes = self.graph.nodes.sort_by(order)
        digest = pc.struct_field(pc.extract_regex(nodes["attributes"], _DIGEST), "digest")
        return nodes.append_column("digest", digest).select([*_ROW_COLUMNS, "attributes"])

    def draw(self) -> bytes:
        """Draw it as an SVG document."""
        from provrunner.graph.picture import draw_lineage

        return draw_lineage(self.graph)

    def draw_png(self) -> bytes:
        """Draw it as a PNG image."""
        from provrunner.graph.picture import draw_lineage

        return draw_lineage(self.graph, format_="png")


def trace(sweep: Sweep, term: str, *, direction: str = "up", to: str | None = None) -> Trace:
    """Trace a run, number, checkpoint or data set through a sweep's provenance.

    Args:
        sweep: an open sweep.
        term: a node's id, a run's number or id, a checkpoint's path or digest, a metric as in
            `val/loss@3/9` (run 3, epoch 9), a data set's name.
        direction: `up` to all that made it, `down` to all that was made from it.
        to: a type of node, such as `dataset`: only the paths that lead to one.

    Raises:
        GraphError: nothing is called so; the message names the nearest.
    """
    if direction == "up":
        # no run was made from the analysis: only a number of its own leads to it
        with contextlib.suppress(GraphError):
            return Trace(sweep.graph(analysis=False).lineage(term, direction, to=to))
    return Trace(sweep.graph().lineage(term, direction, to=to))


def write_picture(path: Path, picture: bytes) -> None:
    """Write a picture to a file.

    Raises:
        ConfigError: it cannot be written; the message names it.
    """
    try:
        path.write_bytes(picture)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror or error}") from error


def verify_sweep(
    path: Path | str | None = None,
    *,
    read_data: bool = False,
    seal: bool = False,
    prov: bool = False,
) -> Verification:
    """Check that a sweep's logs are whole and unaltered.

    Args:
        path: its folder, or one above it; None is the newest sweep below `outputs`.
        read_data: read every sealed row and checkpoint, too.
        seal: seal the logs of lost runs.
        prov: check the provenance graph, too: each rule of PROV or of this project that it breaks
            is damage, named with its statements. Its tables are those on disk where there are any.

    Raises:
        LogError: there is no sweep.
    """
    from provrunner.log.verify import verify_sweep as verify

    folder = find_sweep(None if path is None else Path(path))
    found = verify(folder, read_data=read_data, seal=seal)
    return replace(found, findings=(*found.findings, *_check_graph(folder))) if prov else found


def _check_graph(folder: Path) -> list[Finding]:
    """Return what breaks the rules in the graph's tables as others read them."""
    import pyarrow.parquet as pq

    from provrunner.graph import Graph, check_graph
    from provrunner.log.verify import Finding
    from provrunner.report.results import open_sweep

    stored = [folder / "tables" / f"{name}.parquet" for name in ("nodes", "edges")]
    try:
        graph = (
            Graph(*(pq.read_table(path).cast(TABLES[path.stem]) for path in stored))
            if all(path.is_file() for path in stored)
            else open_sweep(folder).graph()
        )
    except (OSError, ValueError, KeyError, NotImplementedError) as error:
        return [Finding("damaged", "tables", f"the graph's tables cannot be read: {error}")]
    return [Finding("damaged", "tables/edges.parquet", str(one)) for one in check_graph(graph)]

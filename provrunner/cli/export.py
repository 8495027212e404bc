"""The verb that hands a sweep's provenance to other tools."""

from __future__ import annotations

from pathlib import Path

from provrunner.cli.app import GRANULARITY, SWEEP, argument, echo, verb

__all__ = ["export"]


_FORMATS = (
    "json (PROV-JSON), provn (PROV-N), xml (PROV-XML), jsonld (PROV-JSONLD), nq (RDF as N-Quads), "
    "ttl (RDF as Turtle), all of these; ro-crate (a folder with all files of the sweep or run); "
    "svg or png (pictures); json if left out"
)


@verb(
    SWEEP,
    argument("--to", metavar="FORMAT", default="json", help=_FORMATS),
    argument("--run", metavar="N", help="one run alone: 3, best, its id"),
    argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="the file; of a crate or pictures, the folder; else in prov/",
    ),
    argument("--bundles", action="store_true", help="a bundle for each run"),
    GRANULARITY,
    argument("--license", dest="license_", metavar="TEXT", help="of a crate: an address or a text"),
)
def export(
    sweep: Path | None,
    *,
    to: str,
    run: str | None,
    out: Path | None,
    bundles: bool,
    granularity: str | None,
    license_: str | None,
) -> None:
    """Write the provenance for other tools: W3C PROV in six formats, a crate, pictures."""
    from provrunner.report import export_graph, open_sweep

    opened = open_sweep(sweep, granularity=granularity)
    for path in export_graph(opened, to, run=run, out=out, bundles=bundles, license_=license_):
        echo(path)

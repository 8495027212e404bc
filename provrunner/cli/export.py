"""The verb that hands a sweep's provenance to other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from provrunner.cli.app import GranularityOption, SweepArgument, app

__all__ = ["export"]


_FORMATS = (
    "json (PROV-JSON), provn (PROV-N), xml (PROV-XML), jsonld (PROV-JSONLD), nq (RDF as N-Quads), "
    "ttl (RDF as Turtle), all of these; ro-crate (a folder with all files of the sweep or run); "
    "svg or png (pictures)"
)


@app.command()
def export(
    sweep: SweepArgument = None,
    *,
    to: Annotated[str, typer.Option(metavar="FORMAT", help=_FORMATS)] = "json",
    run: Annotated[
        Optional[str],  # noqa: UP045  typer reads it
        typer.Option(metavar="N", help="one run alone: 3, best, its id"),
    ] = None,
    out: Annotated[
        Optional[Path],  # noqa: UP045  typer reads it
        typer.Option(
            metavar="FILE",
            help="the file; of a crate or pictures, the folder; else in prov/",
        ),
    ] = None,
    bundles: Annotated[bool, typer.Option("--bundles", help="a bundle for each run")] = False,
    granularity: GranularityOption = None,
    license_: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--license", metavar="TEXT", help="of a crate: an address or a text"),
    ] = None,
) -> None:
    """Write the provenance for other tools: W3C PROV in six formats, a crate, pictures."""
    from provrunner.report import export_graph, open_sweep

    opened = open_sweep(sweep, granularity=granularity.value if granularity else None)
    written = export_graph(opened, to, run=run, out=out, bundles=bundles, license_=license_)
    for path in written:
        typer.echo(path)

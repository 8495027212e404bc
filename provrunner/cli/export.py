"""The verb that hands a sweep's provenance to other tools."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer

from provrunner.cli.app import GranularityOption, SweepArgument, app

__all__ = ["export"]


class ExportFormat(StrEnum):
    """The serialisations of the graph, and all of them."""

    JSON = "json"
    PROVN = "provn"
    XML = "xml"
    JSONLD = "jsonld"
    NQ = "nq"
    TTL = "ttl"
    ALL = "all"


@app.command()
def export(
    sweep: SweepArgument = None,
    *,
    to: Annotated[ExportFormat, typer.Option(help="serialisation of W3C PROV")] = ExportFormat.JSON,
    run: Annotated[
        Optional[str],  # noqa: UP045  typer reads it
        typer.Option(metavar="N", help="one run alone, by number or id"),
    ] = None,
    out: Annotated[
        Optional[Path],  # noqa: UP045  typer reads it
        typer.Option(metavar="FILE", help="the file; else one in the sweep's folder prov/"),
    ] = None,
    bundles: Annotated[bool, typer.Option("--bundles", help="a bundle for each run")] = False,
    granularity: GranularityOption = None,
) -> None:
    """Write the provenance for other tools: PROV-JSON, PROV-N, PROV-XML, PROV-JSONLD, RDF."""
    from provrunner.report import export_graph, open_sweep

    opened = open_sweep(sweep, granularity=granularity.value if granularity else None)
    for path in export_graph(opened, to.value, run=run, out=out, bundles=bundles):
        typer.echo(path)

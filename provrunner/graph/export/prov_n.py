"""Write a graph as PROV-N (W3C recommendation of 30 April 2013), one statement a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from provrunner.graph.export.records import (
    BARE,
    Bundles,
    Literal,
    Record,
    prefixes,
    read_records,
)
from provrunner.graph.query import Graph
from provrunner.graph.terms import KINDS

__all__ = ["write_prov_n"]


def write_prov_n(graph: Graph, path: Path, bundles: Bundles = ()) -> None:
    """Write a document in PROV-N's strict form; the same graph gives the same bytes.

    Args:
        graph: what the document itself states.
        path: the file to write.
        bundles: ids and graphs of the bundles in it.
    """
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("document\n")
        for prefix, iri in prefixes(graph).items():
            file.write(f"  prefix {prefix} <{iri}>\n")
        _write_graph(file, graph)
        for id_, bundle in bundles:
            file.write(f"\n  bundle art:{id_}\n")
            _write_graph(file, bundle)
            file.write("  endBundle\n")
        file.write("endDocument\n")


def _write_graph(file: TextIO, graph: Graph) -> None:
    for name, records in read_records(graph):
        file.write("\n")
        file.writelines(f"  {statement}\n" for statement in _statements(name, records))


def _statements(name: str, records: Iterator[Record]) -> Iterator[str]:
    for record in records:
        arguments = ", ".join(text or "-" for _, text in record.arguments)
        attributes = ", ".join(f"{key}={_value(value)}" for key, value in record.attributes)
        if name in BARE:
            yield f"{name}({arguments})"
            continue
        start = record.id if name in KINDS else f"{record.id}; {arguments}"
        times = f", {arguments}" if name == "activity" else ""
        yield f"{name}({start}{times}{f', [{attributes}]' if attributes else ''})"


def _value(literal: Literal) -> str:
    text, type_ = literal
    if type_ == "xsd:QName":
        return f"'{text}'"
    if type_ == "xsd:int":
        return text
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return quoted if type_ == "xsd:string" else f"{quoted} %% {type_}"

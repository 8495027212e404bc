"""Write a graph as PROV-N (W3C recommendation of 30 April 2013), one statement a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from provrunner.graph.export.records import Literal, Record, prefixes, read_records
from provrunner.graph.query import Graph
from provrunner.graph.terms import KINDS, RELATIONS

__all__ = ["write_prov_n"]

_BARE = frozenset(relation.prov for relation in RELATIONS.values() if relation.bare)


def write_prov_n(graph: Graph, path: Path) -> None:
    """Write a flat document in PROV-N's strict form; the same graph gives the same bytes."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("document\n")
        for prefix, iri in prefixes(graph).items():
            file.write(f"  prefix {prefix} <{iri}>\n")
        for name, records in read_records(graph):
            file.write("\n")
            file.writelines(f"  {statement}\n" for statement in _statements(name, records))
        file.write("endDocument\n")


def _statements(name: str, records: Iterator[Record]) -> Iterator[str]:
    for record in records:
        arguments = ", ".join(text or "-" for _, text in record.arguments)
        attributes = ", ".join(f"{key}={_value(value)}" for key, value in record.attributes)
        if name in _BARE:
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

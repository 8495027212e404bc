"""Write a graph as PROV-JSON (W3C member submission of 24 April 2013), one record a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from provrunner.graph.export.records import Literal, Record, prefixes, read_records
from provrunner.graph.query import Graph
from provrunner.graph.terms import RELATIONS

__all__ = ["write_prov_json"]

_BARE = frozenset(relation.prov for relation in RELATIONS.values() if relation.bare)
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def write_prov_json(graph: Graph, path: Path) -> None:
    """Write a flat PROV-JSON document; the same graph gives the same bytes.

    Relations that have no id in PROV (specialisation, alternates, membership) get a blank one,
    `_:<edge id>`, for PROV-JSON needs a key.
    """
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write('{\n"prefix": ' + _encode(prefixes(graph)))
        for name, records in read_records(graph):
            file.write(f",\n{_encode(name)}: {{")
            _write_records(file, name, records)
            file.write("\n}")
        file.write("\n}\n")


def _write_records(file: TextIO, name: str, records: Iterator[Record]) -> None:
    separator = "\n"
    for record in records:
        key = f"_:{record.id.partition(':')[2]}" if name in _BARE else record.id
        file.write(f"{separator}{_encode(key)}: {_encode(_body(record))}")
        separator = ",\n"


def _body(record: Record) -> dict[str, object]:
    body: dict[str, object] = {key: text for key, text in record.arguments if text is not None}
    for name, value in record.attributes:
        encoded = _value(value)
        if name not in body:
            body[name] = encoded
        elif isinstance(known := body[name], list):
            known.append(encoded)
        else:
            body[name] = [known, encoded]
    return body


def _value(literal: Literal) -> object:
    text, type_ = literal
    if type_ == "xsd:string":
        return text
    if type_ == "xsd:boolean":
        return text == "true"
    return {"$": text, "type": type_}

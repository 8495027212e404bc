"""Write a graph as PROV-JSON (W3C member submission of 24 April 2013), one record a line."""

from __future__ import annotations

import json
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

__all__ = ["write_prov_json"]

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def write_prov_json(graph: Graph, path: Path, bundles: Bundles = ()) -> None:
    """Write a PROV-JSON document; the same graph gives the same bytes.

    Relations that have no id in PROV (specialisation, alternates, membership) get a blank one,
    `_:<edge id>`, for PROV-JSON needs a key.

    Args:
        graph: what the document itself states.
        path: the file to write.
        bundles: ids and graphs of the bundles in it.
    """
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write('{\n"prefix": ' + _encode(prefixes(graph)))
        _write_graph(file, graph, ",\n")
        separator = ',\n"bundle": {'
        for id_, bundle in bundles:
            file.write(f'{separator}\n"art:{id_}": {{')
            _write_graph(file, bundle, "\n")
            file.write("\n}")
            separator = ","
        file.write("\n}\n}\n" if separator == "," else "\n}\n")


def _write_graph(file: TextIO, graph: Graph, separator: str) -> None:
    for name, records in read_records(graph):
        file.write(f"{separator}{_encode(name)}: {{")
        _write_records(file, name, records)
        file.write("\n}")
        separator = ",\n"


def _write_records(file: TextIO, name: str, records: Iterator[Record]) -> None:
    separator = "\n"
    for record in records:
        key = f"_:{record.id.partition(':')[2]}" if name in BARE else record.id
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

"""Write a graph as PROV-JSONLD (W3C member submission of 2024), one statement a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from provrunner.graph.export.records import (
    BARE,
    Bundles,
    Literal,
    Record,
    prefixes,
    read_records,
)
from provrunner.graph.query import Graph
from provrunner.graph.terms import RELATIONS

__all__ = ["CONTEXT_IRI", "write_prov_jsonld"]

CONTEXT_IRI = "https://openprovenance.org/prov-jsonld/context.jsonld"
"""The context of the submission, which every document names beside its own prefixes."""

_TYPES = {relation.prov: relation.noun for relation in RELATIONS.values()} | {
    "entity": "Entity",
    "activity": "Activity",
    "agent": "Agent",
}
_TERMS = {"prov:type": "type", "prov:label": "label", "prov:role": "role"}
_IDS = frozenset({"type", "role"})
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def write_prov_jsonld(graph: Graph, path: Path, bundles: Bundles = ()) -> None:
    """Write a PROV-JSONLD document; the same graph gives the same bytes.

    Args:
        graph: what the document itself states.
        path: the file to write.
        bundles: ids and graphs of the bundles in it.
    """
    context = _encode([prefixes(graph), CONTEXT_IRI])
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f'{{"@context": {context},\n"@graph": [')
        separator = "\n"
        for statement in _statements(graph):
            file.write(f"{separator}{statement}")
            separator = ",\n"
        for id_, bundle in bundles:
            start = f'{{"@type":"Bundle","@id":"art:{id_}","@context":[],"@graph":[\n'
            file.write(separator + start)
            separator = ""
            for statement in _statements(bundle):
                file.write(f"{separator}{statement}")
                separator = ",\n"
            file.write("\n]}")
        file.write("\n]}\n")


def _statements(graph: Graph) -> Iterator[str]:
    for name, records in read_records(graph):
        for record in records:
            yield _encode(_statement(name, record))


def _statement(name: str, record: Record) -> dict[str, object]:
    statement: dict[str, object] = {"@type": _TYPES[name]}
    if name not in BARE:
        statement["@id"] = record.id
    for key, text in record.arguments:
        if text is not None:
            statement[key.removeprefix("prov:")] = text
    stated: dict[str, list[object]] = {}
    for key, literal in record.attributes:
        term = "value" if key == "prov:value" and name == "entity" else _TERMS.get(key, key)
        stated.setdefault(term, []).append(_value(term, literal))
    return {**statement, **stated}


def _value(term: str, literal: Literal) -> object:
    text, type_ = literal
    if term in _IDS:
        return text
    if type_ == "xsd:QName":
        return {"@id": text}
    return {"@value": text} if type_ == "xsd:string" else {"@value": text, "@type": type_}

"""The rows of a graph as PROV records, in the order in which every format writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from provrunner.graph.query import Graph
from provrunner.graph.terms import KINDS, NAMESPACES, RELATIONS

__all__ = ["Literal", "Record", "prefixes", "read_records"]

Literal: TypeAlias = tuple[str, str]
"""A value as text and the qualified name of its type; `xsd:string` is a plain text."""

_BATCH_ROWS = 16_384
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_QNAMES = frozenset({"prov:type", "prov:role"})
_INT32 = 1 << 31


@dataclass(frozen=True, slots=True)
class Record:
    """One PROV statement.

    Attributes:
        id: qualified name.
        arguments: PROV-JSON key and text of each argument in PROV-N's order; None where there is
            none.
        attributes: name and value, sorted.
    """

    id: str
    arguments: list[tuple[str, str | None]]
    attributes: list[tuple[str, Literal]]


def prefixes(graph: Graph) -> dict[str, str]:
    """Return the namespaces of a graph's documents by prefix, beside `prov` and `xsd`."""
    return {"art": graph.base_iri, **NAMESPACES}


def read_records(graph: Graph) -> Iterator[tuple[str, Iterator[Record]]]:
    """Give the records of each kind or relation in turn, sorted by id."""
    for kind in KINDS:
        rows = graph.nodes.filter(pc.equal(graph.nodes["kind"], kind))
        if rows.num_rows:
            yield kind, (_element(kind, row) for row in _read_rows(rows))
    for name, relation in RELATIONS.items():
        rows = graph.edges.filter(pc.equal(graph.edges["relation"], name))
        if rows.num_rows:
            columns = relation.arguments
            yield relation.prov, (_relation(columns, row) for row in _read_rows(rows))


def _read_rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.sort_by("id").to_batches(max_chunksize=_BATCH_ROWS):
        names = batch.schema.names
        columns = [
            (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
            for column in batch.columns
        ]
        for values in zip(*columns, strict=True):
            yield dict(zip(names, values, strict=True))


def _element(kind: str, row: dict[str, Any]) -> Record:
    times = [("prov:startTime", _time(row["start"])), ("prov:endTime", _time(row["end"]))]
    stated = [
        ("prov:type", (row["type"], "xsd:QName")),
        ("prov:label", (row["label"], "xsd:string")),
    ]
    attributes = sorted({*stated, *_attributes(row["attributes"])})
    return Record(f"art:{row['id']}", times if kind == "activity" else [], attributes)


def _relation(columns: tuple[tuple[str, str], ...], row: dict[str, Any]) -> Record:
    arguments = [
        (key, _time(row["time"]) if column == "time" else _reference(row.get(column)))
        for column, key in columns
    ]
    stated = [("prov:role", (row["role"], "xsd:QName"))] if row["role"] else []
    return Record(f"art:{row['id']}", arguments, sorted({*stated, *_attributes(row["attributes"])}))


def _reference(id_: str | None) -> str | None:
    return f"art:{id_}" if id_ else None


def _time(microseconds: int | None) -> str | None:
    if microseconds is None:
        return None
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return moment.replace(tzinfo=None).isoformat() + "Z"


def _attributes(text: str) -> Iterator[tuple[str, Literal]]:
    if text == "{}":
        return
    for name, values in json.loads(text).items():
        for value in values if isinstance(values, list) else [values]:
            yield name, _literal(name, value)


def _literal(name: str, value: object) -> Literal:
    if isinstance(value, dict):
        return value["$"], value["type"]
    if isinstance(value, bool):
        return ("true" if value else "false"), "xsd:boolean"
    if isinstance(value, int):
        return str(value), "xsd:int" if -_INT32 <= value < _INT32 else "xsd:long"
    if isinstance(value, float):
        return repr(value), "xsd:double"
    return str(value), "xsd:QName" if name in _QNAMES else "xsd:string"

"""The rows of a graph as PROV records, in the order in which every format writes them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import repeat
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from provrunner.graph.query import Graph
from provrunner.graph.terms import KINDS, NAMESPACES, RELATIONS, Relation

__all__ = ["BARE", "Bundles", "Literal", "Record", "prefixes", "read_records"]

BARE = frozenset(relation.prov for relation in RELATIONS.values() if relation.bare)
"""The PROV names of the relations that have neither id nor attributes."""

Bundles: TypeAlias = Iterable[tuple[str, Graph]]
"""The bundles of a document: the id of each, and what it states."""

Literal: TypeAlias = tuple[str, str]
"""A value as text and the qualified name of its type; `xsd:string` is a plain text."""

_BATCH_ROWS = 16_384
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_IDS = frozenset({"id", "subject", "object", "plan", "activity", "generation", "usage"})
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
        rows = _rows(graph.nodes, "kind", kind)
        if rows.num_rows:
            yield kind, _elements(kind, rows)
    for name, relation in RELATIONS.items():
        rows = _rows(graph.edges, "relation", name)
        if rows.num_rows:
            yield relation.prov, _relations(relation, rows)


def _rows(table: pa.Table, column: str, value: str) -> pa.Table:
    """Return the rows with a value, without a copy where they stand together."""
    chosen = pc.equal(table[column], value)
    count = pc.sum(chosen).as_py() or 0
    first = pc.index(chosen, True).as_py()
    together = count and pc.all(chosen.slice(first, count)).as_py()
    return table.slice(first, count) if together else table.filter(chosen)


def _elements(kind: str, rows: pa.Table) -> Iterator[Record]:
    columns = ("start", "end", "type", "label", "attributes")
    for id_, start, end, type_, label, text in _read_rows(rows, "id", *columns):
        times = [("prov:startTime", start), ("prov:endTime", end)] if kind == "activity" else []
        stated = {("prov:type", (type_, "xsd:QName")), ("prov:label", (label, "xsd:string"))}
        yield Record(id_, times, sorted(stated.union(_attributes(text))))


def _relations(relation: Relation, rows: pa.Table) -> Iterator[Record]:
    keys = [key for _, key in relation.arguments]
    columns = [column for column, _ in relation.arguments]
    for id_, *values, role, text in _read_rows(rows, "id", *columns, "role", "attributes"):
        stated: list[tuple[str, Literal]] = [("prov:role", (role, "xsd:QName"))] if role else []
        if text != "{}":
            stated = sorted({*stated, *_attributes(text)})
        yield Record(id_, list(zip(keys, values, strict=True)), stated)


def _read_rows(table: pa.Table, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Give rows by id: ids as qualified names, times as text; null for a column with no name."""
    for batch in _by_id(table).to_batches(max_chunksize=_BATCH_ROWS):
        yield from zip(*(_texts(batch, column) for column in columns), strict=True)


def _texts(batch: pa.RecordBatch, column: str) -> Iterable[Any]:
    if not column:
        return repeat(None, len(batch))
    values = batch[column]
    if column in _IDS:
        values = pc.binary_join_element_wise("art:", values, "")
    if pa.types.is_timestamp(values.type):
        return map(_time, values.cast(pa.int64()).to_pylist())
    texts: list[Any] = values.to_pylist()
    return texts


def _by_id(table: pa.Table) -> pa.Table:
    """Sort a table that is not sorted already, as one that `build_graph` made is."""
    ids = table["id"]
    ordered = pc.all(pc.less_equal(ids.slice(0, len(ids) - 1), ids.slice(1))).as_py()
    return table if ordered else table.sort_by("id")


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

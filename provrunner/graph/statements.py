"""The graph as it is made: statements, one by one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeAlias, TypedDict, Unpack

import pyarrow as pa
import pyarrow.compute as pc

from provrunner.graph.query import Graph
from provrunner.graph.terms import KINDS, RELATIONS, Value, clean_text, prov_value
from provrunner.schema import TABLES

__all__ = ["Because", "Details", "Statements"]

_encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode


Because: TypeAlias = tuple[str | None, str | None, str | None]
"""The activity, generation and usage of a derivation; the activity of a delegation."""

_BLOCK_ROWS = 16_384
"""Rows of settled statements that are put into a table at once."""

_NOTHING: Because = (None, None, None)


class Details(TypedDict, total=False):
    """What may be stated of a relation beside its two ends.

    Attributes:
        run: the run it belongs to.
        time: microseconds since 1970 UTC.
        role: a qualified name.
        plan: of an association.
        because: what a derivation rests on.
        attributes: as for `Statements.add`.
        type: a qualified name for `prov:type`.
    """

    run: int | None
    time: int | None
    role: str | None
    plan: str | None
    because: Because
    attributes: Mapping[str, object] | None
    type: str | None


@dataclass(slots=True)
class Statements:
    """Nodes and edges on their way into tables; a second statement with the same id is dropped.

    Attributes:
        nodes: rows of the nodes table by id, except for those that are settled.
        edges: rows of the edges table, likewise.
    """

    nodes: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    edges: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    _settled: dict[str, list[pa.Table]] = field(default_factory=lambda: {"nodes": [], "edges": []})
    _rows: dict[str, list[tuple[Any, ...]]] = field(
        default_factory=lambda: {"nodes": [], "edges": []}
    )
    _kept: dict[str, int] = field(default_factory=lambda: {"nodes": 0, "edges": 0})

    def add(
        self,
        kind: str,
        id: str,  # noqa: A002
        types: str | Sequence[str],
        label: str,
        *,
        run: int | None = None,
        start: int | None = None,
        end: int | None = None,
        attributes: Mapping[str, object] | None = None,
    ) -> str:
        """State that a thing exists and return its id.

        Args:
            kind: `entity`, `activity` or `agent`.
            id: its local name.
            types: its PROV types; the first is what it is called by.
            label: what a reader sees.
            run: the run it belongs to; None where runs share it.
            start: microseconds since 1970 UTC; activities only.
            end: as `start`.
            attributes: name without `pr:` to value; None is left out, a list repeats the attribute.
        """
        if id not in self.nodes:
            first, more = (types, ()) if isinstance(types, str) else (types[0], types[1:])
            extra: dict[str, object] = {"prov:type": sorted(more)} if more else {}
            text = _attributes(attributes, extra)
            self.nodes[id] = (id, kind, first, clean_text(label), run, start, end, text)
        return id

    def relate(
        self,
        relation: str,
        subject: str,
        object: str,  # noqa: A002
        what: str = "",
        **details: Unpack[Details],
    ) -> str:
        """State a relation and return its id, `<subject>.<relation's word>[.<what>]`.

        Args:
            relation: a key of `terms.RELATIONS`.
            subject: the later thing: what used, was generated, derived or started.
            object: the earlier one.
            what: tells relations of one subject apart; an id of the same run loses its prefix.
            details: what else is known of it.
        """
        word = RELATIONS[relation].word
        what = what.removeprefix(f"{subject.partition('.')[0]}.")
        id = f"{subject}.{word}.{what}" if what else f"{subject}.{word}"  # noqa: A001
        if id not in self.edges:
            type_ = details.get("type")
            text = _attributes(details.get("attributes"), {"prov:type": type_} if type_ else {})
            self.edges[id] = (
                *(id, relation, subject, object, details.get("plan")),
                *details.get("because", _NOTHING),
                *(details.get("time"), details.get("role"), details.get("run"), text),
            )
        return id

    def settle(self, run: str) -> None:
        """Put into tables what was stated of a run alone: as rows, all runs would fill the memory.

        Looked at is what was stated since the last call; what runs share grows with their number.

        Args:
            run: the run's id, which all such ids begin with; none of them may be stated again.
        """
        for name, rows in (("nodes", self.nodes), ("edges", self.edges)):
            fresh = islice(reversed(rows), len(rows) - self._kept[name])
            own = [id_ for id_ in fresh if id_.startswith(run)]
            settled = self._rows[name]
            settled += [rows.pop(id_) for id_ in own]
            self._kept[name] = len(rows)
            if len(settled) >= _BLOCK_ROWS:
                self._settled[name].append(_table(settled, TABLES[name]))
                settled.clear()

    def to_graph(self, base_iri: str) -> Graph:
        """Put all statements into tables, ordered by kind or relation, then id."""
        nodes = self._whole("nodes", list(self.nodes.values()), "kind", KINDS)
        edges = self._whole("edges", list(self.edges.values()), "relation", tuple(RELATIONS))
        return Graph(nodes, edges, base_iri)

    def _whole(
        self, name: str, rows: list[tuple[Any, ...]], word: str, ranks: Sequence[str]
    ) -> pa.Table:
        last = _table([*self._rows[name], *rows], TABLES[name])
        table = pa.concat_tables([*self._settled[name], last])
        rank = pc.index_in(table[word], value_set=pa.array(ranks))
        keys = pa.table({"rank": rank, "id": table["id"]})
        order = pc.sort_indices(keys, [("rank", "ascending"), ("id", "ascending")])
        return table.take(order).combine_chunks()


def _attributes(attributes: Mapping[str, object] | None, extra: Mapping[str, object]) -> str:
    if not attributes and not extra:
        return "{}"
    stated = {
        key if ":" in key else f"pr:{key}": _values(value)
        for key, value in (attributes or {}).items()
        if value is not None and value != []
    }
    return _encode({**stated, **extra})


def _values(value: object) -> Value | list[Value]:
    if isinstance(value, list):
        return [_value(one) for one in value]
    return _value(value)


def _value(value: object) -> Value:
    return value if isinstance(value, dict) and "$" in value else prov_value(value)


def _table(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [() for _ in schema]
    return pa.table(
        [
            pa.array(column, pa.int64()).cast(field.type)
            if pa.types.is_timestamp(field.type)
            else pa.array(column, field.type)
            for column, field in zip(columns, schema, strict=True)
        ],
        schema=schema,
    )

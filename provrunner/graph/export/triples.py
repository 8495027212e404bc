"""The records of a graph as triples of PROV-O (W3C recommendation of 30 April 2013)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from provrunner.graph.export.records import Literal, Record, read_records
from provrunner.graph.query import Graph
from provrunner.graph.terms import RELATIONS, Relation

__all__ = ["RDF_PREFIXES", "Triple", "read_triples"]

Triple: TypeAlias = tuple[str, str, str | Literal]
"""Subject, predicate and object; qualified names, and a literal where the object is a value."""

RDF_PREFIXES: Mapping[str, str] = {
    "prov": "http://www.w3.org/ns/prov#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
"""The namespaces that the triples use beside those of the graph."""

_CLASSES = {"entity": "prov:Entity", "activity": "prov:Activity", "agent": "prov:Agent"}
_ATTRIBUTES = {"prov:type": "rdf:type", "prov:label": "rdfs:label", "prov:role": "prov:hadRole"}
_TIMES = {
    "prov:startTime": "prov:startedAtTime",
    "prov:endTime": "prov:endedAtTime",
    "prov:time": "prov:atTime",
}
_QUALIFIERS = {
    "prov:activity": "prov:hadActivity",
    "prov:starter": "prov:hadActivity",
    "prov:plan": "prov:hadPlan",
    "prov:generation": "prov:hadGeneration",
    "prov:usage": "prov:hadUsage",
}
_SUBTYPES = frozenset({"prov:Revision", "prov:Quotation", "prov:PrimarySource"})
_RELATIONS = {relation.prov: relation for relation in RELATIONS.values()}


def read_triples(graph: Graph) -> Iterator[list[Triple]]:
    """Give the triples of each record in turn.

    A relation is stated twice, as PROV-O has it: plainly (`prov:used`), for questions, and
    qualified (`prov:qualifiedUsage`), with its id, time, role and attributes. A start is stated
    qualified alone: the plain `prov:wasStartedBy` is of a trigger, which no start here has.
    """
    for name, records in read_records(graph):
        if name in _CLASSES:
            for record in records:
                yield _element(_CLASSES[name], record)
            continue
        relation = _RELATIONS[name]
        for record in records:
            yield _relation(relation, record)


def _element(class_: str, record: Record) -> list[Triple]:
    return [(record.id, "rdf:type", class_), *_told(record.id, record)]


def _told(subject: str, record: Record) -> Iterator[Triple]:
    """Give the times and attributes of a record."""
    for key, text in record.arguments:
        if key in _TIMES and text is not None:
            yield subject, _TIMES[key], (text, "xsd:dateTime")
    for name, literal in record.attributes:
        value = literal[0] if literal[1] == "xsd:QName" else literal
        yield subject, _ATTRIBUTES.get(name, name), value


def _relation(relation: Relation, record: Record) -> list[Triple]:
    ends = [pair for pair in record.arguments if pair[0] not in _TIMES]
    (_, subject), *others = [(key, text) for key, text in ends if text is not None]
    plain: list[Triple] = [
        (subject, f"prov:{relation.prov}", text)
        for key, text in others[:1]
        if key != "prov:starter"
    ]
    if relation.bare:
        return plain
    return [*plain, *_qualified(relation, record, subject, others)]


def _qualified(
    relation: Relation, record: Record, subject: str, others: list[tuple[str, str]]
) -> Iterator[Triple]:
    """Give a relation as a node of its own; a revision is one kind of derivation."""
    node, told = record.id, list(_told(record.id, record))
    subtypes = [triple[2] for triple in told if triple[2] in _SUBTYPES]
    for noun in [relation.noun, *(str(type_).removeprefix("prov:") for type_ in subtypes)]:
        yield subject, f"prov:qualified{noun}", node
    if not subtypes:
        yield node, "rdf:type", f"prov:{relation.noun}"
    for number, (key, text) in enumerate(others):
        influencer = number == 0 and key != "prov:starter"
        property_ = f"prov:{relation.object or 'influencer'}" if influencer else _QUALIFIERS[key]
        yield node, property_, text
    yield from told

"""The words of the graph: namespaces, relations, legal names and legal values."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from provrunner.ids import canonical_json, digest, qualified_id

__all__ = [
    "BASE_IRI",
    "KINDS",
    "NAME",
    "NAMESPACES",
    "RELATIONS",
    "Relation",
    "Value",
    "clean_text",
    "content_id",
    "local_name",
    "parse_json",
    "prov_value",
]

BASE_IRI = "https://w3id.org/provrunner/id/"
"""Where the instances of a sweep live unless the configuration says otherwise (prefix `art:`)."""

NAMESPACES: Mapping[str, str] = {
    "mls": "http://www.w3.org/ns/mls#",
    "pr": "https://w3id.org/provrunner/ns#",
    "provone": "http://purl.dataone.org/provone/2015/01/15/ontology#",
    "schema": "https://schema.org/",
}
"""The vocabularies of types and attributes, beside `prov:` and `xsd:` that PROV declares."""

KINDS = ("entity", "activity", "agent")
"""The kinds of nodes, in the order in which they are written."""

NAME = r"[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9_-]"
"""What every id matches: a legal NCName that needs no escape in any serialisation."""

Value: TypeAlias = str | int | float | bool | dict[str, str]
"""An attribute's value; a dictionary is a literal of a type: `{"$": text, "type": name}`."""

_LONGEST_TEXT = 4096
_LONGEST_NAME = 80
_INT64 = 1 << 63
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Relation:
    """A PROV relation and where its arguments stand in the edges table.

    Attributes:
        prov: its name in PROV-N, PROV-JSON and PROV-XML, and as a property of PROV-O.
        noun: its type in PROV-JSONLD, and its class in PROV-O unless it is bare.
        word: what stands for it in an edge's id.
        subject: kind of the first argument, empty for any.
        object: kind of the second one, empty for any.
        arguments: column and PROV-JSON key of each argument in PROV-N's order; an empty column is
            never set.
        bare: whether PROV gives it neither id, time nor attributes.
    """

    prov: str
    noun: str
    word: str
    subject: str
    object: str
    arguments: tuple[tuple[str, str], ...]
    bare: bool = False


RELATIONS: Mapping[str, Relation] = {
    "used": Relation(
        "used",
        "Usage",
        "use",
        "activity",
        "entity",
        (("subject", "prov:activity"), ("object", "prov:entity"), ("time", "prov:time")),
    ),
    "was_generated_by": Relation(
        "wasGeneratedBy",
        "Generation",
        "gen",
        "entity",
        "activity",
        (("subject", "prov:entity"), ("object", "prov:activity"), ("time", "prov:time")),
    ),
    "was_invalidated_by": Relation(
        "wasInvalidatedBy",
        "Invalidation",
        "inv",
        "entity",
        "activity",
        (("subject", "prov:entity"), ("object", "prov:activity"), ("time", "prov:time")),
    ),
    # A trigger beside a starter would say that the starter generated the trigger (inference 9).
    "was_started_by": Relation(
        "wasStartedBy",
        "Start",
        "start",
        "activity",
        "activity",
        (
            ("subject", "prov:activity"),
            ("", "prov:trigger"),
            ("object", "prov:starter"),
            ("time", "prov:time"),
        ),
    ),
    "was_informed_by": Relation(
        "wasInformedBy",
        "Communication",
        "inform",
        "activity",
        "activity",
        (("subject", "prov:informed"), ("object", "prov:informant")),
    ),
    "was_derived_from": Relation(
        "wasDerivedFrom",
        "Derivation",
        "der",
        "entity",
        "entity",
        (
            ("subject", "prov:generatedEntity"),
            ("object", "prov:usedEntity"),
            ("activity", "prov:activity"),
            ("generation", "prov:generation"),
            ("usage", "prov:usage"),
        ),
    ),
    "was_attributed_to": Relation(
        "wasAttributedTo",
        "Attribution",
        "attr",
        "entity",
        "agent",
        (("subject", "prov:entity"), ("object", "prov:agent")),
    ),
    "was_associated_with": Relation(
        "wasAssociatedWith",
        "Association",
        "assoc",
        "activity",
        "agent",
        (("subject", "prov:activity"), ("object", "prov:agent"), ("plan", "prov:plan")),
    ),
    "acted_on_behalf_of": Relation(
        "actedOnBehalfOf",
        "Delegation",
        "deleg",
        "agent",
        "agent",
        (
            ("subject", "prov:delegate"),
            ("object", "prov:responsible"),
            ("activity", "prov:activity"),
        ),
    ),
    "was_influenced_by": Relation(
        "wasInfluencedBy",
        "Influence",
        "infl",
        "",
        "",
        (("subject", "prov:influencee"), ("object", "prov:influencer")),
    ),
    "specialization_of": Relation(
        "specializationOf",
        "Specialization",
        "spec",
        "entity",
        "entity",
        (("subject", "prov:specificEntity"), ("object", "prov:generalEntity")),
        bare=True,
    ),
    "alternate_of": Relation(
        "alternateOf",
        "Alternate",
        "alt",
        "entity",
        "entity",
        (("subject", "prov:alternate1"), ("object", "prov:alternate2")),
        bare=True,
    ),
    "had_member": Relation(
        "hadMember",
        "Membership",
        "member",
        "entity",
        "entity",
        (("subject", "prov:collection"), ("object", "prov:entity")),
        bare=True,
    ),
}
"""Every relation of the edges table by the name in its `relation` column, in writing order."""

_WORDS = "|".join(relation.word for relation in RELATIONS.values())
_PLAIN = re.compile(rf"(?!(?:.*\.)?(?:{_WORDS})(?:\.|$))[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
# Controls, line and paragraph separators, direction marks, surrogates and non-characters.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def clean_text(text: str) -> str:
    r"""Return a text that is legal, and looks the same, in every serialisation.

    Control and direction characters become their escapes. A text of more than 4096 characters is
    cut and marked with its length and SHA-256. The log keeps every text as it was.

    Example:
        >>> clean_text("a\x1bb\nc")
        'a\\u001bb\\nc'
    """
    if len(text) > _LONGEST_TEXT:
        text = (
            f"{text[: _LONGEST_TEXT - 100]}... [{len(text)} characters, sha256 {digest(text)[:16]}]"
        )
    if text.isascii() and text.isprintable():
        return text
    return _UNPRINTABLE.sub(_escape, text)


def local_name(text: str) -> str:
    """Return a part of an id for any text: itself where that is legal, else cut and hashed.

    Example:
        >>> local_name("optimizer.lr"), local_name("val/loss")
        ('optimizer.lr', 'val_loss-cd4153b9')
    """
    if len(text) <= _LONGEST_NAME and _PLAIN.fullmatch(text):
        return text
    readable = re.sub(r"[^A-Za-z0-9]+", "_", text)[:32].strip("_")
    return f"{readable or 'x'}-{digest(text)[:8]}"


def content_id(kind: str, sha256: str | None, *parts: object) -> str:
    """Return an id by the digest of a thing's bytes, by what else is known where there is none.

    Example:
        >>> content_id("blob", "3f9c41d8" * 8), content_id("blob", None, "last.ckpt")
        ('blob-3f9c41d83f9c41d8', 'blob-f6d5d5f29e98d557')
    """
    if sha256 is not None and _SHA256.fullmatch(sha256):
        return f"{kind}-{sha256[:16]}"
    return qualified_id(kind, sha256, *parts)


def prov_value(value: object) -> Value:
    """Return a Python value as an attribute that every PROV serialisation reads back equal.

    NaN becomes the text `NaN`, for no document that holds the number equals itself; lists, objects
    and null become JSON text of the type `pr:json`.

    Example:
        >>> prov_value(0.1), prov_value(float("-inf")), prov_value([1, 2])
        (0.1, {'$': '-INF', 'type': 'xsd:double'}, {'$': '[1,2]', 'type': 'pr:json'})
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int):
        return int(value) if -_INT64 <= value < _INT64 else str(value)
    if isinstance(value, float):
        return _number(float(value))
    return {"$": clean_text(canonical_json(value)), "type": "pr:json"}


def parse_json(text: str | None) -> object:
    """Return what a table's JSON text holds; the text itself where it is none.

    Example:
        >>> parse_json("0.1"), parse_json("adam")
        (0.1, 'adam')
    """
    try:
        return json.loads(text) if text is not None else None
    except ValueError:
        return text


def _number(value: float) -> Value:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return {"$": "INF" if value > 0 else "-INF", "type": "xsd:double"}
    return value


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    return _ESCAPES.get(character) or f"\\u{ord(character):04x}"

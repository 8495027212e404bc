"""Reads what the graph was exported to with the prov library, whatever the format."""

from __future__ import annotations

import warnings
from pathlib import Path

from prov.model import ProvBundle, ProvDocument, ProvRelation

__all__ = ["RDF_FORMATS", "read_document"]

RDF_FORMATS = {"nq": "nquads", "ttl": "turtle"}


def read_document(path: Path, suffix: str) -> ProvDocument:
    """Return the document of a file in one of our formats.

    In RDF, a relation stands there plainly (`prov:used`) and qualified. The library reads the plain
    triple as one more relation, without an id: those that one with an id implies are left out.
    """
    if suffix not in RDF_FORMATS:
        return ProvDocument.deserialize(str(path), format=suffix)
    with warnings.catch_warnings():
        # rdflib warns of how it reads its own data sets
        warnings.simplefilter("ignore", DeprecationWarning)
        found = ProvDocument.deserialize(str(path), format="rdf", rdf_format=RDF_FORMATS[suffix])
    document = ProvDocument(_without_implied(found))
    for bundle in found.bundles:
        document.add_bundle(ProvDocument(_without_implied(bundle)), bundle.identifier)
    return document


def _without_implied(bundle: ProvBundle) -> list[object]:
    named = {_ends(one) for one in bundle.get_records(ProvRelation) if one.identifier}
    return [one for one in bundle.get_records() if one.identifier or _ends(one) not in named]


def _ends(relation: ProvRelation) -> tuple[object, ...]:
    return (relation.get_type(), *(value for _, value in relation.formal_attributes[:2]))

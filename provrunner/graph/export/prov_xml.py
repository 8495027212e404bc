"""Write a graph as PROV-XML (W3C note of 30 April 2013), one record a line."""

from __future__ import annotations

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

__all__ = ["write_prov_xml"]

_NAMESPACES = {
    "prov": "http://www.w3.org/ns/prov#",
    "xsd": "http://www.w3.org/2001/XMLSchema",  # without the final # that RDF has
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}
# The schema has PROV's own attributes in this order, before all others.
_FIRST = {"prov:label": 0, "prov:location": 1, "prov:role": 2, "prov:type": 3, "prov:value": 4}
_LITERALS = frozenset({"prov:time", "prov:startTime", "prov:endTime"})
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})


def write_prov_xml(graph: Graph, path: Path, bundles: Bundles = ()) -> None:
    """Write a PROV-XML document; the same graph gives the same bytes.

    Args:
        graph: what the document itself states.
        path: the file to write.
        bundles: ids and graphs of the bundles in it.
    """
    namespaces = {**prefixes(graph), **_NAMESPACES}
    declared = "".join(
        f' xmlns:{prefix}="{iri.translate(_ESCAPES)}"' for prefix, iri in namespaces.items()
    )
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f'<?xml version="1.0" encoding="UTF-8"?>\n<prov:document{declared}>\n')
        _write_records(file, graph)
        for id_, bundle in bundles:
            file.write(f'<prov:bundleContent prov:id="art:{id_}">\n')
            _write_records(file, bundle)
            file.write("</prov:bundleContent>\n")
        file.write("</prov:document>\n")


def _write_records(file: TextIO, graph: Graph) -> None:
    for name, records in read_records(graph):
        file.writelines(_elements(name, records))


def _elements(name: str, records: Iterator[Record]) -> Iterator[str]:
    for record in records:
        start = name if name in BARE else f'{name} prov:id="{record.id}"'
        body = "".join(_argument(key, text) for key, text in record.arguments if text is not None)
        stated = record.attributes
        if len(stated) > 1:
            stated = sorted(stated, key=lambda pair: (_FIRST.get(pair[0], len(_FIRST)), pair))
        body += "".join(_attribute(key, value) for key, value in stated)
        yield f"<prov:{start}>{body}</prov:{name}>\n" if body else f"<prov:{start}/>\n"


def _argument(key: str, text: str) -> str:
    return f"<{key}>{text}</{key}>" if key in _LITERALS else f'<{key} prov:ref="{text}"/>'


def _attribute(name: str, literal: Literal) -> str:
    text, type_ = literal
    kind = "" if type_ == "xsd:string" else f' xsi:type="{type_}"'
    return f"<{name}{kind}>{text.translate(_ESCAPES)}</{name}>"

"""Write a graph in RDF with the words of PROV-O: sorted N-Quads, and Turtle for people."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from provrunner.graph.export.records import Bundles, Literal, prefixes
from provrunner.graph.export.triples import RDF_PREFIXES, Triple, read_triples
from provrunner.graph.query import Graph

__all__ = ["write_nquads", "write_turtle"]

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"})
_LINES_IN_MEMORY = 1 << 19


def write_nquads(graph: Graph, path: Path, bundles: Bundles = ()) -> None:
    """Write N-Quads, each line once and sorted: two files differ where their graphs do.

    Args:
        graph: what stands in the default graph.
        path: the file to write.
        bundles: ids and graphs of the bundles, each a named graph.
    """
    with ExitStack() as stack, path.open("w", encoding="utf-8", newline="\n") as file:
        lines = _sorted_lines(_quads(graph, bundles), stack)
        file.writelines(line for line, _ in groupby(lines))


def write_turtle(graph: Graph, path: Path) -> None:
    """Write Turtle, record by record; the same graph gives the same bytes."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for prefix, iri in {**prefixes(graph), **RDF_PREFIXES}.items():
            file.write(f"@prefix {prefix}: <{iri}> .\n")
        for triples in read_triples(graph):
            file.write("\n")
            for subject, group in groupby(triples, key=lambda triple: triple[0]):
                stated = " ;\n    ".join(
                    f"{_verb(verb)} {_term(value)}" for _, verb, value in group
                )
                file.write(f"{subject} {stated} .\n")


def _verb(predicate: str) -> str:
    return "a" if predicate == "rdf:type" else predicate


def _term(value: str | Literal) -> str:
    return value if isinstance(value, str) else _literal(value, value[1])


def _literal(literal: Literal, datatype: str) -> str:
    quoted = f'"{literal[0].translate(_ESCAPES)}"'
    return quoted if literal[1] == "xsd:string" else f"{quoted}^^{datatype}"


def _quads(graph: Graph, bundles: Bundles) -> Iterator[str]:
    iris = _Iris({**prefixes(graph), **RDF_PREFIXES})
    yield from _lines(iris, read_triples(graph), " .\n")
    for id_, bundle in bundles:
        yield from _lines(iris, read_triples(bundle), f" {iris[f'art:{id_}']} .\n")


class _Iris(dict[str, str]):
    """The IRIs of qualified names, those of vocabularies kept; art: has as many as the graph."""

    def __init__(self, namespaces: dict[str, str]) -> None:
        super().__init__()
        self._namespaces = namespaces

    def __missing__(self, name: str) -> str:
        prefix, _, local = name.partition(":")
        iri = f"<{self._namespaces[prefix]}{local}>"
        if prefix != "art":
            self[name] = iri
        return iri


def _lines(iris: _Iris, records: Iterable[list[Triple]], end: str) -> Iterator[str]:
    for triples in records:
        for subject, predicate, value in triples:
            term = iris[value] if isinstance(value, str) else _literal(value, iris[value[1]])
            yield f"{iris[subject]} {iris[predicate]} {term}{end}"


def _sorted_lines(lines: Iterator[str], stack: ExitStack) -> Iterator[str]:
    """Sort any number of lines; what memory should not hold waits in nameless files."""
    waiting: list[IO[str]] = []
    held: list[str] = []
    for line in lines:
        held.append(line)
        if len(held) >= _LINES_IN_MEMORY:
            waiting.append(stack.enter_context(_spill(held)))
            held = []
    held.sort()
    return heapq.merge(*waiting, held) if waiting else iter(held)


def _spill(lines: list[str]) -> IO[str]:
    lines.sort()
    file = TemporaryFile("w+", encoding="utf-8", newline="\n")  # noqa: SIM115  the stack closes it
    file.writelines(lines)
    file.seek(0)
    return file

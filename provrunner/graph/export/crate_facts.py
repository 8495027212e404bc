"""What a crate is made of: the graph's nodes, decoded, and the crate's entities by id."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, TypeAlias

import pyarrow.compute as pc

from provrunner.graph.query import Graph

__all__ = ["Entity", "Facts", "Node", "refs"]

Entity: TypeAlias = dict[str, Any]
"""One object of a crate's `@graph`."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the graph with its attributes decoded and its times as ISO 8601."""

    id: str
    label: str
    run: int | None
    start: str | None
    end: str | None
    attributes: Mapping[str, Any]


@dataclass
class Facts:
    """What the graph says that a crate repeats, and the crate's entities as they are made.

    Attributes:
        graph: of a sweep or of one run.
        files: ids of the crate's files by the number of their run; None for the whole sweep's.
        entities: by id, in the order in which they are written.
    """

    graph: Graph
    files: Mapping[int | None, Sequence[str]]
    entities: dict[str, Entity] = field(default_factory=dict)

    def nodes(self, type_: str) -> list[Node]:
        """Return the nodes of a type, by run and id."""
        table = self.graph.nodes.filter(pc.equal(self.graph.nodes["type"], type_))
        return [
            Node(
                *(row["id"], row["label"], row["run"], _time(row["start"]), _time(row["end"])),
                json.loads(row["attributes"]),
            )
            for row in table.sort_by([("run", "ascending"), ("id", "ascending")]).to_pylist()
        ]

    def add(self, id_: str, type_: str | list[str], **properties: Any) -> str:
        """Add an entity and return its id; a property that is None or empty is left out.

        One that is there already keeps what was said of it.
        """
        told = {name: value for name, value in properties.items() if value not in (None, [], "")}
        self.entities.setdefault(id_, {"@id": id_, "@type": type_, **told})
        return id_

    @cached_property
    def people(self) -> list[str]:
        """Ids of the people of the graph, added when first asked for."""
        return [
            self.add(f"#{one.id}", "Person", name=one.label) for one in self.nodes("prov:Person")
        ]


def refs(ids: Iterable[str]) -> Any:
    """Return references to entities; one alone stands without a list.

    Example:
        >>> refs(["#a"]), refs(["#a", "#b"])
        ({'@id': '#a'}, [{'@id': '#a'}, {'@id': '#b'}])
    """
    found = [{"@id": id_} for id_ in ids]
    return found[0] if len(found) == 1 else found


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()

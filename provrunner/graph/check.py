"""Check a graph against the constraints of PROV and of this project."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import pyarrow as pa

from provrunner.graph.query import Graph
from provrunner.graph.rules import ACYCLIC, RULES, VIEWS

__all__ = ["Violation", "check_graph"]


INFERRED_TIMES = "times follow the inferred order (C30-C46)"
INFERRED_CIRCLE = "no event precedes itself (C30-C46)"


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a graph breaks.

    Attributes:
        rule: its name, with the number in PROV-CONSTRAINTS where it has one.
        statements: ids of the nodes and edges concerned.
    """

    rule: str
    statements: tuple[str, ...]

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.rule}: {', '.join(self.statements)}"


def check_graph(graph: Graph) -> list[Violation]:
    """Return what a graph breaks of the rules in `rules`; empty when valid.

    Checked on the statements themselves, by their times and ids: typing, uniqueness, the order of
    events, impossible statements, dangling ids and illegal names. Then the order of all events is
    inferred, also of those that were not stated, and compared with the times.
    """
    import duckdb

    with duckdb.connect(":memory:") as connection:
        for name, table in (("nodes", graph.nodes), ("edges", graph.edges)):
            connection.register(f"{name}_arrow", _without_times(table))
            connection.execute(f"create table {name} as from {name}_arrow")
        for name, query in VIEWS.items():
            connection.execute(f"create table {name} as {query}")
        found = [
            Violation(rule, tuple(str(value) for value in row))
            for rule, query in RULES.items()
            for row in sorted(connection.execute(query).fetchall(), key=str)
        ]
        for rule, query in ACYCLIC.items():
            cyclic = _cyclic(connection.execute(query).fetchall())
            found += [Violation(rule, tuple(cyclic))] if cyclic else []
    return found + _check_order(graph, found)


def _check_order(graph: Graph, found: list[Violation]) -> list[Violation]:
    """Return what only the inferred order shows; what a rule has told is not told again."""
    from provrunner.graph.order import check_order

    told = {one for violation in found for one in violation.statements}
    pairs, circular = check_order(graph)
    wrong = [Violation(INFERRED_TIMES, pair) for pair in pairs if not told.issuperset(pair)]
    untold = tuple(one for one in circular if one not in told)
    return wrong + ([Violation(INFERRED_CIRCLE, untold)] if untold else [])


def _cyclic(statements: list[tuple[str, str, str]]) -> list[str]:
    """Return the ids of the statements on a cycle: take away all that lead nowhere."""
    forward, backward = defaultdict(set), defaultdict(set)
    for later, earlier, _ in statements:
        forward[later].add(earlier)
        backward[earlier].add(later)
    for after, before in ((forward, backward), (backward, forward)):
        ends = [node for node in before if not after.get(node)]
        while ends:
            end = ends.pop()
            for node in before.pop(end, ()):
                after[node].discard(end)
                if not after[node]:
                    after.pop(node)
                    ends.append(node)
    return sorted(id_ for later, earlier, id_ in statements if earlier in forward.get(later, ()))


def _without_times(table: pa.Table) -> pa.Table:
    """Return the table with times as integers: DuckDB then needs no time zones."""
    columns = [
        column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names)

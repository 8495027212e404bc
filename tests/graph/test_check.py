from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provrunner.graph import RELATIONS, Graph, check_graph
from provrunner.graph.rules import ACYCLIC, RULES
from provrunner.graph.statements import Statements
from provrunner.graph.terms import BASE_IRI
from provrunner.schema import TABLES


def valid() -> Statements:
    """A run from 10 to 20 used one entity and derived another one from it."""
    s = Statements()
    s.add("entity", "plan-1", ("pr:RunConfig", "prov:Plan"), "plan")
    s.add("entity", "old-1", ("pr:Checkpoint", "prov:Collection"), "old")
    s.add("entity", "new-1", ("pr:Checkpoint", "prov:EmptyCollection"), "new")
    s.add("agent", "software-1", "prov:SoftwareAgent", "tool")
    s.add("activity", "sweep-1", "pr:Sweep", "sweep", start=1, end=30)
    s.add("activity", "run-1", "pr:Run", "run", start=10, end=20)
    s.relate("was_started_by", "run-1", "sweep-1", time=10)
    s.relate("was_informed_by", "run-1", "sweep-1")
    s.relate("was_associated_with", "run-1", "software-1", plan="plan-1")
    s.relate("had_member", "old-1", "plan-1")
    made = s.relate("was_generated_by", "old-1", "sweep-1", time=5)
    assert made == "old-1.gen"
    used = s.relate("used", "run-1", "old-1", time=12)
    new = s.relate("was_generated_by", "new-1", "run-1", time=15)
    s.relate("was_derived_from", "new-1", "old-1", because=("run-1", new, used))
    s.relate("specialization_of", "new-1", "old-1")
    s.relate("was_invalidated_by", "old-1", "sweep-1", time=25)
    s.relate("was_invalidated_by", "new-1", "sweep-1", time=22)
    return s


def change(table: str, id_: str, /, **values: Any) -> Callable[[Statements], None]:
    """Make a function that overwrites columns of one row."""

    def apply(statements: Statements) -> None:
        rows = getattr(statements, table)
        row = dict(zip(TABLES[table].names, rows[id_], strict=True)) | values
        rows[id_] = tuple(row.values())

    return apply


def relate(*args: str, **details: Any) -> Callable[[Statements], None]:
    """Make a function that states one more relation."""
    return lambda statements: statements.relate(*args, **details)  # type: ignore[func-returns-value]


def loop(statements: Statements) -> None:
    statements.relate("was_derived_from", "old-1", "plan-1")
    statements.relate("was_derived_from", "plan-1", "new-1")


BREAKS: dict[str, tuple[Callable[[Statements], None], str]] = {
    "legal name": (change("nodes", "run-1", id="1run"), "1run"),
    "known kind": (change("nodes", "run-1", kind="thing"), "run-1"),
    "known relation": (change("edges", "run-1.use", relation="wasUsed"), "run-1.use"),
    "legal attributes": (change("nodes", "run-1", attributes='{"pr:a": "\\u001b"}'), "run-1"),
    "unique id (C22, C23)": (change("edges", "run-1.use", id="run-1"), "run-1"),
    "no dangling id": (change("edges", "run-1.use", object="gone-1"), "run-1.use"),
    "domain and range (C50, C55)": (
        change("edges", "run-1.assoc", object="old-1"), "run-1.assoc",
    ),
    "arguments of their relation": (change("edges", "new-1.spec", time=3), "new-1.spec"),
    "time of an activity alone": (change("nodes", "old-1", start=3), "old-1"),
    "plan is a Plan (C50)": (change("edges", "run-1.assoc", plan="old-1"), "run-1.assoc"),
    "collection is a Collection (C50)": (
        change("edges", "old-1.member", subject="plan-1"), "old-1.member",
    ),
    "empty collection has no member (C56)": (
        change("edges", "old-1.member", subject="new-1"), "old-1.member",
    ),
    "unique generation (C24, C39)": (
        relate("was_generated_by", "new-1", "sweep-1", "again", time=16), "new-1.gen",
    ),
    "unique invalidation (C25, C40)": (
        relate("was_invalidated_by", "new-1", "run-1", "again", time=19), "new-1.inv",
    ),
    "unique start (C26, C31)": (
        relate("was_started_by", "run-1", "sweep-1", "again", time=10), "run-1.start",
    ),
    "start is the start's time (C28)": (change("edges", "run-1.start", time=11), "run-1.start"),
    "start precedes end (C30)": (change("nodes", "run-1", end=9), "run-1"),
    "usage within activity (C33)": (change("edges", "run-1.use", time=9), "run-1.use"),
    "generation within activity (C34)": (change("edges", "new-1.gen", time=21), "new-1.gen"),
    "informant starts before informed ends (C35)": (
        change("nodes", "sweep-1", start=21), "run-1.inform",
    ),
    "generation precedes invalidation (C36)": (change("edges", "new-1.inv", time=14), "new-1.gen"),
    "generation precedes usage (C37)": (change("edges", "old-1.gen", time=13), "old-1.gen"),
    "usage precedes invalidation (C38)": (change("edges", "old-1.inv", time=11), "run-1.use"),
    "usage precedes generation in a derivation (C41)": (
        change("edges", "run-1.use", time=16), "new-1.der",
    ),
    "source precedes what derives from it (C42)": (
        change("edges", "old-1.gen", time=16), "new-1.der",
    ),
    "general precedes special (C45)": (change("edges", "old-1.gen", time=16), "new-1.spec"),
    "special is invalidated first (C46)": (change("edges", "new-1.inv", time=26), "new-1.spec"),
    "derivation names its activity (C51)": (
        change("edges", "new-1.der", activity=None), "new-1.der",
    ),
    "derivation's generation is of its entity and activity": (
        change("edges", "new-1.der", generation="old-1.gen"), "new-1.der",
    ),
    "derivation's usage is of its source and activity": (
        change("edges", "new-1.der", usage="gone"), "new-1.der",
    ),
    "no derivation from itself (C42)": (loop, "new-1.der"),
    "no specialization of itself (C52)": (
        relate("specialization_of", "old-1", "new-1"), "new-1.spec",
    ),
}  # fmt: skip


def test_valid_graph_breaks_no_rule() -> None:
    assert check_graph(valid().to_graph(BASE_IRI)) == []


def test_every_rule_is_broken_once_here() -> None:
    assert set(BREAKS) == {*RULES, *ACYCLIC}


@pytest.mark.parametrize("rule", BREAKS)
def test_broken_rule_is_found_and_names_its_statements(rule: str) -> None:
    statements = valid()
    apply, culprit = BREAKS[rule]
    apply(statements)
    found = [one for one in check_graph(_graph(statements)) if one.rule == rule]
    assert found
    assert culprit in {statement for one in found for statement in one.statements}


def test_time_is_judged_through_events_that_have_none() -> None:
    s = Statements()
    for name in ("first-1", "middle-1", "last-1"):
        s.add("entity", name, "pr:Content", name)
    s.add("activity", "run-1", "pr:Run", "run", start=1, end=30)
    s.relate("was_generated_by", "first-1", "run-1", time=20)
    s.relate("was_derived_from", "middle-1", "first-1")
    s.relate("was_derived_from", "last-1", "middle-1")
    assert check_graph(_graph(s)) == []
    s.relate("was_generated_by", "last-1", "run-1", time=19)
    assert [str(one) for one in check_graph(_graph(s))] == [
        "times follow the inferred order (C30-C46): first-1, last-1"
    ]


def test_starter_starts_before_what_it_starts() -> None:
    s = Statements()
    s.add("activity", "sweep-1", "pr:Sweep", "sweep", start=5)
    s.add("activity", "run-1", "pr:Run", "run", start=4)
    s.relate("was_started_by", "run-1", "sweep-1", time=4)
    assert [one.statements for one in check_graph(_graph(s))] == [("sweep-1", "run-1")]


def test_circle_of_events_with_a_derivation_on_it_is_impossible() -> None:
    s = Statements()
    s.add("entity", "old-1", "pr:Content", "old")
    s.add("entity", "new-1", "pr:Content", "new")
    s.relate("was_derived_from", "new-1", "old-1")
    s.relate("specialization_of", "old-1", "new-1")
    assert [str(one) for one in check_graph(_graph(s))] == [
        "no event precedes itself (C30-C46): new-1"
    ]


def test_circle_of_events_that_may_be_one_is_possible() -> None:
    s = Statements()
    s.add("activity", "one-1", "pr:Run", "one", start=1, end=1)
    s.add("activity", "two-1", "pr:Run", "two", start=1, end=1)
    s.relate("was_started_by", "one-1", "two-1", time=1)
    s.relate("was_started_by", "two-1", "one-1", time=1)
    assert check_graph(_graph(s)) == []


def test_violation_reads_as_one_line() -> None:
    statements = valid()
    change("nodes", "run-1", end=9)(statements)
    violations = check_graph(_graph(statements))
    assert "start precedes end (C30): run-1" in [str(one) for one in violations]


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_sweeps_graph_with_any_reference_cut_is_found_out(
    graph: Graph, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, graph.edges.num_rows - 1))
    column = data.draw(st.sampled_from(["subject", "object"]))
    values = graph.edges[column].to_pylist()
    values[index] = "gone-1"
    place = graph.edges.column_names.index(column)
    edges = graph.edges.set_column(place, column, pa.array(values))
    found = check_graph(Graph(graph.nodes, edges, graph.base_iri))
    assert graph.edges["id"][index].as_py() in {one for row in found for one in row.statements}


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_sweeps_graph_with_ends_of_the_wrong_kind_is_found_out(
    graph: Graph, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, graph.edges.num_rows - 1))
    kind = RELATIONS[graph.edges["relation"][index].as_py()].object
    wrong = {"entity": "activity", "activity": "agent", "agent": "entity"}.get(kind)
    if wrong is None:
        return
    targets = [row["id"] for row in graph.nodes.to_pylist() if row["kind"] == wrong]
    values = graph.edges["object"].to_pylist()
    values[index] = targets[0]
    place = graph.edges.column_names.index("object")
    edges = graph.edges.set_column(place, "object", pa.array(values))
    rules = {one.rule for one in check_graph(Graph(graph.nodes, edges, graph.base_iri))}
    assert "domain and range (C50, C55)" in rules


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_sweeps_graph_with_a_usage_or_generation_before_its_activity_is_found_out(
    graph: Graph, data: st.DataObject
) -> None:
    starts = dict(zip(*(graph.nodes[name].to_pylist() for name in ("id", "start")), strict=True))
    rows = graph.edges.to_pylist()
    ends = {"used": "subject", "was_generated_by": "object"}
    timed = [
        index
        for index, row in enumerate(rows)
        if row["time"] and starts.get(row[ends.get(row["relation"], "id")])
    ]
    row = rows[data.draw(st.sampled_from(timed))]
    earlier = data.draw(st.timedeltas(timedelta(microseconds=1), timedelta(days=400)))
    row["time"] = starts[row[ends[row["relation"]]]] - earlier
    edges = pa.Table.from_pylist(rows, graph.edges.schema)
    found = check_graph(Graph(graph.nodes, edges, graph.base_iri))
    rule = (
        "usage within activity (C33)"
        if row["relation"] == "used"
        else ("generation within activity (C34)")
    )
    assert row["id"] in {one for each in found if each.rule == rule for one in each.statements}


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_sweeps_graph_with_a_later_generation_of_any_entity_is_found_out(
    graph: Graph, data: st.DataObject
) -> None:
    made = graph.edges.filter(pc.equal(graph.edges["relation"], "was_generated_by")).to_pylist()
    row = data.draw(st.sampled_from([row for row in made if row["time"]]))
    activities = graph.nodes.filter(pc.equal(graph.nodes["kind"], "activity"))["id"].to_pylist()
    other = data.draw(st.sampled_from([one for one in activities if one != row["object"]]))
    # Two activities may generate an entity together (C39), at the same time alone.
    later = row["time"] + timedelta(microseconds=1)
    again = {**row, "id": f"{row['id']}.again", "object": other, "time": later}
    edges = pa.concat_tables([graph.edges, pa.Table.from_pylist([again], graph.edges.schema)])
    found = check_graph(Graph(graph.nodes, edges, graph.base_iri))
    named = [each.statements for each in found if each.rule == "unique generation (C24, C39)"]
    assert any(row["id"] in one or again["id"] in one for one in named)


def _graph(statements: Statements) -> Graph:
    """Put statements into tables as they are, unknown kinds and relations too."""
    tables = []
    for name, rows in (("nodes", statements.nodes), ("edges", statements.edges)):
        schema = TABLES[name]
        columns = zip(*rows.values(), strict=True)
        tables.append(
            pa.table(
                [
                    pa.array(column, pa.int64()).cast(field.type)
                    if pa.types.is_timestamp(field.type)
                    else pa.array(column, field.type)
                    for column, field in zip(columns, schema, strict=True)
                ],
                schema=schema,
            )
        )
    return Graph(tables[0], tables[1])

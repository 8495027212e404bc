from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import duckdb
import pyarrow as pa
import pytest

from provrunner.graph import Graph, build_graph, check_graph, draw_plan
from provrunner.graph.steps import STEPS
from provrunner.plan import Plan

DOCS = Path(__file__).parents[2] / "docs" / "provenance.md"


def members(graph: Graph, step: str) -> list[str]:
    """Return the labels of what enters a step."""
    labels = dict(zip(*(graph.nodes[name].to_pylist() for name in ("id", "label")), strict=True))
    return sorted(
        labels[row["object"]]
        for row in graph.edges.to_pylist()
        if row["relation"] == "had_member" and row["subject"].endswith(f".{step}")
    )


def steps(graph: Graph) -> dict[str, dict[str, object]]:
    rows = [row for row in graph.nodes.to_pylist() if row["type"] == "pr:Step"]
    found = {row["label"]: json.loads(row["attributes"]) for row in rows}
    return dict(sorted(found.items(), key=lambda one: str(one[1]["pr:position"])))


def with_targets(tables: dict[str, pa.Table], **targets: str) -> dict[str, pa.Table]:
    """Add the `_target_` of some groups to the configuration of every run."""
    rows = tables["params"].to_pylist()
    runs = {row["run"]: row for row in rows}
    for name, target in targets.items():
        path = f"{name.replace('__', '.')}._target_"
        rows += [{**row, "name": path, "value": json.dumps(target)} for row in runs.values()]
    return {**tables, "params": pa.Table.from_pylist(rows, tables["params"].schema)}


def test_plan_has_its_steps_before_any_run(plan: Plan) -> None:
    graph = build_graph({}, plan)
    assert list(steps(graph)) == list(STEPS)
    assert "optimizer.lr" in members(graph, "fit")
    assert check_graph(graph) == []


def test_settings_enter_the_step_that_their_group_is_for(
    plan: Plan, tables: dict[str, pa.Table]
) -> None:
    told = with_targets(tables, data="zoo.Digits", model="zoo.MLP", my_group="mine.Thing")
    graph = build_graph(told, plan)
    assert members(graph, "prepare") == ['data._target_ = "zoo.Digits"', "data.path = null"]
    assert members(graph, "split") == ['data._target_ = "zoo.Digits"']
    assert 'my_group._target_ = "mine.Thing"' in members(graph, "fit")
    assert "trainer.max_epochs = 3" in members(graph, "fit")
    assert steps(graph)["prepare"]["pr:target"] == ["zoo.Digits"]
    assert steps(graph)["fit"]["pr:target"] == ["mine.Thing", "zoo.MLP"]


def test_callback_that_writes_checkpoints_is_told_by_its_class(
    plan: Plan, tables: dict[str, pa.Table]
) -> None:
    told = with_targets(tables, trainer__callbacks__keep="x.ModelCheckpoint")
    graph = build_graph(told, plan)
    assert steps(graph)["checkpoint"]["pr:target"] == ["x.ModelCheckpoint"]
    assert 'trainer.callbacks.keep._target_ = "x.ModelCheckpoint"' in members(graph, "checkpoint")


def test_plan_without_a_test_has_no_such_step(
    plan: Plan, small: ModuleType, tables: dict[str, pa.Table]
) -> None:
    rows = tables["params"].to_pylist()
    rows += [{**row, "name": "test", "value": "false"} for row in rows[:1]]
    untested = tables["metrics"].filter(pa.compute.not_equal(tables["metrics"]["stage"], "test"))
    told = {"params": pa.Table.from_pylist(rows, tables["params"].schema), "metrics": untested}
    graph = build_graph({**tables, **told}, plan)
    assert "test" not in steps(graph)


def test_every_stage_epoch_and_analysis_names_the_step_it_carried_out(graph: Graph) -> None:
    types = dict(zip(*(graph.nodes[name].to_pylist() for name in ("id", "type")), strict=True))
    carried: dict[str, set[str]] = {}
    for row in graph.edges.to_pylist():
        if str(row["plan"]).startswith("step-"):
            carried.setdefault(types[row["subject"]], set()).add(row["plan"].partition(".")[2])
    assert carried == {
        "pr:Run": {"prepare", "split", "checkpoint"},
        "pr:Preparation": {"split"},
        "pr:Fit": {"fit"},
        "pr:TrainEpoch": {"fit"},
        "pr:Validation": {"validate"},
        "pr:Test": {"test"},
        "pr:SensitivityAnalysis": {"analyse"},
    }
    activities = {id_ for id_, type_ in types.items() if type_ in carried}
    linked = {row["subject"] for row in graph.edges.to_pylist() if row["plan"]}
    assert activities <= linked


def test_documented_query_tells_which_runs_fitted_with_which_values(
    graph: Graph, small: ModuleType
) -> None:
    text = DOCS.read_text("utf-8")
    begin = text.index("select s.run")
    query = text[begin : text.index(";", begin)]
    with duckdb.connect() as connection:
        connection.register("nodes", graph.nodes)
        connection.register("edges", graph.edges)
        rows = connection.sql(query).fetchall()
    assert [row[0] for row in rows] == [run for run in range(8) for _ in range(3)]
    rates = [label for _, name, label in rows if name == "optimizer.lr"]
    assert rates == ["optimizer.lr = 0.1"] * 4 + ["optimizer.lr = 0.01"] * 4


def test_input_port_has_the_type_of_the_port_it_takes_from(graph: Graph) -> None:
    rows = [row for row in graph.nodes.to_pylist() if row["type"] == "pr:Port"]
    ports = {row["id"]: json.loads(row["attributes"]) for row in rows}
    taken = [port for port in ports.values() if port["pr:direction"] == "in"]
    assert len(taken) == 9
    for port in taken:
        source = ports[port["pr:from"]["$"].removeprefix("art:")]
        assert source["pr:direction"] == "out"
        assert source["pr:dataType"] == port["pr:dataType"]


def test_process_view_shows_steps_and_what_is_swept(graph: Graph) -> None:
    svg = draw_plan(graph).decode()
    assert all(f">{step}<" in svg for step in STEPS)
    assert "opt.l" in svg
    assert ">swept × 2<" in svg


def test_data_view_shows_what_passes_from_step_to_step(graph: Graph) -> None:
    svg = draw_plan(graph, "data").decode()
    assert ">checkpoint of checkpoint<" in svg
    assert ">sensitivity result of analyse<" in svg


def test_another_view_of_the_plan_is_refused(graph: Graph) -> None:
    with pytest.raises(ValueError, match="view is 'time'; one of process, data"):
        draw_plan(graph, "time")

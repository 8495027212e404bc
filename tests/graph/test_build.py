from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from provrunner.graph import Graph, build_graph, check_graph
from provrunner.ids import digest
from provrunner.plan import Extension, Plan
from provrunner.schema import TABLES

Tables = dict[str, pa.Table]


def nodes(graph: Graph, type_: str, run: int | None = None) -> list[dict[str, Any]]:
    rows = graph.nodes.to_pylist()
    found = [row for row in rows if row["type"] == type_ and run in (None, row["run"])]
    return [row | {"attributes": json.loads(row["attributes"])} for row in found]


def edges(graph: Graph, relation: str, subject: str = "") -> list[dict[str, Any]]:
    rows = graph.edges.to_pylist()
    return [row for row in rows if row["relation"] == relation and subject in ("", row["subject"])]


def run_id(graph: Graph, run: int) -> str:
    return nodes(graph, "pr:Run", run)[0]["id"]


def test_graph_has_the_public_schemas(graph: Graph) -> None:
    assert graph.nodes.schema == TABLES["nodes"]
    assert graph.edges.schema == TABLES["edges"]


@pytest.mark.parametrize("granularity", ["run", "stage", "epoch", "checkpointed"])
def test_graph_of_every_granularity_is_valid(
    plan: Plan, tables: Tables, small: ModuleType, granularity: str
) -> None:
    effects = small.make_effects()
    graph = build_graph(tables, plan, sensitivity=effects, granularity=granularity)
    assert check_graph(graph) == []


def test_what_was_added_later_is_the_origin_of_the_runs_that_it_added_alone(
    plan: Plan, tables: Tables
) -> None:
    added = tuple(
        Extension(f"2026-01-02T0{hour}:00:00Z", ("provrunner", "resume"), first)
        for hour, first in ((4, 4), (5, 7))
    )
    low, _ = plan.hyperparameters
    ranged = replace(low, levels=(), low=0.001, high=0.5)
    graph = build_graph(tables, replace(plan, extensions=added, hyperparameters=(ranged,)))
    assert check_graph(graph) == []
    asked = {node["attributes"]["pr:firstRun"]: node for node in nodes(graph, "pr:Extension")}
    assert {first: node["attributes"]["pr:runs"] for first, node in asked.items()} == {4: 3, 7: 1}
    came = {
        first: graph.lineage(node["id"], "down", to="run").nodes["run"].drop_null().unique()
        for first, node in asked.items()
    }
    assert {first: sorted(runs.to_pylist()) for first, runs in came.items()} == {
        4: [4, 5, 6], 7: [7],
    }  # fmt: skip
    of_first = graph.lineage(run_id(graph, 0), "up").nodes["type"].to_pylist()
    assert "pr:SweepConfig" in of_first
    assert "pr:Extension" not in of_first
    (axis,) = (node["attributes"] for node in nodes(graph, "pr:Hyperparameter"))
    assert (axis["pr:low"], axis["pr:high"]) == (0.001, 0.5)


def test_unknown_granularity_is_refused(plan: Plan, tables: Tables) -> None:
    with pytest.raises(ValueError, match="granularity is 'step'; one of run, stage"):
        build_graph(tables, plan, granularity="step")


def test_same_tables_give_the_same_graph_whatever_the_order_of_their_rows(
    plan: Plan, tables: Tables, small: ModuleType, graph: Graph
) -> None:
    shuffled = {
        name: table.take(pa.array(range(table.num_rows - 1, -1, -1), pa.int64()))
        for name, table in tables.items()
    }
    again = build_graph(shuffled, plan, sensitivity=small.make_effects())
    assert again.nodes.equals(graph.nodes)
    assert again.edges.equals(graph.edges)


def test_granularity_decides_which_activities_are_told(plan: Plan, tables: Tables) -> None:
    told = {
        granularity: {
            type_: len(nodes(build_graph(tables, plan, granularity=granularity), type_, 0))
            for type_ in ("pr:Run", "pr:Fit", "pr:Test", "pr:TrainEpoch", "pr:Validation")
        }
        for granularity in ("run", "stage", "epoch")
    }
    assert list(told["run"].values()) == [1, 0, 0, 0, 0]
    assert list(told["stage"].values()) == [1, 1, 1, 0, 0]
    assert list(told["epoch"].values()) == [1, 1, 1, 3, 3]


def test_checkpointed_tells_epochs_with_a_checkpoint_the_best_and_the_last(
    small: ModuleType,
) -> None:
    plan = small.make_plan()
    graph = build_graph(small.make_tables(plan, epochs=6), plan)
    # Checkpoints are of epochs 0, 1, 3, 4, 5; the best and last epoch is 5.
    assert [row["attributes"]["pr:epoch"] for row in nodes(graph, "pr:TrainEpoch", 0)] == [
        0, 1, 3, 4, 5,
    ]  # fmt: skip


def test_run_ids_rest_on_sweep_number_seed_and_attempt_alone(
    plan: Plan, tables: Tables, graph: Graph
) -> None:
    runs = tables["runs"]
    later = runs.set_column(
        runs.column_names.index("host"), "host", pa.array(["other"] * runs.num_rows)
    )
    other = build_graph(tables | {"runs": later}, plan)
    assert run_id(graph, 3) == run_id(other, 3)


def test_lost_run_without_an_end_gives_a_partial_graph(graph: Graph) -> None:
    lost = nodes(graph, "pr:Run", 6)[0]
    assert lost["end"] is None
    assert lost["attributes"]["pr:status"] == "lost"
    assert [row["end"] is None for row in nodes(graph, "pr:TrainEpoch", 6)] == [False, False, True]
    assert len(nodes(graph, "pr:ModelState", 6)) == 2
    assert nodes(graph, "pr:Sweep")[0]["end"] is None


def test_failed_run_keeps_its_reason_with_control_characters_made_visible(graph: Graph) -> None:
    result = nodes(graph, "pr:RunResult", 5)[0]
    assert result["attributes"]["pr:status"] == "failed"
    assert result["attributes"]["pr:reason"] == r"ValueError: no \u001b[31m luck"


def test_sweep_that_has_ended_ends_with_its_last_run(small: ModuleType) -> None:
    plan = small.make_plan()
    tables = small.make_tables(plan, lost=None)
    sweep = nodes(build_graph(tables, plan), "pr:Sweep")[0]
    assert sweep["start"].isoformat() == "2026-01-02T03:04:04.500000+00:00"
    assert sweep["end"] == max(tables["runs"]["end"].to_pylist())


def test_swept_settings_and_seed_are_entities_of_their_run(graph: Graph) -> None:
    found = nodes(graph, "mls:HyperParameterSetting", 2)
    values = {row["attributes"]["pr:name"]: row["attributes"]["prov:value"] for row in found}
    assert values.pop("optimizer.lr") == 0.1
    assert values.pop("seed") == 0
    assert list(values.values()) == [64]
    used = edges(graph, "used", run_id(graph, 2))
    assert [row["role"] for row in used].count("pr:hyperparameter") == 2
    assert [row["role"] for row in used].count("pr:seed") == 1


def test_settings_that_all_runs_share_are_members_of_the_sweep_config(graph: Graph) -> None:
    config = nodes(graph, "pr:SweepConfig")[0]["id"]
    members = {row["object"] for row in edges(graph, "had_member", config)}
    labels = {row["label"] for row in nodes(graph, "mls:HyperParameterSetting")
              if row["id"] in members}  # fmt: skip
    assert labels == {"trainer.max_epochs = 3", "data.path = null"}


def test_checkpoints_are_revisions_that_name_activity_generation_and_usage(graph: Graph) -> None:
    run = run_id(graph, 0)
    revision = edges(graph, "was_derived_from", f"{run}.checkpoint.20")
    revision = [row for row in revision if row["object"] == f"{run}.checkpoint.10"]
    assert revision[0]["activity"] == f"{run}.train.1"
    assert revision[0]["generation"] == f"{run}.checkpoint.20.gen"
    assert revision[0]["usage"] == f"{run}.train.1.use.checkpoint.10"
    assert json.loads(revision[0]["attributes"]) == {"prov:type": "prov:Revision"}


def test_deleted_checkpoint_is_invalidated_and_the_other_is_not(graph: Graph) -> None:
    run = run_id(graph, 0)
    assert edges(graph, "was_invalidated_by", f"{run}.checkpoint.10")[0]["object"] == run
    assert edges(graph, "was_invalidated_by", f"{run}.checkpoint.20") == []


def test_equal_bytes_of_two_runs_are_two_checkpoints_of_one_content(
    plan: Plan, tables: Tables
) -> None:
    artifacts = tables["artifacts"]
    same = pa.array(["ab" * 32] * artifacts.num_rows)
    index = artifacts.column_names.index("sha256")
    graph = build_graph(tables | {"artifacts": artifacts.set_column(index, "sha256", same)}, plan)
    contents = [row["label"] for row in nodes(graph, "pr:Content")]
    assert contents.count("bytes ababababab") == 1
    assert len(nodes(graph, "pr:Checkpoint")) == artifacts.num_rows
    assert check_graph(graph) == []


def test_validation_metric_derives_from_the_model_that_a_checkpoint_holds(graph: Graph) -> None:
    run = run_id(graph, 0)
    metric = next(row["id"] for row in nodes(graph, "pr:Metric", 0)
                  if row["attributes"]["pr:name"] == "val/loss"
                  and row["attributes"]["pr:epoch"] == 1)  # fmt: skip
    assert edges(graph, "was_generated_by", metric)[0]["object"] == f"{run}.validate.1"
    derived = edges(graph, "was_derived_from", metric)[0]
    assert derived["object"] == f"{run}.state.1"
    assert derived["usage"] == f"{run}.validate.1.use.model"
    same = edges(graph, "alternate_of", f"{run}.state.1")
    assert [row["object"] for row in same] == [f"{run}.checkpoint.20"]


def test_test_metric_derives_from_the_checkpoint_that_the_test_loaded(graph: Graph) -> None:
    run = run_id(graph, 0)
    metric = next(row["id"] for row in nodes(graph, "pr:Metric", 0)
                  if row["attributes"]["pr:name"] == "test/acc")  # fmt: skip
    derived = edges(graph, "was_derived_from", metric)[0]
    assert derived["object"] == f"{run}.checkpoint.20"
    assert derived["activity"] == f"{run}.test"


def test_values_that_are_no_finite_numbers_keep_what_they_are(graph: Graph) -> None:
    odd = {row["attributes"]["pr:epoch"]: row["attributes"]["prov:value"]
           for row in nodes(graph, "pr:Metric", 0)
           if row["attributes"]["pr:name"] == "val/odd"}  # fmt: skip
    assert odd[0] == {"$": "INF", "type": "xsd:double"}
    assert odd[1] == "NaN"


def test_adaptations_revise_the_configured_value_and_name_their_cause(graph: Graph) -> None:
    run = run_id(graph, 0)
    first, second = nodes(graph, "pr:Adaptation", 0)
    assert (first["attributes"]["prov:value"], second["attributes"]["prov:value"]) == (0.05, 0.025)
    assert first["attributes"]["pr:cause"] == "scheduler"
    assert edges(graph, "was_derived_from", first["id"])[0]["object"] == f"{run}.hp.optimizer.lr"
    assert edges(graph, "was_derived_from", second["id"])[0]["object"] == first["id"]
    assert f"{run}.train.2.use.hp.optimizer.lr" in graph.edges["id"].to_pylist()


def test_two_changes_of_a_setting_in_one_step_are_two_entities(plan: Plan, tables: Tables) -> None:
    adaptations = tables["adaptations"]
    told = adaptations.filter(pc.equal(adaptations["run"], 0)).slice(0, 2)
    names = pa.array(["trainer.should_stop"] * 2)
    told = told.set_column(told.schema.get_field_index("name"), "name", names)
    told = told.set_column(told.schema.get_field_index("step"), "step", pa.array([50, 50]))
    graph = build_graph({**tables, "adaptations": told}, plan)
    first, second = nodes(graph, "pr:Adaptation", 0)
    assert (
        second["id"]
        == f"{first['id']}-2"
        == f"{run_id(graph, 0)}.adaptation.trainer.should_stop.50-2"
    )
    assert edges(graph, "was_derived_from", second["id"])[0]["object"] == first["id"]
    assert check_graph(graph) == []


def test_code_names_commit_and_uncommitted_patch(graph: Graph, small: ModuleType) -> None:
    code = nodes(graph, "pr:SourceCode")
    assert len(code) == 1
    assert code[0]["attributes"]["pr:gitCommit"] == small.COMMIT
    sources = {row["object"] for row in edges(graph, "was_derived_from", code[0]["id"])}
    parts = [*nodes(graph, "pr:Commit"), *nodes(graph, "pr:Patch")]
    assert sources == {row["id"] for row in parts}
    (patch,) = nodes(graph, "pr:Patch")
    assert patch["attributes"]["pr:sha256"] == small.PATCH
    assert patch["id"] == f"patch-{small.PATCH[:16]}"


def test_bytes_are_named_by_the_first_digits_of_their_sha256(graph: Graph) -> None:
    found = [
        *nodes(graph, "pr:Content"),
        *nodes(graph, "pr:Dataset"),
        *nodes(graph, "pr:RunConfig"),
    ]
    assert len(found) > 8
    for row in found:
        assert row["id"].partition("-")[2] == row["attributes"]["pr:sha256"][:16]


def test_types_of_neighbours_stand_beside_ours(graph: Graph) -> None:
    beside = {
        row["type"]: set(json.loads(row["attributes"])["prov:type"])
        for row in graph.nodes.to_pylist()
        if '"prov:type"' in row["attributes"]
    }
    assert beside["pr:Run"] == {"mls:Run", "provone:Execution", "schema:CreateAction"}
    assert beside["pr:Dataset"] == {"mls:Dataset", "schema:Dataset"}
    assert beside["pr:SweepConfig"] == {"prov:Plan", "prov:Collection", "provone:Workflow"}
    assert beside["pr:Step"] == {"prov:Plan", "prov:Collection", "provone:Program"}
    assert beside["pr:Port"] == {"provone:Port"}
    assert beside["pr:Hyperparameter"] == {"mls:HyperParameter"}
    assert "schema:PropertyValue" in beside["mls:HyperParameterSetting"]


def test_environment_lists_packages_and_runs_share_it(graph: Graph) -> None:
    environment = nodes(graph, "pr:Environment")
    assert len(environment) == 1
    told = environment[0]["attributes"]
    assert told["pr:package"] == ["numpy==2.3.0", "torch==2.9.0"]
    assert told["pr:lockSha256"] == digest("numpy==2.3.0\ntorch==2.9.0\n")


def test_software_acts_for_the_user_by_the_run_config_as_its_plan(graph: Graph) -> None:
    names = {row["id"]: row["label"] for row in graph.nodes.to_pylist()}
    associated = edges(graph, "was_associated_with", run_id(graph, 0))
    told = {(names[row["object"]], names.get(row["plan"], "")[:13]) for row in associated}
    assert told == {
        ("ada", ""), ("provrunner 0.1.0", "config of run"), ("torch 2.9.0", "config of run"),
        ("provrunner 0.1.0", "prepare"), ("provrunner 0.1.0", "split"),
        ("provrunner 0.1.0", "checkpoint"),
    }  # fmt: skip
    delegations = edges(graph, "acted_on_behalf_of")
    acted = {(names[row["subject"]], names[row["object"]]) for row in delegations}
    assert acted == {("provrunner 0.1.0", "ada"), ("torch 2.9.0", "ada")}


def test_statement_of_the_analysis_rests_on_the_objective_of_its_runs(graph: Graph) -> None:
    effect = nodes(graph, "pr:SensitivityResult")[0]
    assert len(edges(graph, "was_derived_from", effect["id"])) == 6
    interaction = [row for row in nodes(graph, "pr:SensitivityResult") if "×" in row["label"]]
    assert len(edges(graph, "was_influenced_by", interaction[0]["id"])) == 2


def test_empty_tables_give_the_plan_alone(plan: Plan) -> None:
    graph = build_graph({}, plan)
    assert set(graph.nodes["type"].to_pylist()) == {
        "pr:SweepConfig", "pr:Sweep", "pr:Hyperparameter", "pr:SweepResults", "pr:Step", "pr:Port",
    }  # fmt: skip
    assert check_graph(graph) == []


def test_clock_that_steps_back_gives_a_valid_graph(plan: Plan, tables: Tables) -> None:
    events = tables["events"]
    times = events["time"].cast(pa.int64()).to_pylist()
    stepped = [t - 3_600_000_000 if i % 7 == 3 else t for i, t in enumerate(times)]
    column = pa.array(stepped, pa.int64()).cast(events.schema.field("time").type)
    index = events.column_names.index("time")
    graph = build_graph(tables | {"events": events.set_column(index, "time", column)}, plan)
    assert check_graph(graph) == []


def test_prior_checkpoint_gone_before_the_next_epoch_is_a_bare_revision(
    plan: Plan, tables: Tables
) -> None:
    artifacts = tables["artifacts"]
    created = artifacts["created"]
    index = artifacts.column_names.index("deleted")
    graph = build_graph(
        tables | {"artifacts": artifacts.set_column(index, "deleted", created)}, plan
    )
    run = run_id(graph, 0)
    revision = edges(graph, "was_derived_from", f"{run}.checkpoint.20")
    assert {row["activity"] for row in revision} == {None}
    assert check_graph(graph) == []


def test_attempts_of_a_resumed_run_inform_each_other(plan: Plan, tables: Tables) -> None:
    begun = [(0, 0, "lost"), (1, 25, "finished")]
    rows = [
        {"run": 0, "run_id": plan.points[0].run_id, "rank": 0, "segment": attempt, "seq": 0,
         "time": tables["runs"]["start"][0].as_py() + timedelta(seconds=seconds + later),
         "kind": kind, "data": json.dumps({"attempt": attempt} if kind == "run_start" else end)}
        for attempt, seconds, status in begun
        for kind, later, end in (("run_start", 0, {}), ("run_end", 9, {"status": status}))
    ]  # fmt: skip
    events = pa.concat_tables(
        [tables["events"], pa.Table.from_pylist(rows, schema=tables["events"].schema)]
    )
    graph = build_graph(tables | {"events": events}, plan)
    first, second = nodes(graph, "pr:Attempt", 0)
    assert [row["attributes"]["pr:status"] for row in (first, second)] == ["lost", "finished"]
    assert edges(graph, "was_informed_by", second["id"])[0]["object"] == first["id"]
    assert check_graph(graph) == []


def test_test_without_a_checkpoint_judges_the_last_model(plan: Plan, tables: Tables) -> None:
    events = tables["events"]
    kept = pc.not_equal(events["kind"], "checkpoint_loaded")
    graph = build_graph(tables | {"events": events.filter(kept)}, plan)
    run = run_id(graph, 0)
    used = [row["object"] for row in edges(graph, "used", f"{run}.test")]
    assert f"{run}.state.2" in used
    assert check_graph(graph) == []

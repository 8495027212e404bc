"""Why, diff and impact, asked of a written sweep: learning rate matters, width does not."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from support.written import PACKAGES, Written

from provrunner.errors import GraphError, LogError
from provrunner.ids import digest
from provrunner.report import (
    diff_runs,
    explain,
    find_run,
    impact_of,
    open_sweep,
    render_rows,
    trace,
    verify_rerun,
)
from provrunner.report.scatter import scatter_of
from provrunner.schema import Event


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    code = {"commit": "a" * 40, "dirty": False, "reason": None}
    sources = {"my_model": ("my_model.py", digest("one"))}
    return Written(code=code, sources=sources).write(tmp_path_factory.mktemp("w") / "first")


@pytest.fixture(scope="module")
def sweep(folder):
    return open_sweep(folder)


def test_why_leads_from_a_share_to_the_rows_of_its_runs(sweep, folder):
    why = explain(sweep, "optimizer.lr")
    assert why.numbers["share"] > 0.9
    assert why.numbers["significant"] is True
    assert why.statement.startswith("optimizer.lr matters")
    assert "full grid of 2 × 2 levels" in why.method
    assert why.values["run"].to_pylist() == [0, 1, 2, 3, 4, 5, 6, 7]
    for row in why.values.to_pylist():
        log = pd.read_feather(folder / row["log"])
        assert log.loc[row["row"], ["name", "value"]].tolist() == ["val/loss", row["value"]]


def test_why_names_the_graphs_statement_and_its_derivations(sweep):
    why = explain(sweep, "lr")
    assert why.node.endswith(".optimizer.lr")
    relations = why.statements["relation"].to_pylist()
    assert relations.count("was_derived_from") == 8
    assert relations.count("was_influenced_by") == 1
    told = json.loads(why.to_json())
    assert told["graph"]["node"] == f"art:{why.node}"
    assert len(told["values"]) == 8


@pytest.mark.parametrize(
    ("term", "full"),
    [
        ("noise", "noise"),
        ("lr x width", "optimizer.lr × model.width"),
        ("model.width*optimizer.lr", "optimizer.lr × model.width"),
        ("val/loss@3/1", "val/loss of run 0003-"),
    ],
)
def test_why_takes_a_number_by_the_names_people_use(sweep, term, full):
    why = explain(sweep, term)
    assert why.term.startswith(full)
    assert why.to_text().startswith(full)


def test_why_best_rests_on_the_best_run_and_the_trials_compared(sweep):
    why = explain(sweep, "best")
    best = sweep.sensitivity().to_dict()["best"]
    assert why.values["run"].to_pylist()[0] == best["run"]
    assert why.values.num_rows == 4
    assert why.numbers["objective"] == best["objective"]


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("optimizer.lrr", "did you mean 'optimizer.lr'?"),
        ("vall/loss", "did you mean 'val/loss'?"),
        ("digits", "it has optimizer.lr, model.width"),
    ],
)
def test_why_of_what_is_no_number_names_those_there_are(sweep, term, message):
    with pytest.raises(GraphError, match="no number called") as error:
        explain(sweep, term)
    assert message in str(error.value)


def test_why_works_while_runs_go_on(tmp_path):
    live = open_sweep(Written(status=None, seeds=3).write(tmp_path / "live"))
    assert set(live.runs["status"].to_pylist()) <= {"running", "lost"}
    assert explain(live, "val/loss@0/1").numbers["value"] == pytest.approx(2.01)
    with pytest.raises(GraphError, match="no best run"):
        explain(live, "best")


def test_runs_of_one_trial_differ_by_their_seed_alone(sweep):
    found = diff_runs(0, 1, sweep)
    assert [(one.aspect, one.name, one.a, one.b) for one in found.differences] == [
        ("seed", "seed", "0", "1")
    ]
    assert found.differences[0].beyond_noise is False
    assert found.metrics[0].beyond_noise is False


def test_a_swept_difference_has_the_effect_that_the_sweep_found(sweep):
    found = diff_runs("0", "7", sweep)
    lr, width, seed = found.differences
    assert (lr.name, lr.a, lr.b, lr.beyond_noise) == ("optimizer.lr", "0.1", "0.01", True)
    assert lr.expected == pytest.approx(-1.0, abs=0.03)
    assert 0.9 < lr.explains < abs(lr.expected)
    assert (width.name, width.beyond_noise, width.explains) == ("model.width", False, 0.0)
    assert seed.aspect == "seed"
    assert found.metrics[0].name == "val/loss"
    assert found.metrics[0].beyond_noise is True


def test_differences_between_sweeps_are_few_and_unknown_ones_are_said_to_be(folder, tmp_path):
    other = Written(
        code={"commit": "b" * 40, "dirty": True, "patch_sha256": "c" * 64, "reason": None},
        sources={"my_model": ("my_model.py", digest("two"))},
        packages={**PACKAGES, "torch": "2.14.0"},
        data=digest("other digits"),
        config={"trainer.max_epochs": 3},
    ).write(tmp_path / "second")
    found = diff_runs(f"{folder}:0", f"{other}:0")
    assert [(one.aspect, one.name) for one in found.differences] == [
        ("configuration", "trainer.max_epochs"),
        ("data", "digits: digest"),
        ("code", "commit"),
        ("code", "module my_model"),
        ("code", "uncommitted changes"),
        ("environment", "package torch"),
    ]
    assert {one.why for one in found.differences} == {"unknown"}
    assert json.loads(found.to_json())["differences"][5]["b"] == "2.14.0"
    assert "aaaaaaaaaaaa…" in found.to_text()


def layer(weights):
    told = {"type": "Linear", "input_shape": [8], "output_shape": [1], "trainable": weights}
    return Event("layer", "head", data={**told, "parameters": weights})


def split(rows):
    told = {"dataset": "digits", "size": 100, "digest": rows, "index_digest": rows}
    return Event("split", "train", data=told)


def test_what_follows_from_another_difference_is_left_out(tmp_path):
    def write(name, weights, rows, **changes):
        events = [layer(weights), split(rows)]
        Written(seeds=2, events=events, **changes).write(tmp_path / name)

    write("a", 8, "1" * 64)
    write("b", 16, "2" * 64)
    write("c", 16, "1" * 64, config={"model.depth": 3})
    write("d", 8, "2" * 64, data=digest("other"))

    def names(a, b):
        return [one.name for one in diff_runs(f"{tmp_path / a}", f"{tmp_path / b}").differences]

    assert names("a:0", "b:0") == ["digits train: digest", "layer head"]
    assert names("a:0", "c:0") == ["model.depth"]
    assert names("a:0", "d:0") == ["digits: digest"]
    assert names("a:0", "b:1") == ["layer head", "seed"]


def test_a_run_compared_with_itself_differs_in_nothing(sweep):
    assert diff_runs(2, 2, sweep).differences == ()
    assert "Nothing that was captured differs." in diff_runs(2, 2, sweep).to_text()


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("9", "its 8 runs are numbered from 0"),
        ("nowhere:0", "there is no sweep 'nowhere'"),
        ("frist:0", "did you mean 'first'?"),
    ],
)
def test_a_run_that_is_not_there_is_told_with_the_nearest(sweep, term, message):
    with pytest.raises(LogError) as error:
        find_run(term, sweep)
    assert message in str(error.value)


def test_a_sweep_is_found_by_its_id_beside_the_other(sweep, folder, tmp_path):
    assert find_run("first:3", sweep).point.run == 3
    assert find_run("best", sweep).label.startswith("first:")


def test_scatter_is_pooled_within_trials(sweep):
    found = scatter_of(sweep)
    assert found["validate", "val/acc"].df == 4
    assert found["validate", "val/loss"].sigma == sweep.sensitivity().to_dict()["noise"]["sigma"]


def test_impact_of_a_data_set_is_every_run_and_number(sweep):
    rows = impact_of(sweep, ["digits"]).to_pylist()
    assert [row["run"] for row in rows if row["what"] == "run"] == list(range(8))
    assert [row["name"] for row in rows if row["what"] == "checkpoint"] == [
        "checkpoints/epoch001.ckpt"
    ] * 8
    assert {"optimizer.lr", "noise"} <= {row["name"] for row in rows if row["what"] == "number"}


@pytest.mark.parametrize("term", ["a" * 40, "my_model", "my_model.py"])
def test_impact_of_code_is_every_run_that_ran_it(sweep, term):
    rows = impact_of(sweep, [term]).to_pylist()
    assert sum(row["what"] == "run" for row in rows) == 8


def test_impact_of_two_runs_says_which_of_them(sweep):
    rows = impact_of(sweep, ["3", "5"]).to_pylist()
    assert [(row["run"], row["because"]) for row in rows if row["what"] == "run"] == [
        (3, "3"),
        (5, "5"),
    ]
    assert {row["because"] for row in rows if row["what"] == "number"} == {"3, 5"}


def test_a_deleted_checkpoint_is_left_out_of_the_impact(tmp_path):
    folder = Written(seeds=1, deletes=True).write(tmp_path / "s")
    rows = impact_of(open_sweep(folder), ["0"]).to_pylist()
    assert [row["what"] for row in rows if row["what"] != "number"] == ["run"]


def test_impact_of_nothing_known_names_the_nearest(sweep):
    with pytest.raises(GraphError, match="did you mean 'digits'"):
        impact_of(sweep, ["digist"])


def test_lineage_to_a_type_keeps_the_paths_that_lead_there(sweep):
    whole = trace(sweep, "best").rows
    rows = trace(sweep, "best", to="dataset").rows
    types = set(rows["type"].to_pylist())
    assert "pr:Dataset" in types
    assert not types & {"pr:Commit", "prov:Person", "pr:Environment"}
    assert rows.num_rows < whole.num_rows
    assert trace(sweep, "digits", direction="down", to="pr:SensitivityResult").rows.num_rows > 8
    with pytest.raises(GraphError, match="did you mean 'dataset'"):
        trace(sweep, "best", to="datset")


def test_a_lineage_is_drawn_as_png(sweep):
    assert trace(sweep, "best", to="dataset").draw_png().startswith(b"\x89PNG\r\n")


def test_two_values_that_are_as_good_are_within_noise_though_the_rest_matters(tmp_path):
    sweep = open_sweep(Written(rates=(0.1, 0.01, 0.011), seeds=3).write(tmp_path / "s"))
    apart = diff_runs(0, 6, sweep).differences[0]
    alike = next(one for one in diff_runs(6, 12, sweep).differences if one.name == "optimizer.lr")
    assert (apart.name, apart.beyond_noise) == ("optimizer.lr", True)
    assert (alike.a, alike.b) == ("0.01", "0.011")
    assert (alike.beyond_noise, alike.explains) == (False, 0.0)


HOSTILE = "\x1b[31m\u202e<script>alert(1)</script>\nrun"


def test_hostile_values_stay_text_in_every_answer(tmp_path):
    one = open_sweep(Written(config={"task.name": HOSTILE}, seeds=1).write(tmp_path / "one"))
    other = open_sweep(Written(config={"task.name": "plain"}, seeds=1).write(tmp_path / "two"))
    found = diff_runs("one:0", "two:0", one)
    verdict = verify_rerun(one, 0, open_sweep(Written(seeds=1, shift=1).write(tmp_path / "three")))
    assert [row.name for row in found.differences] == ["task.name"]
    answers = [found.to_text(), verdict.to_text(), explain(one, "val/loss@0/1").to_text()]
    answers += [render_rows(trace(one, "0").rows), render_rows(impact_of(other, ["0"]))]
    for answer in answers:
        assert "\x1b" not in answer
        assert "\u202e" not in answer
    assert r"\u001b[31m\u202e<script>" in answers[0]
    assert r"\u001b[31m\u202e<script>" in answers[1]
    assert json.loads(json.loads(found.to_json())["differences"][0]["a"]) == HOSTILE
    picture = trace(one, "0").draw()
    assert b"<script" not in picture


def test_every_question_answers_for_a_run_that_was_killed(tmp_path):
    live = open_sweep(Written(status=None, seeds=2).write(tmp_path / "live"))
    assert [one.name for one in diff_runs(0, 1, live).differences] == ["seed"]
    assert trace(live, "0").rows.num_rows > 5
    assert [row["run"] for row in impact_of(live, ["digits"]).to_pylist()][:8] == list(range(8))

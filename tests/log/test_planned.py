import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provrunner.errors import LogError
from provrunner.log import write_plan
from provrunner.log.plan_file import read_plan
from provrunner.log.planned import PlannedRun, read_planned_run
from provrunner.plan import Asked, Hyperparameter, Objective, Plan, Point, Sampler

# as a key of the plan, of a point, and of the end of one, would look in the file
SNARES = ('\n "points": [\n', '\n   "run": 1,\n', "\n  },\n", "\n ]", '"', "\\n", "é\u2028")
VALUES = st.one_of(
    st.sampled_from(SNARES), st.text(), st.integers(), st.lists(st.sampled_from(SNARES))
)
POINTS = st.lists(st.dictionaries(st.one_of(st.sampled_from(SNARES), st.text()), VALUES))


def make_plan(values, sampler=None) -> Plan:
    points = tuple(
        Point(number, f"{number:04d}-00000000", f"t{number}", 0, number, own)
        for number, own in enumerate(values)
    )
    asked = tuple(Asked(point.trial_id, point.run, "model", point.run) for point in points)
    axis = Hyperparameter("optimizer.lr", (0.1, 1))
    return Plan(
        "s", SNARES[0], "2026-01-01T00:00:00Z", Objective("loss"), "tpe", (axis,), points,
        command=SNARES, reason=SNARES[1], sampler=sampler, asked=asked if sampler else (),
    )  # fmt: skip


def read_whole(folder, number) -> PlannedRun:
    plan = read_plan(folder)
    rest = replace(plan, points=(), asked=())
    return PlannedRun(rest, plan.points[number], plan.runs_promised)


@settings(max_examples=40)
@given(POINTS, st.sampled_from([None, Sampler("Tpe", "5", 1, trials=7, batch=2, seeds=(0, 1))]))
def test_each_run_of_a_plan_is_found_as_if_all_were_read(tmp_path_factory, values, sampler):
    folder = tmp_path_factory.mktemp("sweep")
    write_plan(folder, make_plan(values, sampler))
    for number in range(len(values)):
        assert read_planned_run(folder, number) == read_whole(folder, number)
    with pytest.raises(LogError, match="has no run"):
        read_planned_run(folder, len(values))


@pytest.mark.parametrize("indent", [None, 2])
def test_a_plan_that_was_laid_out_by_hand_tells_the_same(tmp_path, indent):
    write_plan(tmp_path, make_plan([{"lr": 0.1}, {"lr": [1, {"run": 0}]}]))
    path = tmp_path / "plan.json"
    expected = read_whole(tmp_path, 1)
    path.write_text(json.dumps(json.loads(path.read_text()), indent=indent))
    assert read_planned_run(tmp_path, 1) == expected


def test_no_other_point_is_parsed(tmp_path):
    write_plan(tmp_path, make_plan([{"lr": 0.1}, {"lr": 1}]))
    path = tmp_path / "plan.json"
    path.write_text(path.read_text().replace('"trial_id": "t0"', '"trial_id": no JSON'))
    assert read_planned_run(tmp_path, 1).point.values == {"lr": 1}
    with pytest.raises(LogError, match=r"plan\.json is damaged"):
        read_planned_run(tmp_path, 0)


def test_a_plan_of_a_newer_format_is_refused(tmp_path):
    write_plan(tmp_path, make_plan([{}]))
    path = tmp_path / "plan.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 99'))
    with pytest.raises(LogError, match="install a newer provrunner"):
        read_planned_run(tmp_path, 0)

from __future__ import annotations

import math

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provrunner.log.objective import find_objectives
from provrunner.plan import Objective
from provrunner.schema import TABLES

VALUES = st.one_of(st.floats(), st.sampled_from([0.0, -0.0, 1.0, math.nan, math.inf]))


def metrics_table(rows: list[tuple[int, float]], stage: str = "validate") -> pa.Table:
    """Rows of run and value; the place within the list is step and epoch."""
    return pa.Table.from_pylist(
        [
            {
                "run": run,
                "run_id": str(run),
                "rank": 0,
                "segment": 0,
                "step": place,
                "epoch": place,
                "stage": stage,
                "name": "loss",
                "value": value,
            }
            for place, (run, value) in enumerate(sorted(rows, key=lambda row: row[0]))
        ],
        TABLES["metrics"],
    )


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), VALUES), max_size=20), st.booleans())
def test_the_best_is_the_earliest_extreme_of_the_finite_values(rows, maximize):
    direction = "maximize" if maximize else "minimize"
    found = find_objectives(metrics_table(rows), Objective("loss", direction))
    ordered = sorted(rows, key=lambda row: row[0])
    assert set(found) == {str(run) for run, _ in rows}
    for run_id, reached in found.items():
        own = [(value, step) for step, (run, value) in enumerate(ordered) if str(run) == run_id]
        finite = [(value, step) for value, step in own if math.isfinite(value)]
        assert repr(reached.last) == repr(own[-1][0])
        if not finite:
            assert (reached.value, reached.epoch, reached.step) == (None, None, None)
            continue
        pick = max if maximize else min
        best, step = pick(finite, key=lambda pair: pair[0])
        assert (reached.value, reached.step) == (best, step)


def test_the_last_finite_value_counts_when_the_plan_says_last():
    table = metrics_table([(0, 3.0), (0, 1.0), (0, 2.0), (0, math.nan)])
    reached = find_objectives(table, Objective("loss", at="last"))["0"]
    assert (reached.value, reached.step, reached.last_step) == (2.0, 2, 3)


@pytest.mark.parametrize("stage", ["train", "test"])
def test_another_stage_counts_where_validation_never_logged_it(stage):
    found = find_objectives(metrics_table([(0, 3.0), (0, 1.0)], stage), Objective("loss"))
    assert found["0"].value == 1.0


def test_training_values_do_not_stand_in_for_a_run_that_was_not_validated_yet():
    rows = pa.concat_tables([metrics_table([(0, 1.0)]), metrics_table([(1, 2.0)], "train")])
    assert set(find_objectives(rows, Objective("loss"))) == {"0"}


def test_a_metric_nobody_logged_gives_no_objective():
    assert find_objectives(metrics_table([(0, 1.0)]), Objective("accuracy")) == {}

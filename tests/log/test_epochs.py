from __future__ import annotations

import math

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from provrunner.log.epochs import build_epochs
from provrunner.log.events import mark_attempts
from provrunner.schema import TABLES

NO_EVENTS = mark_attempts(TABLES["events"].empty_table())
ROW = st.fixed_dictionaries(
    {
        "run": st.integers(0, 2),
        "rank": st.integers(0, 1),
        "epoch": st.integers(0, 3),
        "stage": st.sampled_from(["train", "validate", "sanity_check", "test"]),
        "name": st.sampled_from(["loss", "acc", "Acc", "train/loss", "start"]),
        "value": st.floats(),
    }
)


def metrics_table(rows: list[dict]) -> pa.Table:
    rows = sorted(rows, key=lambda row: (row["run"], row["rank"]))
    fixed = {"segment": 0, "step": 0, "time": None}
    return pa.Table.from_pylist(
        [{**fixed, **row, "run_id": f"{row['run']:04d}-a"} for row in rows], TABLES["metrics"]
    )


def slow_epochs(rows: list[dict]) -> dict[tuple[int, int, int], dict[tuple[str, str], float]]:
    """Last value of each metric and stage in each epoch, told in loops."""
    found: dict[tuple[int, int, int], dict[tuple[str, str], float]] = {}
    for row in rows:
        if row["stage"] in {"train", "validate"}:
            key = (row["run"], row["rank"], row["epoch"])
            found.setdefault(key, {})[row["stage"], row["name"]] = row["value"]
    for row in rows:
        if row["stage"] == "test":
            earlier = [
                k for k in found if k[:2] == (row["run"], row["rank"]) and k[2] <= row["epoch"]
            ]
            if earlier:
                found[max(earlier)]["test", row["name"]] = row["value"]
    return found


@settings(deadline=None)
@given(st.lists(ROW, max_size=40))
def test_epochs_hold_what_a_plain_loop_finds(rows):
    rows = sorted(rows, key=lambda row: (row["run"], row["rank"]))
    expected = slow_epochs(rows)
    table = build_epochs(NO_EVENTS, metrics_table(rows))
    keys = list(zip(*(table[name].to_pylist() for name in ("run", "rank", "epoch")), strict=True))
    assert keys == sorted(expected)
    labels = table.column_names[len(TABLES["epochs"]) :]
    assert len({label.casefold() for label in labels}) == len(labels)
    for key, row in zip(keys, table.select(labels).to_pylist(), strict=True):
        values = sorted((v for v in row.values() if v is not None), key=repr)
        told = sorted(expected[key].values(), key=repr)
        assert [repr(value) for value in values] == [repr(value) for value in told]


def test_a_metric_of_one_stage_keeps_its_name_and_one_of_two_gets_the_stage():
    table = build_epochs(
        NO_EVENTS,
        metrics_table(
            [
                {"run": 0, "rank": 0, "epoch": 0, "stage": stage, "name": name, "value": 1.0}
                for stage, name in (("train", "loss"), ("validate", "loss"), ("validate", "acc"))
            ]
        ),
    )
    assert table.column_names[len(TABLES["epochs"]) :] == ["acc", "train/loss", "validate/loss"]


def test_no_metric_and_no_event_give_no_epoch():
    table = build_epochs(NO_EVENTS, TABLES["metrics"].empty_table())
    assert table.num_rows == 0
    assert table.schema.names == TABLES["epochs"].names


def test_a_test_without_training_makes_no_epoch():
    row = {"run": 0, "rank": 0, "epoch": 0, "stage": "test", "name": "acc", "value": math.inf}
    assert build_epochs(NO_EVENTS, metrics_table([row])).num_rows == 0

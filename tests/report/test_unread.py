from __future__ import annotations

import pyarrow as pa
import pytest

from provrunner.plan import Hyperparameter, Objective, Plan
from provrunner.report import render_summary
from provrunner.report.unread import flag_unread
from provrunner.schema import TABLES
from provrunner.sensitivity import Summary

OURS, MINE = "/lib/provrunner/conf/", "/home/ada/conf/"


def flags(*rows, swept=("optimizer.lr",)):
    """Flag a sweep whose settings are (name, reads, origin, source), all of phase init."""
    columns = ("name", "reads", "origin", "source")
    params = [dict(zip(columns, row, strict=True)) | {"phase": "init"} for row in rows]
    axes = tuple(Hyperparameter(name, (1, 2)) for name in swept)
    plan = Plan("s", "lr", "2026-01-01T00:00:00Z", Objective("val/loss"), "grid", axes, ())
    table = pa.Table.from_pylist(params, TABLES["params"])
    made = flag_unread(Summary({"flags": [{"flag": "unbalanced", "detail": "x"}]}), table, plan)
    return {flag["flag"]: flag["detail"] for flag in made.document["flags"]}


DEFAULT = ("seed", 1, "default", f"{OURS}config.yaml")


def test_a_swept_key_that_no_run_read_is_flagged_first():
    found = flags(DEFAULT, ("optimizer.lr", 0, "axis", "command line"))
    assert list(found) == ["swept_but_never_read", "unbalanced"]
    assert found["swept_but_never_read"].startswith("optimizer.lr: no run read it")


@pytest.mark.parametrize("reads", [[0, 1], [None, None], [0, 2, None]])
def test_a_key_that_some_run_read_or_that_is_not_known_is_not_flagged(reads):
    rows = [("optimizer.lr", count, "axis", "command line") for count in reads]
    assert list(flags(DEFAULT, *rows)) == ["unbalanced"]


def test_a_swept_group_counts_when_nothing_of_it_was_read():
    rows = [("optimizer.lr", 0, "axis", "x"), ("optimizer.decay", 0, "axis", "x")]
    assert "swept_but_never_read" in flags(DEFAULT, *rows, swept=("optimizer",))
    rows.append(("optimizer.momentum", 1, "axis", "x"))
    assert list(flags(DEFAULT, *rows, swept=("optimizer",))) == ["unbalanced"]


@pytest.mark.parametrize(
    ("origin", "source", "flagged"),
    [
        ("command line", "command line", True),
        ("group choice", f"{MINE}model/mine.yaml", True),
        ("file", f"{MINE}sweep/lr.yaml", True),
        ("group choice", f"{OURS}optimizer/adam.yaml", False),
        ("file", f"{OURS}sweep/lr_grid.yaml", False),
        ("default", f"{OURS}config.yaml", False),
        (None, None, False),
    ],
)
def test_another_key_is_flagged_where_the_user_set_it(origin, source, flagged):
    found = flags(DEFAULT, ("model.depth", 0, origin, source))
    assert found.get("set_but_never_read") == ("model.depth" if flagged else None)


def test_the_terminal_warns_of_a_swept_key_and_notes_the_others(summary):
    summary["flags"] = [
        {"flag": "swept_but_never_read", "detail": "optimizer.lr: no run read it"},
        {"flag": "set_but_never_read", "detail": "optimizer.momentum"},
    ]
    text = render_summary(summary)
    assert "WARNING: swept but never read: optimizer.lr: no run read it\n" in text
    assert "note: set but never read: optimizer.momentum\n" in text

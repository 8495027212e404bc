"""A sweep gone on with: which overrides and which runs."""

from __future__ import annotations

import pytest

from provrunner.run.resume import _replaced


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (["lr=0.01,0.1,1"], ["m.x=1", "lr=0.01,0.1,1", "width=8,16", "db.key=***"]),
        (["db.key=x", "+more=1"], ["m.x=1", "lr=0.01,0.1", "width=8,16", "db.key=x", "+more=1"]),
        ([], ["m.x=1", "lr=0.01,0.1", "width=8,16", "db.key=***"]),
    ],
)
def test_a_change_takes_the_place_of_what_it_changes(changes, expected):
    words = ["m.x=1", "lr=0.01,0.1", "width=8,16", "db.key=***"]
    assert _replaced(words, changes) == expected


def test_a_key_that_was_given_twice_has_its_changes_once():
    assert _replaced(["~a", "b=1", "+a=1"], ["a=2"]) == ["a=2", "b=1"]

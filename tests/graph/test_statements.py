from __future__ import annotations

import pytest

from provrunner.graph import statements as statements_module
from provrunner.graph.statements import Statements


class Id(str):
    """An id that counts how often it was looked at."""

    __slots__ = ()
    looks = 0

    def startswith(self, *args: object) -> bool:
        Id.looks += 1
        return str.startswith(self, *args)  # type: ignore[arg-type]


@pytest.mark.parametrize("rows_at_once", [1, 2, 1000])
def test_settling_a_run_looks_at_nothing_that_was_stated_before_the_last_one(
    monkeypatch, rows_at_once
):
    monkeypatch.setattr(statements_module, "_BLOCK_ROWS", rows_at_once)
    statements, shared = Statements(), [Id(f"setting-{number:03d}") for number in range(50)]
    for id_ in shared:
        statements.add("entity", id_, "pr:Setting", id_)
    for run in ("run-a", "run-b"):
        statements.add("activity", f"{run}.fit", "pr:Fit", "fit")
        statements.add("entity", shared[0], "pr:Setting", "again")
        statements.relate("used", f"{run}.fit", shared[0])
        Id.looks = 0
        statements.settle(run)
        assert Id.looks == (50 if run == "run-a" else 0)
    assert list(statements.nodes) == shared
    graph = statements.to_graph("https://example.org/")
    assert graph.nodes["id"].to_pylist() == [*shared, "run-a.fit", "run-b.fit"]
    assert graph.edges["subject"].to_pylist() == ["run-a.fit", "run-b.fit"]

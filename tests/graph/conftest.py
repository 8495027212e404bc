from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pytest

from provrunner.graph import Graph, build_graph
from provrunner.plan import Plan

_spec = importlib.util.spec_from_file_location(
    "small_sweep", Path(__file__).with_name("small_sweep.py")
)
assert _spec is not None
assert _spec.loader is not None
small_sweep = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(small_sweep)


@pytest.fixture(scope="session")
def small() -> ModuleType:
    """The module that makes the tables of small sweeps."""
    return small_sweep


@pytest.fixture(scope="session")
def plan() -> Plan:
    return small_sweep.make_plan()


@pytest.fixture(scope="session")
def tables(plan: Plan) -> dict[str, pa.Table]:
    return small_sweep.make_tables(plan)


@pytest.fixture(scope="session")
def graph(plan: Plan, tables: dict[str, pa.Table]) -> Graph:
    return build_graph(tables, plan, sensitivity=small_sweep.make_effects())

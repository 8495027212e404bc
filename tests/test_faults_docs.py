"""The table of faults names tests that exist."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
TABLE = (TESTS.parent / "docs" / "faults.md").read_text(encoding="utf-8")


def functions(module: str) -> set[str]:
    tree = ast.parse((TESTS / module).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_test_that_the_table_of_faults_names_exists():
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", TABLE)
    assert len(named) > 60
    missing = [f"{module}::{name}" for module, name in named if name not in functions(module)]
    assert missing == []


def test_every_row_of_the_table_of_faults_names_a_test():
    rows = [line for line in TABLE.splitlines() if re.match(r"\| \d+ ", line)]
    assert all("::test_" in row for row in rows)

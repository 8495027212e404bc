"""Rows as text."""

import json

import pyarrow as pa
import pytest

from provrunner.report.rows import render_rows


def test_a_table_is_aligned_with_numbers_to_the_right():
    rows = pa.table({"name": ["a", "long"], "value": [1.5, 22.0]})
    assert render_rows(rows) == "name  value\na       1.5\nlong     22\n"


def test_an_empty_table_still_shows_its_columns():
    assert render_rows(pa.table({"run": pa.array([], pa.int32())})) == "run\n"


def test_control_characters_are_shown_and_not_obeyed():
    assert "\x1b" not in render_rows(pa.table({"name": ["\x1b[31mred"]}))


def test_csv_disarms_formulas_and_leaves_numbers_alone():
    rows = pa.table({"text": ["=1+1", "@x", "-0.1", "plain"], "number": [-0.1, 1.0, 2.0, 3.0]})
    assert render_rows(rows, "csv").splitlines() == [
        "text,number", "'=1+1,-0.1", "'@x,1.0", "'-0.1,2.0", "plain,3.0",
    ]  # fmt: skip


def test_json_holds_what_json_has_no_number_for_as_text():
    rows = pa.table({"value": [float("nan"), float("inf"), 1.0, None]})
    assert [row["value"] for row in json.loads(render_rows(rows, "json"))] == [
        "nan", "inf", 1.0, None,
    ]  # fmt: skip


def test_an_unknown_style_is_refused_by_name():
    with pytest.raises(ValueError, match="xml"):
        render_rows(pa.table({"a": [1]}), "xml")

"""Rows as text."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


WIDE = pa.table(
    {
        "run": [3, 10],
        "note": ["a few short words that go on", None],
        "id": ["run-0123456789.metric", "run-1"],
        "loss": [0.5, 0.25],
    }
)


def test_a_table_is_folded_into_a_terminal_and_its_words_stay_whole():
    assert render_rows(WIDE, width=48) == (
        "run  note            id                     loss\n"
        "  3  a few short     run-0123456789.metric   0.5\n"
        "     words that go\n"
        "     on\n"
        " 10                  run-1                  0.25\n"
    )


@pytest.mark.parametrize("width", [None, 62, 80, 20])
def test_a_table_that_fits_or_never_could_is_left_as_it_is(width):
    assert render_rows(WIDE, width=width) == render_rows(WIDE)


@given(st.integers(30, 70))
def test_folding_loses_no_letter_and_keeps_to_the_width(width):
    lines = render_rows(WIDE, width=width).splitlines()
    shown = "".join(lines).replace(" ", "")
    assert sorted(shown) == sorted(render_rows(WIDE).replace(" ", "").replace("\n", ""))
    assert max(map(len, lines)) <= width or lines == render_rows(WIDE).splitlines()


def test_a_list_of_texts_reads_as_words_and_is_json_where_a_program_reads_it():
    rows = pa.table({"by": [["a=1: 2 of 3", "b"]], "runs": [[1, 2]]})
    assert render_rows(rows).splitlines()[1] == "a=1: 2 of 3, b  [1, 2]"
    assert render_rows(rows, "csv").splitlines()[1] == '"[""a=1: 2 of 3"", ""b""]","[1, 2]"'

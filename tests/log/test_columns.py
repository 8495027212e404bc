from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provrunner.log.columns import (
    EventRow,
    NameSet,
    StepRows,
    decoded,
    encoded,
    event_batch,
    event_row,
    fit_text,
    integers,
    metric_batches,
    with_source,
)
from provrunner.schema import METRICS, Event


def step_rows(first: int, names: tuple[bytes, ...], values: list[list[float]]) -> StepRows:
    layout = [("step", "i8"), ("epoch", "i4"), ("time", "i8"), ("values", "f8", (len(names),))]
    steps = np.zeros(len(values), layout)
    steps["step"] = np.arange(len(values))
    steps["values"] = values
    return StepRows(first, NameSet(b"fit", names), steps)


def test_steps_become_a_row_a_value_in_order():
    parts = [step_rows(5, (b"a", b"b"), [[1, 2], [3, 4]]), step_rows(9, (b"c",), [[5]])]
    ((first, batch),) = metric_batches(parts)
    assert first == 5
    assert batch.schema == METRICS
    assert batch["step"].to_pylist() == [0, 0, 1, 1, 0]
    assert batch["name"].to_pylist() == ["a", "b", "a", "b", "c"]
    assert batch["value"].to_pylist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert batch["stage"].to_pylist() == ["fit"] * 5


def test_long_names_are_spread_over_batches_of_at_most_8_mib():
    part = step_rows(0, (b"x" * 4096,), [[float(n)] for n in range(5000)])
    batches = list(metric_batches([part]))
    assert [first for first, _ in batches] == [0, 2048, 4096]
    assert max(batch.nbytes for _, batch in batches) < 9 << 20
    assert [v for _, b in batches for v in b["value"].to_pylist()] == [
        float(n) for n in range(5000)
    ]


def test_no_steps_give_no_batch():
    assert list(metric_batches([])) == []


def test_nulls_in_events_are_kept():
    rows = [EventRow(0, 1, 2, None, 3, "a", "b"), EventRow(1, 1, 2, 4, None, "a", "b")]
    batch = event_batch(rows)
    batch.validate(full=True)
    assert batch["step"].to_pylist() == [None, 4]
    assert batch["epoch"].to_pylist() == [3, None]


def test_data_that_json_has_no_form_for_becomes_text():
    assert event_row(0, Event("value", "a", {"x": {1}})).data == '{"x":"{1}"}'
    loop: dict[str, object] = {}
    loop["self"] = loop
    assert event_row(0, Event("value", "a", loop)).data == '{"text": "{\'self\': {...}}"}'
    assert event_row(0, Event("value", "a", {"x": float("nan")})).data == '{"x":NaN}'
    assert event_row(0, Event("value", "a", step=2**70, epoch=2**40)).step is None


@given(st.text(max_size=3000))
def test_a_text_fits_4_kib_and_is_valid_utf8(text):
    raw = fit_text(text)
    assert len(raw) <= 4096
    assert raw.decode() == text or len(text.encode("utf-8", "backslashreplace")) > 4096


def test_lone_surrogates_are_written_as_escapes():
    assert fit_text("a\ud800") == b"a\\ud800"


def test_dictionaries_come_and_go_without_a_trace():
    ((_, batch),) = metric_batches([step_rows(0, (b"a", b"b"), [[1, 2]] * 3)])
    table = with_source(pa.Table.from_batches([batch]), run=1, rank=2, segment=3)
    assert pa.types.is_dictionary(encoded(table).schema.field("name").type)
    assert decoded(encoded(table), "metrics").equals(table)
    with pytest.raises(pa.ArrowInvalid, match="expected the columns run, rank"):
        decoded(table.drop_columns(["run"]), "metrics")


@pytest.mark.parametrize(("names", "index"), [(126, pa.int8()), (127, pa.int16())])
def test_indices_of_dictionaries_are_as_narrow_as_the_codes_that_pandas_has(names, index):
    texts = tuple(f"metric_{number}".encode() for number in range(names))
    ((_, batch),) = metric_batches([step_rows(0, texts, [[0.5] * names])])
    table = pa.Table.from_batches([batch])
    column = encoded(table)["name"]
    assert column.type == pa.dictionary(index, pa.string())
    assert column.to_pandas().cat.codes.dtype == index.to_pandas_dtype()
    assert column.cast(pa.string()).equals(table["name"])


def test_integers_respect_slices_and_chunks():
    column = pa.chunked_array([pa.array([1, 2, 3], pa.int32()).slice(1), pa.array([4], pa.int32())])
    assert integers(column).tolist() == [2, 3, 4]
    assert integers(pa.chunked_array([], pa.int64())).tolist() == []


def test_neither_writing_nor_reading_a_log_imports_pandas_or_torch(tmp_path):
    script = """
import sys
from pathlib import Path
from provrunner.log import *
from provrunner.schema import *
sink = ArrowSink(Path(sys.argv[1]), sweep_id="s", run_id="0000-a")
sink.open(0)
sink.write([StepMetrics({"a": 1.0}, 0, 0, "fit"), Event("value", "x")])
read_log(Path(sys.argv[1]))
sink.close(RunStatus.FINISHED)
read_log(Path(sys.argv[1]), "events")
run_status(Path(sys.argv[1]))
print([name for name in ("pandas", "torch", "scipy", "duckdb") if name in sys.modules])
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"

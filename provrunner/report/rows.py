"""Rows of a table as text: aligned, JSON or CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from provrunner.report.escape import visible

__all__ = ["plain", "render_rows"]

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def render_rows(rows: pa.Table, style: str = "table") -> str:
    """Write a table as text that ends in a newline.

    Args:
        rows: any table; column names may repeat.
        style: `table` aligns columns under their names, `json` gives a list of objects, `csv` has
            one line of names. In CSV a text that a spreadsheet would run as a formula gets a `'` in
            front; numbers are left as they are.

    Raises:
        ValueError: `style` is none of the three.

    Example:
        >>> print(render_rows(pa.table({"run": [0, 1], "loss": [0.5, None]})), end="")
        run  loss
          0   0.5
          1
    """
    writers: Mapping[str, Callable[[pa.Table], str]] = {
        "table": _aligned,
        "json": _json,
        "csv": _csv,
    }
    if style not in writers:
        raise ValueError(f"style is {style!r}; expected one of {', '.join(writers)}")
    return writers[style](rows)


def _aligned(rows: pa.Table) -> str:
    columns = [_cells(column) for column in rows.columns]
    lines = [[visible(name) for name in rows.column_names], *zip(*columns, strict=True)]
    numeric = [_is_number(field.type) for field in rows.schema]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = (
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        )
        for line in lines
    )
    return "".join(f"{line.rstrip()}\n" for line in shown)


def _cells(column: pa.ChunkedArray) -> list[str]:
    return [_cell(value) for value in column.to_pylist()]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="milliseconds")
    return visible(str(value))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _json(rows: pa.Table) -> str:
    names = rows.column_names
    objects = [
        {name: plain(value) for name, value in zip(names, values, strict=True)}
        for values in zip(*(column.to_pylist() for column in rows.columns), strict=True)
    ]
    return json.dumps(objects, indent=1, ensure_ascii=False, default=str) + "\n"


def plain(value: Any) -> Any:
    """Give JSON what it can hold, at any depth: it knows neither NaN nor infinities."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _csv(rows: pa.Table) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_inert(name) for name in rows.column_names])
    for values in zip(*(column.to_pylist() for column in rows.columns), strict=True):
        writer.writerow([_inert(value) for value in values])
    return out.getvalue()


def _inert(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value

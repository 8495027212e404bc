"""Rows of a table as text: aligned, JSON or CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import zip_longest
from textwrap import wrap
from typing import Any

import pyarrow as pa

from provrunner.report.escape import visible

__all__ = ["plain", "render_rows"]

_GAP = 2
_FOLDED = 12
"""Characters that a folded text has at least."""

_LONG_WORD = 48
"""Characters that a word has at most if it is not to be broken, such as an id."""

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def render_rows(rows: pa.Table, style: str = "table", *, width: int | None = None) -> str:
    """Write a table as text that ends in a newline.

    Args:
        rows: any table; column names may repeat.
        style: `table` aligns columns under their names, `json` gives a list of objects, `csv` has
            one line of names. In CSV a text that a spreadsheet would run as a formula gets a `'` in
            front; numbers are left as they are, and a list is JSON.
        width: of a terminal in characters: a wider table's texts are folded into it, where its
            numbers leave them room; None folds nothing.

    Raises:
        ValueError: `style` is none of the three.

    Example:
        >>> print(render_rows(pa.table({"run": [0, 1], "loss": [0.5, None]})), end="")
        run  loss
          0   0.5
          1
    """
    writers: Mapping[str, Callable[[pa.Table], str]] = {
        "table": partial(_aligned, width=width),
        "json": _json,
        "csv": _csv,
    }
    if style not in writers:
        raise ValueError(f"style is {style!r}; expected one of {', '.join(writers)}")
    return writers[style](rows)


def _aligned(rows: pa.Table, width: int | None) -> str:
    columns = [_cells(column) for column in rows.columns]
    names = [visible(name) for name in rows.column_names]
    lines = [names, *zip(*columns, strict=True)]
    numeric = [_is_number(field.type) for field in rows.schema]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    if width is not None:
        widths = _fitted(widths, lines, numeric, width - _GAP * (len(names) - 1))
    shown = (
        (" " * _GAP).join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(parts, widths, numeric, strict=True)
        )
        for line in lines
        for parts in zip_longest(*map(_folded, line, widths), fillvalue="")
    )
    return "".join(f"{line.rstrip()}\n" for line in shown)


def _fitted(
    widths: list[int], lines: Sequence[Sequence[str]], numeric: Sequence[bool], room: int
) -> list[int]:
    """Narrow the widest columns until all have room, within words only where nothing else helps.

    Where no text would be left wide enough to be read, the widths stay as they are.
    """
    if sum(widths) <= room:
        return widths
    columns = list(zip(*lines, strict=True))
    for longest in (_LONG_WORD, 0):
        least = [
            own if is_number else max(len(cells[0]), min(own, _least(cells, longest)))
            for own, cells, is_number in zip(widths, columns, numeric, strict=True)
        ]
        for limit in range(room, 0, -1) if sum(least) <= room else ():
            found = [max(low, min(own, limit)) for own, low in zip(widths, least, strict=True)]
            if sum(found) <= room:
                return found
    return widths


def _least(cells: Sequence[str], longest: int) -> int:
    """Return the width at which a column's words stay whole, but for those beyond the longest."""
    if not longest:
        return _FOLDED
    words = (len(word) for cell in cells for word in cell.split())
    return max((word for word in words if word <= longest), default=_FOLDED)


def _folded(cell: str, width: int) -> list[str]:
    return wrap(cell, width, break_on_hyphens=False) if len(cell) > width else [cell]


def _cells(column: pa.ChunkedArray) -> list[str]:
    return [_cell(value) for value in column.to_pylist()]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="milliseconds")
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return visible(", ".join(value))
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
    return json.dumps(plain(value), ensure_ascii=False) if isinstance(value, list) else value

"""Compares what provrunner logged with what another logger of the same Trainer wrote."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

Row = tuple[int, int | None, float]
"""Step, epoch and value; Lightning tells its loggers no epoch of a batch of a validation."""

Rows = Mapping[str, list[Row]]
"""By name, the values logged, in order."""


def rows_by_name(rows: Iterable[tuple[str, int, int | None, float]]) -> Rows:
    found: dict[str, list[Row]] = defaultdict(list)
    for name, step, epoch, value in rows:
        found[name].append((step, epoch, value))
    return found


def csv_rows(log_dir: str | Path) -> Rows:
    """What Lightning's CSVLogger wrote; it makes no file when nothing was logged."""
    path = Path(log_dir) / "metrics.csv"
    if not path.exists():
        return {}
    with path.open() as file:
        lines = list(csv.DictReader(file))
    return rows_by_name(
        (name, int(line["step"]), _epoch(line["epoch"]), float(value))
        for line in lines
        for name, value in line.items()
        if value and name not in {"step", "epoch"}
    )


def assert_agree(ours: Rows, theirs: Rows) -> None:
    """Every value, step and epoch is the same, and no name is missing on either side.

    Lightning hands a value to its loggers again at each later step of the epoch that logs none
    anew; such repeats are left out of theirs.
    """
    assert sorted(ours) == sorted(theirs)
    for name, rows in theirs.items():
        expected = _without_repeats(rows, ours[name])
        assert len(ours[name]) == len(expected), name
        found = [
            (step, None if row[1] is None else epoch, value)
            for (step, epoch, value), row in zip(ours[name], expected, strict=True)
        ]
        assert repr(found) == repr(expected), name


def _epoch(text: str) -> int | None:
    return int(float(text)) if text else None


def _without_repeats(theirs: list[Row], ours: list[Row]) -> list[Row]:
    own = {row[0] for row in ours}
    kept: list[Row] = []
    for row in theirs:
        is_repeat = bool(kept) and repr(kept[-1][2]) == repr(row[2]) and row[0] not in own
        if not is_repeat:
            kept.append(row)
    return kept

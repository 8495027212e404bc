"""Runs in the folders of Lightning's CSVLogger."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from provrunner.report.stores.choice import is_own, read_mapping, read_whole
from provrunner.report.stores.store import Course, Store, StoredRun, flat

__all__ = ["find_csv_logs", "natural_order", "read_csv_logs"]

TOOL = "lightning"
_SETTINGS = "hparams.yaml"
_COURSE = ("epoch", "step")


def find_csv_logs(path: Path) -> list[Path]:
    """Return the folders of runs at or below a path, `version_10` after `version_2`."""
    files = (file for file in path.rglob("metrics.csv") if is_own(file, path))
    return sorted((file.parent for file in files), key=natural_order)


def read_csv_logs(path: Path, places: list[Path], _experiment: str | None) -> Store:
    """Read the runs in folders; one may lack its parameters.

    Raises:
        ConfigError: no run can be read.
    """
    named = [(folder.relative_to(path).as_posix(), folder) for folder in places]
    runs, skipped = read_whole(named, lambda folder: _read_run(folder, path), path)
    return Store(TOOL, path.resolve().name, path, runs, skipped=skipped)


def natural_order(path: Path) -> list[tuple[int, str]]:
    """Return what paths are sorted by so that numbers in them count as numbers."""
    return [(int(part or 0), text) for text, part in re.findall(r"(\D*)(\d*)", path.as_posix())]


def _read_run(folder: Path, above: Path) -> StoredRun:
    file, settings = folder / "metrics.csv", folder / _SETTINGS
    configured = is_own(settings, above)
    metrics: dict[str, Course] = {}
    with file.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines, strict=True):
            place = {key: int(float(row[key])) for key in _COURSE if row.get(key)}
            for key, text in row.items():
                if text and key not in _COURSE:
                    metrics.setdefault(key, Course()).add(float(text), **place)
    return StoredRun(
        run_id=folder.relative_to(above).as_posix(),
        status=None,
        parameters=flat(read_mapping(settings)) if configured else {},
        metrics=metrics,
        files=(file, settings) if configured else (file,),
    )

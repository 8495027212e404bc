"""Runs in MLflow's file store, the folder `mlruns`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from provrunner.report.stores.choice import choose, is_own, read_mapping, read_whole
from provrunner.report.stores.mlflow import TOOL, run_facts, to_microseconds
from provrunner.report.stores.store import Course, Store, StoredRun, place_epochs, typed

__all__ = ["find_mlflow", "read_mlflow_folder"]

_STATUSES = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}


def find_mlflow(path: Path) -> list[Path]:
    """Return the file store at a path, or the folder `mlruns` in it."""
    for folder in (path, path / "mlruns"):
        runs = (file for file in folder.glob("*/*/meta.yaml") if is_own(file, folder))
        if any((run.parent.parent / run.name).is_file() for run in runs):
            return [folder]
    return []


def read_mlflow_folder(path: Path, places: list[Path], experiment: str | None) -> Store:
    """Read the runs of an experiment; those that were deleted are left out.

    Raises:
        ConfigError: the experiment is not told, or no run can be read.
    """
    found = [
        (str(read_mapping(file)["name"]), file.parent)
        for file in sorted(places[0].glob("*/meta.yaml"))
        if is_own(file, places[0]) and any(file.parent.glob("*/meta.yaml"))
    ]
    name, folder = choose(found, experiment, "experiment", path)
    metas = (file for file in sorted(folder.glob("*/meta.yaml")) if is_own(file, places[0]))
    files = [file for file in metas if _is_active(file)]
    named = [(f"run {file.parent.name}", file) for file in files]
    runs, skipped = read_whole(named, _read_run, path)
    ordered = sorted(runs, key=lambda run: (run.start_us or 0, run.run_id))
    return Store(TOOL, name, path, tuple(ordered), skipped=skipped)


def _is_active(file: Path) -> bool:
    # a damaged file is told of by the reader
    return "lifecycle_stage: deleted" not in file.read_text(encoding="utf-8", errors="replace")


def _read_run(file: Path) -> StoredRun:
    about, folder, store = read_mapping(file), file.parent, file.parents[2]
    tags = dict(_texts(folder / "tags", store))
    metrics = {key: _read_metric(text) for key, text in _texts(folder / "metrics", store)}
    return StoredRun(
        run_id=folder.name,
        status=_STATUSES.get(about["status"], str(about["status"])),
        parameters={
            key: typed(text.rstrip("\n")) for key, text in _texts(folder / "params", store)
        },
        metrics=place_epochs(metrics),
        start_us=to_microseconds(about["start_time"]),
        end_us=to_microseconds(about.get("end_time")),
        others=tags,
        facts=run_facts(tags, about.get("run_name"), about.get("user_id")),
        files=(file, *(_files(folder, store, "params", "metrics", "tags"))),
    )


def _read_metric(text: str) -> Course:
    """Read lines of time, value and step, in the order of steps."""
    lines = [line.split() for line in text.splitlines()]
    rows = [(int(step), int(time), float(value)) for time, value, step, *_ in lines]
    course = Course()
    for step, time, value in sorted(rows, key=lambda row: row[:2]):
        course.add(value, step=step, time_us=time * 1000)
    return course


def _texts(folder: Path, store: Path) -> Iterator[tuple[str, str]]:
    """Yield each file's text by its path below the folder: names may hold slashes."""
    for file in _files(folder, store):
        yield file.relative_to(folder).as_posix(), file.read_text(encoding="utf-8")


def _files(folder: Path, store: Path, *below: str) -> list[Path]:
    roots = [folder / name for name in below] or [folder]
    return sorted(file for root in roots for file in root.rglob("*") if is_own(file, store))

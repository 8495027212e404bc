"""Runs in the folders of MLflow's file store and of Lightning's CSVLogger."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from provrunner.errors import ConfigError
from provrunner.report.stores.sqlite import choose
from provrunner.report.stores.store import Store, StoredRun, build_store, typed

__all__ = ["read_folder"]

_STATUSES = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
_COURSE = ("epoch", "step")


def read_folder(path: Path, experiment: str | None) -> Store:
    """Read the runs below a folder.

    Args:
        path: an MLflow store (`mlruns`), or a folder above those of CSVLogger.
        experiment: name of the MLflow experiment; None where there is but one with runs.

    Raises:
        ConfigError: there are no such runs.
    """
    if any(path.glob("*/*/meta.yaml")):
        return _read_mlflow(path, experiment)
    folders = sorted((file.parent for file in path.rglob("metrics.csv")), key=_natural)
    if folders:
        return build_store(path.name, [_read_csv_run(folder, path) for folder in folders])
    raise ConfigError(f"{path} holds no runs: neither MLflow's meta.yaml nor a metrics.csv")


def _read_mlflow(path: Path, experiment: str | None) -> Store:
    found = [
        (str(_mapping(file)["name"]), file.parent)
        for file in sorted(path.glob("*/meta.yaml"))
        if any(file.parent.glob("*/meta.yaml"))
    ]
    name, folder = choose(found, experiment, "experiment", path)
    runs = []
    for file in folder.glob("*/meta.yaml"):
        about = _mapping(file)
        if about.get("lifecycle_stage", "active") == "active":
            runs.append((about["start_time"], file.parent.name, _read_mlflow_run(file, about)))
    return build_store(name, [run for *_, run in sorted(runs, key=lambda row: row[:2])])


def _read_mlflow_run(file: Path, about: dict[str, Any]) -> StoredRun:
    end = about.get("end_time")
    return StoredRun(
        run_id=file.parent.name,
        status=_STATUSES.get(about["status"], str(about["status"])),
        parameters={key: typed(text.rstrip("\n")) for key, text in _texts(file.parent / "params")},
        metrics={
            key: sorted(
                (int(line.split()[2]), float(line.split()[1])) for line in text.splitlines()
            )
            for key, text in _texts(file.parent / "metrics")
        },
        duration_s=(end - about["start_time"]) / 1e3 if end else None,
    )


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each file's text by its path below the folder: names may hold slashes."""
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        yield file.relative_to(folder).as_posix(), file.read_text(encoding="utf-8")


def _read_csv_run(folder: Path, above: Path) -> StoredRun:
    settings = folder / "hparams.yaml"
    metrics: dict[str, list[tuple[int, float]]] = {}
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            step = int(float(row.get("epoch") or row.get("step") or 0))
            for key, text in row.items():
                if text and key not in _COURSE:
                    metrics.setdefault(key, []).append((step, float(text)))
    return StoredRun(
        run_id=folder.relative_to(above).as_posix(),
        status=None,
        parameters=_flat(_mapping(settings)) if settings.is_file() else {},
        metrics=metrics,
    )


def _mapping(file: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"{file} cannot be read: {reason}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{file} holds no settings by name")
    return found


def _flat(values: dict[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{above}{key}"
        found |= _flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return found


def _natural(folder: Path) -> list[tuple[int, str]]:
    """Order `version_10` after `version_2`."""
    return [(int(part or 0), text) for text, part in re.findall(r"(\D*)(\d*)", folder.as_posix())]

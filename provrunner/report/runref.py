"""Which run is meant by the words of a command line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provrunner.errors import LogError, nearest
from provrunner.log.folder import run_folder
from provrunner.log.plan_file import read_plan
from provrunner.log.sweep_folders import find_sweep
from provrunner.plan import Point
from provrunner.report.results import Sweep, open_sweep

__all__ = ["RunRef", "find_run"]

_BEST = "best"
_PLAN = "plan.json"


@dataclass(frozen=True)
class RunRef:
    """A run of an open sweep."""

    sweep: Sweep
    point: Point

    @property
    def row(self) -> Mapping[str, Any]:
        """Its row of the table `runs`."""
        ids = self.sweep.runs["run_id"].to_pylist()
        rows: list[dict[str, Any]] = self.sweep.runs.slice(
            ids.index(self.point.run_id), 1
        ).to_pylist()
        return rows[0]

    @property
    def folder(self) -> Path:
        """Its folder."""
        return run_folder(self.sweep.folder, self.point.run_id)

    @property
    def label(self) -> str:
        """How a reader is told of it: its id, with its sweep's in front of the colon."""
        return f"{self.sweep.plan.sweep_id}:{self.point.run_id}"


def find_run(term: int | str, sweep: Sweep | Path | str | None = None) -> RunRef:
    """Find a run.

    Args:
        term: its number, its id or the first four or more characters of it, or `best`; in front of
            it, with a colon, the folder or the id of another sweep.
        sweep: the sweep that is meant where `term` names none; None is the newest one.

    Raises:
        LogError: there is no such sweep or run; the message names the nearest.
    """
    head, colon, run = str(term).rpartition(":")
    if colon:
        return _in_sweep(open_sweep(_find_sweep(head, sweep)), run)
    return _in_sweep(sweep if isinstance(sweep, Sweep) else open_sweep(sweep), run)


def _in_sweep(sweep: Sweep, run: str) -> RunRef:
    if run != _BEST:
        return RunRef(sweep, sweep.find_run(run))
    best = sweep.sensitivity().to_dict()["best"]
    if best is None:
        raise LogError(f"sweep {sweep.plan.name!r} has no best run: none has finished")
    return RunRef(sweep, sweep.find_run(best["run_id"]))


def _find_sweep(name: str, beside: Sweep | Path | str | None) -> Path:
    """Find a sweep by its folder, or by its id among those of `outputs` and beside the other."""
    if Path(name).is_dir():
        return find_sweep(Path(name))
    folders = [plan.parent for plan in _plans(beside)]
    known = {folder.name: folder for folder in folders}
    if name not in known:  # a folder that a user named is not called as its sweep is
        known |= dict(_ids(folders))
    if name in known:
        return known[name]
    raise LogError(f"there is no sweep {name!r}{nearest(name, known)}")


def _ids(folders: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    for folder in folders:
        with contextlib.suppress(LogError):
            yield read_plan(folder).sweep_id, folder


def _plans(beside: Sweep | Path | str | None) -> Iterator[Path]:
    folder = beside.folder if isinstance(beside, Sweep) else Path(beside or "outputs")
    roots = [Path("outputs"), folder, *folder.resolve().parents[:2]]
    for root in dict.fromkeys(root.resolve() for root in roots):
        for depth in ("*", "*/*"):
            yield from sorted(root.glob(f"{depth}/{_PLAN}"))

"""Runs in TensorBoard's logs, with the hyperparameters that its hparams plugin keeps there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from provrunner.errors import ConfigError
from provrunner.report.stores.choice import DAMAGE, is_own, read_mapping, read_whole
from provrunner.report.stores.lightning_csv import natural_order
from provrunner.report.stores.store import Course, Store, StoredRun, flat, place_epochs
from provrunner.report.stores.tensorboard_events import Events, read_events

__all__ = ["find_tensorboard", "read_tensorboard"]

TOOL = "tensorboard"
_SETTINGS = "hparams.yaml"
_MARK = "tfevents"

_Held = dict[Path, list[tuple[Path, Events]]]


def find_tensorboard(path: Path) -> list[Path]:
    """Return the event files at or below a path, in the order of their folders."""
    if path.is_file():
        return [path] if _MARK in path.name else []
    files = [file for file in path.rglob(f"*{_MARK}*") if is_own(file, path)]
    return sorted(files, key=lambda file: (natural_order(file.parent), file.name))


def read_tensorboard(path: Path, places: list[Path], _experiment: str | None) -> Store:
    """Read the runs below a folder.

    A run is a folder in which a session of hyperparameters began, with the folders below it that
    have none; and with the folder above it if that has none and holds no other session, as
    `SummaryWriter.add_hparams` leaves them. Where there are no sessions at all each folder is one.

    Raises:
        ConfigError: no run can be read.
    """
    held, problems = _read_files(places)
    broken = {file.parent for file in problems}
    above = path if path.is_dir() else path.parent
    groups = {
        root: [folder for folder in folders if folder not in broken]
        for root, folders in _group(held, above).items()
    }
    named = [(_name(root, above), (root, folders)) for root, folders in groups.items() if folders]
    if not named:
        raise ConfigError(
            f"{path}: none of its event files can be read; {_told(problems, above)[0]}"
        )
    runs, skipped = read_whole(named, lambda item: _build_run(item[0], item[1], held, above), path)
    ordered = sorted(runs, key=lambda run: run.start_us or 0)
    name = above.resolve().name
    return Store(TOOL, name, path, tuple(ordered), skipped=(*_told(problems, above), *skipped))


def _read_files(places: Sequence[Path]) -> tuple[_Held, dict[Path, BaseException]]:
    held: _Held = {}
    problems: dict[Path, BaseException] = {}
    for file in places:
        held.setdefault(file.parent, [])
        try:
            held[file.parent].append((file, read_events(file)))
        except DAMAGE as error:
            problems[file] = error
    return held, problems


def _told(problems: Mapping[Path, BaseException], above: Path) -> tuple[str, ...]:
    return tuple(
        f"run {_name(file.parent, above)} is damaged and left out: {file.name}, {error}"
        for file, error in problems.items()
    )


def _group(held: _Held, above: Path) -> dict[Path, list[Path]]:
    """Return the folders of each run by the folder that it is called after."""
    sessions = {folder for folder in held if _begins_session(held[folder], folder, above)}
    groups: dict[Path, list[Path]] = {}
    for folder in held:
        groups.setdefault(_root(folder, sessions, above), []).append(folder)
    return groups


def _root(folder: Path, sessions: set[Path], above: Path) -> Path:
    for one in (folder, *folder.parents):
        if one in sessions:
            return one
        if one == above:
            break
    below = [session for session in sessions if folder in session.parents]
    return below[0] if len(below) == 1 else folder


def _begins_session(files: Sequence[tuple[Path, Events]], folder: Path, above: Path) -> bool:
    # settings are read with their run, so that damaged ones lose that run alone
    told = any(events.hparams is not None for _, events in files)
    return told or is_own(folder / _SETTINGS, above)


def _hparams(files: Sequence[tuple[Path, Events]], folder: Path, above: Path) -> dict[str, Any]:
    """Return a folder's hyperparameters; Lightning's file of them knows their types."""
    settings = folder / _SETTINGS
    if is_own(settings, above):
        return flat(read_mapping(settings))
    found = [events.hparams for _, events in files if events.hparams is not None]
    return {key: value for one in found for key, value in one.items()}


def _build_run(root: Path, folders: Sequence[Path], held: _Held, above: Path) -> StoredRun:
    files = [pair for folder in folders for pair in held[folder]]
    metrics: dict[str, Course] = {}
    for folder in sorted(folders):
        prefix = "" if folder == root or folder in root.parents else f"{_name(folder, root)}/"
        for _, events in held[folder]:
            for tag, course in events.scalars.items():
                _join(metrics, f"{prefix}{tag}", course)
    settings = root / _SETTINGS
    cut = [(file, events.cut) for file, events in files if events.cut is not None]
    status, start, end = _span([events for _, events in files])
    return StoredRun(
        run_id=_name(root, above),
        status="lost" if cut else status,
        parameters=_hparams(held[root], root, above),
        metrics=place_epochs(metrics),
        start_us=start,
        end_us=end,
        facts={"reason": f"{cut[0][0].name} was cut off at byte {cut[0][1]}"} if cut else {},
        files=(*(file for file, _ in files), *((settings,) if is_own(settings, above) else ())),
    )


def _join(metrics: dict[str, Course], name: str, course: Course) -> None:
    """Add what a later file of the run logged of a metric: a writer that began anew."""
    if name not in metrics:
        metrics[name] = course
        return
    for column in ("values", "steps", "epochs", "times"):
        getattr(metrics[name], column).extend(getattr(course, column))


def _span(files: Sequence[Events]) -> tuple[str | None, int | None, int | None]:
    """Return status, start and end; without a session's own times those of the events."""
    status = next((events.status for events in files if events.status), None)
    starts = [events.start_us or events.first_us for events in files]
    ends = [events.end_us or events.last_us for events in files]
    start = min((time for time in starts if time is not None), default=None)
    return status, start, max((time for time in ends if time is not None), default=None)


def _name(folder: Path, above: Path) -> str:
    name = folder.relative_to(above).as_posix()
    return folder.resolve().name if name == "." else name

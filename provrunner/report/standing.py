"""How a sweep stands right now, followed row by row as its runs log."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from provrunner.log.folder import run_folder, unplanned_runs
from provrunner.log.liveness import is_alive, read_owner
from provrunner.log.objective import STAGES
from provrunner.log.plan_file import read_plan
from provrunner.log.reader import LogFollower, run_status
from provrunner.log.sealed import DAMAGED_SEAL, DamagedSealError
from provrunner.plan import Objective, Plan, Point
from provrunner.schema import RunStatus

__all__ = ["Follower", "RunNow", "Standing", "judged_value"]

_OPEN = (RunStatus.PLANNED, RunStatus.RUNNING)
_BAD = (RunStatus.FAILED, RunStatus.DIVERGED, RunStatus.INTERRUPTED, RunStatus.LOST)
_PACE_EPOCHS = 5
_TOLD = ("run_start", "run_end", "epoch_end", "adaptation", "gap", "capture_failed")
_LR = "optimizer.lr"
_EPOCHS = "trainer.max_epochs"


@dataclass
class RunNow:
    """How a run stands.

    Attributes:
        point: its place in the plan.
        epoch: the latest begun, from 0; `epochs` is how many are planned, `ended` those that have
            ended, one that a resumed run went over again once.
        latest: the objective's last value; `best` the best finite one so far.
        stage: that these were logged in; validation counts before training, and that before tests.
        lr: the learning rate as last set; None where it is not captured.
        epoch_s: mean seconds of the last epochs.
        duration_s: of all its attempts, each from its first event to its last.
        is_sealed: whether its log says how it ended, or was sealed and is damaged.
        gaps: rows that the log declares lost; `failures` what capture could not record.
    """

    point: Point
    status: RunStatus = RunStatus.PLANNED
    reason: str | None = None
    is_sealed: bool = False
    epoch: int | None = None
    epochs: int | None = None
    latest: float | None = None
    best: float | None = None
    stage: str | None = None
    lr: float | None = None
    gaps: int = 0
    failures: int = 0
    ended: set[int] = field(default_factory=set)
    paces: list[float] = field(default_factory=list)
    spent_ns: int = 0
    first_ns: int | None = None
    last_ns: int | None = None

    @property
    def epoch_s(self) -> float | None:
        """Mean seconds of the last epochs; None before one has ended."""
        paces = self.paces[-_PACE_EPOCHS:]
        return sum(paces) / len(paces) if paces else None

    @property
    def duration_s(self) -> float:
        """Seconds from the first event to the last, without the pauses between attempts."""
        return (self.spent_ns + (self.last_ns or 0) - (self.first_ns or 0)) / 1e9

    @property
    def left_s(self) -> float | None:
        """Seconds left at this pace; None where the pace or the number of epochs is unknown."""
        if self.epoch_s is None or self.epochs is None:
            return None
        return max(self.epochs - len(self.ended), 0) * self.epoch_s


@dataclass(frozen=True)
class Standing:
    """How a sweep stands.

    Attributes:
        plan: the sweep as declared.
        runs: all planned runs, in the plan's order, then others, as a script's further Trainers.
        is_over: nothing more is to come: all runs have ended, or the sweep's process is gone.
    """

    plan: Plan
    runs: tuple[RunNow, ...]
    is_over: bool

    @property
    def counts(self) -> Mapping[RunStatus, int]:
        """Runs by status."""
        return Counter(run.status for run in self.runs)

    @property
    def live(self) -> tuple[RunNow, ...]:
        """The runs under way."""
        return tuple(run for run in self.runs if run.status is RunStatus.RUNNING)

    @property
    def bad(self) -> tuple[RunNow, ...]:
        """The runs that failed, diverged, or were interrupted or lost."""
        return tuple(run for run in self.runs if run.status in _BAD)

    @property
    def is_lost(self) -> bool:
        """Whether the sweep's process is gone, and left a log unsealed or runs without a reason."""
        died = any(run.status is RunStatus.LOST and not run.is_sealed for run in self.runs)
        left = any(run.status is RunStatus.PLANNED for run in self.runs)
        told = any(run.status in (RunStatus.INTERRUPTED, RunStatus.FAILED) for run in self.runs)
        return self.is_over and (died or (left and not told))

    @property
    def best(self) -> RunNow | None:
        """The finished run with the best objective."""
        finished = [run for run in self.runs if run.status is RunStatus.FINISHED]
        values = [(judged_value(run, self.plan.objective), run) for run in finished]
        sign = 1 if self.plan.objective.direction == "minimize" else -1
        judged = [(sign * value, run) for value, run in values if value is not None]
        return min(judged, key=lambda pair: pair[0], default=(None, None))[1]

    @property
    def left_s(self) -> float | None:
        """Seconds left at the pace so far, as many at once as now; None when unknown."""
        ended = [run.duration_s for run in self.runs if run.status not in _OPEN]
        waiting = self.counts.get(RunStatus.PLANNED, 0)
        if self.is_over or (waiting and not ended):
            return None
        under_way = [run.left_s for run in self.live if run.left_s is not None]
        mean = sum(ended) / len(ended) if ended else 0.0
        return (waiting * mean + sum(under_way)) / max(len(self.live), 1)


class Follower:
    """Follows a sweep from outside its process; each `poll` reads what came since the last.

    Args:
        folder: the sweep's folder.
        patience_s: where nothing tells which process runs the sweep, it counts as gone when no run
            is under way and nothing changed for so long.

    Raises:
        LogError: the folder holds no plan.
    """

    def __init__(self, folder: Path, *, patience_s: float = 60.0) -> None:
        self.folder = folder
        self.plan = read_plan(folder)
        self._patience_s = patience_s
        self._runs = [RunNow(point) for point in self.plan.points]
        self._followers: dict[int, tuple[LogFollower, LogFollower]] = {}

    def poll(self) -> Standing:
        """Return how the sweep stands now."""
        known = {run.point.run_id for run in self._runs}
        further = unplanned_runs(self.folder, self.plan)
        self._runs += [RunNow(point) for point in further if point.run_id not in known]
        for place, run in enumerate(self._runs):
            if run.status in _OPEN or run.status is RunStatus.LOST:
                try:
                    self._update(place, run)
                except DamagedSealError:
                    # nothing vouches for its log; the other runs have their own
                    run.status, run.reason, run.is_sealed = RunStatus.LOST, DAMAGED_SEAL, True
        return Standing(self.plan, tuple(self._runs), self._is_over())

    def _update(self, place: int, run: RunNow) -> None:
        folder = run_folder(self.folder, run.point.run_id)
        status, _ = run_status(folder) if folder.is_dir() else (RunStatus.PLANNED, None)
        if status is RunStatus.PLANNED:
            return
        if place not in self._followers:
            self._followers[place] = (LogFollower(folder, "events"), LogFollower(folder, "metrics"))
        events, metrics = self._followers[place]
        _read_events(run, events.poll())
        _read_metrics(run, metrics.poll(), self.plan.objective)
        if status is RunStatus.LOST and not run.is_sealed:
            run.reason = "its process is gone"
        run.status = status
        if status not in (*_OPEN, RunStatus.LOST):
            del self._followers[place]

    def _is_over(self) -> bool:
        statuses = {run.status for run in self._runs}
        if RunStatus.RUNNING in statuses:
            return False
        owner, quiet_s = read_owner(self.folder), self._quiet_s()
        if owner is not None:
            return RunStatus.PLANNED not in statuses or not is_alive(owner, time.time() - quiet_s)
        return RunStatus.PLANNED not in statuses or quiet_s > self._patience_s

    def _quiet_s(self) -> float:
        """Seconds since a file or folder of the sweep last changed."""
        paths = [self.folder, self.folder / "runs", *(self.folder / "runs").glob("*/log")]
        changed = [path.stat().st_mtime for path in paths if path.exists()]
        return time.time() - max(changed, default=0.0)


def _read_events(run: RunNow, events: pa.Table) -> None:
    if not len(events):
        return
    _read_times(run, events.filter(pc.equal(events["rank"], 0)))
    _see_epoch(run, events)
    is_told = pc.is_in(events["kind"], pa.array(_TOLD, pa.utf8()))
    is_read = pc.is_in(events["subject"], pa.array([_LR, _EPOCHS], pa.utf8()))
    told = events.filter(pc.or_(is_told, pc.and_(is_read, pc.equal(events["kind"], "param"))))
    rows = told.select(["rank", "kind", "subject", "epoch", "data"]).to_pylist()
    for row in rows:
        if row["rank"] == 0 or row["kind"] == "gap":
            _read_event(run, row["kind"], row["subject"], row["epoch"], json.loads(row["data"]))


def _read_times(run: RunNow, events: pa.Table) -> None:
    """Take the time that an attempt took for spent when the next one begins."""
    starts = pc.indices_nonzero(pc.equal(events["kind"], "run_start")).to_pylist()
    for begin, end in pairwise(sorted({0, *starts, len(events)})):
        first, last = pc.min_max(events["mono_ns"].slice(begin, end - begin)).as_py().values()
        if first is None:
            continue
        if run.first_ns is None or run.last_ns is None or begin in starts:
            run.spent_ns += (run.last_ns or 0) - (run.first_ns or 0)
            run.first_ns, run.last_ns = first, last
        run.last_ns = max(run.last_ns, last)


def _read_event(
    run: RunNow, kind: str, subject: str, epoch: int | None, data: Mapping[str, Any]
) -> None:
    if kind in ("run_start", "run_end"):
        run.is_sealed = kind == "run_end"
        run.reason = data.get("reason") if run.is_sealed else None
    elif kind == "gap":
        run.gaps += int(data.get("count") or 0)
    elif kind == "capture_failed":
        run.failures += 1
    elif kind == "adaptation" and subject == _LR:
        run.lr = _number(data.get("new"))
    elif kind == "epoch_end" and subject == "train":
        run.ended |= {epoch} if epoch is not None else set()
        run.paces.append(float(data["duration_s"]))
    elif kind == "param" and data.get("phase") == "object":
        if subject == _LR:
            run.lr = _number(data.get("value"))
        elif subject == _EPOCHS and (_number(data.get("value")) or 0) > 0:
            run.epochs = int(data["value"])


def _read_metrics(run: RunNow, metrics: pa.Table, objective: Objective) -> None:
    if not len(metrics):
        return
    _see_epoch(run, metrics)
    mine = pc.and_(pc.equal(metrics["name"], objective.metric), pc.equal(metrics["rank"], 0))
    rows = metrics.filter(mine)
    stages = {run.stage, *rows["stage"].to_pylist()}
    stage = next((stage for stage in STAGES if stage in stages), None)
    if stage != run.stage:
        run.stage, run.latest, run.best = stage, None, None
    rows = rows.filter(pc.equal(rows["stage"], stage))
    values = [value for value in rows["value"].to_pylist() if value is not None]
    if values:
        run.latest = values[-1]
    better = min if objective.direction == "minimize" else max
    known = [value for value in (run.best, *values) if value is not None and math.isfinite(value)]
    run.best = better(known) if known else None


def _see_epoch(run: RunNow, rows: pa.Table) -> None:
    latest = pc.max(rows.filter(pc.equal(rows["rank"], 0))["epoch"]).as_py()
    if latest is not None:
        run.epoch = latest


def judged_value(run: RunNow, objective: Objective) -> float | None:
    """Return the value that a run is judged by: its last one, or its best."""
    return run.latest if objective.at == "last" else run.best


def _number(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None

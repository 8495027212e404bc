# ruff: noqa: E501
"""A small sweep told row by row: to Arrow logs, and to CSV files for an independent answer."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from provrunner.ids import run_id, trial_id
from provrunner.log import ArrowSink, create_sweep_folder, read_plan, run_folder, write_plan
from provrunner.plan import Hyperparameter, Objective, Plan, Point
from provrunner.schema import Event, RunStatus, StepMetrics

SECOND = 1_000_000_000
START_NS = 1_767_323_045 * SECOND
LR, WIDTH = "optimizer.lr", "model.width"
EPOCHS = 4
BASE = {(0.01, 8): 0.50, (0.01, 16): 0.40, (0.1, 8): 0.90, (0.1, 16): 0.70}
WOBBLE = (0.0, 0.02, -0.01)
FAILED, LAST, TWO_RANKS, SLOW, STEERED = 10, 11, 2, 3, 0
CUDA = "lightning.pytorch.accelerators.cuda.CUDAAccelerator"
METRIC_COLUMNS = ("run", "rank", "step", "epoch", "stage", "name", "value", "time_s")
EVENT_COLUMNS = ("run", "rank", "time_s", "step", "epoch", "kind", "subject", "data")


def make_plan() -> Plan:
    points = []
    for lr in (0.01, 0.1):
        for width in (8, 16):
            values = {LR: lr, WIDTH: width}
            for seed in range(3):
                number = len(points)
                identity = run_id(number, values, seed)
                points.append(Point(number, identity, trial_id(values), seed, seed, values))
    axes = (
        Hyperparameter(LR, (0.01, 0.1), "log", 0.01),
        Hyperparameter(WIDTH, (8, 16), "linear", 8),
    )
    objective = Objective("val/loss")
    return Plan(
        "s", "asked", "2026-01-02T03:04:05Z", objective, "grid", axes, tuple(points), 3,
        command=("python", "-m", "provrunner", "+sweep=asked"),
    )  # fmt: skip


def val_loss(point: Point, epoch: int) -> float:
    """It falls with a small learning rate, late, and rises after epoch 1 with a large one."""
    value = BASE[point.values[LR], point.values[WIDTH]] + WOBBLE[point.seed]
    value += 0.004 * (point.run * 7 % 5) + 0.4 / 2**epoch
    if point.values[LR] == 0.1:
        return value + 0.1 * max(epoch - 1, 0)
    return value + (0.5 if epoch == 0 else 0.0)


@dataclass
class Story:
    """What one run logs, in order; `rows` are the records of one rank."""

    point: Point
    rank: int = 0
    now_s: float = 0.0
    mono_ns: int = field(default_factory=time.monotonic_ns)
    records: list[Event | StepMetrics] = field(default_factory=list)

    def event(self, kind, subject="", *, step=None, epoch=None, after_s=0.0, **data) -> None:
        self.now_s += after_s
        at = round(self.now_s * SECOND)
        self.records.append(
            Event(kind, subject, data, step, epoch, START_NS + at, self.mono_ns + at)
        )

    def metrics(self, stage, step, epoch, **values) -> None:
        named = {name.replace("_", "/"): value for name, value in values.items()}
        at = START_NS + round(self.now_s * SECOND)
        self.records.append(StepMetrics(named, step, epoch, stage, at))

    def begin(self) -> None:
        point = self.point
        self.event(
            "run_start", point.run_id, run_id=point.run_id, seed=point.seed, attempt=0,
            command=["python", "-m", "provrunner", "+sweep=asked"], user="ada", host="lab-3",
            pid=400 + point.run, world_size=2 if point.run == TWO_RANKS else 1,
        )  # fmt: skip
        self.event("agent", "ada", type="person", version=None, on_behalf_of=None)
        self.event("agent", "torch", type="software", version="2.4", on_behalf_of="ada")
        self.event("environment", "", python="3.12", os="Linux", packages={"torch": "2.4"})
        self.event("code", "", commit="c0ffee", dirty=point.run == 1, patch_sha256=None)
        for name, value in point.values.items():
            self.param(name, value, "axis", reads=1)
        self.param("model.dropout", 0.5 if point.values[WIDTH] == 16 else 0.0, "file", reads=1)
        self.param("model.unused", 7, "command line", reads=0)
        self.param(LR, point.values[LR], None, phase="object")
        self.param("optimizer.type", "torch.optim.adam.Adam", None, phase="object")
        self.param("trainer.max_epochs", EPOCHS, None, phase="object")
        self.param("trainer.accelerator", CUDA, None, phase="object")
        self.data()
        self.event("model", "Net", type="Net", architecture_hash=f"w{point.values[WIDTH]}",
                   parameters=10 * point.values[WIDTH])  # fmt: skip
        for place, name in enumerate(("net.0", "net.1")):
            self.event("layer", name, position=place, type="Linear", input_shape=[None, 4],
                       output_shape=[None, point.values[WIDTH] if place == 0 else 2],
                       parameters=5 * point.values[WIDTH], trainable=0)  # fmt: skip

    def param(self, name, value, origin, *, reads=None, phase="init") -> None:
        self.event("param", name, value=value, type=type(value).__name__, origin=origin,
                   source=None if origin is None else f"{origin} file", reads=reads, phase=phase)  # fmt: skip

    def data(self) -> None:
        self.event(
            "dataset", "flowers", digest="d" * 64, size=10, features=[4], classes=2, type="D"
        )
        self.event("split", "train", dataset="flowers", size=6, seed=5, index_digest="a" * 64,
                   classes={"0": 4, "1": 2}, overlap={})  # fmt: skip
        self.event("split", "val", dataset="flowers", size=4, seed=5, index_digest="b" * 64,
                   classes={"0": 2, "1": 2}, overlap={"train": 1})  # fmt: skip
        self.event("transform", "drop_missing", position=0, params={"how": "any"}, split=None,
                   n_in=13, n_out=10, changed=0)  # fmt: skip
        self.event("transform", "scale", position=1, params={"mean": 1.5}, split="train",
                   n_in=10, n_out=10, changed=40)  # fmt: skip

    def start_epoch(self, epoch: int) -> None:
        self.event("epoch_start", "train", step=2 * epoch, epoch=epoch)

    def end_epoch(self, epoch: int) -> None:
        run, end = self.point.run, 2 * epoch + 1
        for step in (2 * epoch, end):
            self.metrics("train", step, epoch, train_loss=1.0 / (step + 1) + self.rank)
        loss = val_loss(self.point, epoch)
        self.metrics("validate", end, epoch, val_loss=loss + self.rank, val_acc=1 - loss / 2)
        if run == STEERED and epoch == 1:
            self.event("adaptation", LR, step=end, epoch=epoch, old=0.01, new=0.005,
                       cause="manual", agent="ada")  # fmt: skip
        duration = 20.0 if (run, epoch) == (SLOW, 2) else 2.0 + 0.1 * epoch
        self.event("epoch_end", "train", step=end, epoch=epoch, after_s=duration,
                   duration_s=duration, batches=2)  # fmt: skip
        cost = {"cpu_s": (2.0 + self.point.values[WIDTH]) * (epoch + 1), "gpu_bytes": None,
                "rss_bytes": 1000 * (run + 1), "read_bytes": 10, "written_bytes": 100 * (epoch + 1)}  # fmt: skip
        self.event("resources", "train", step=end, epoch=epoch, **cost)
        self.event(
            "overhead", "train", hook_s=0.01 * (epoch + 1), events=1, metric_rows=1, dropped=0
        )
        if self.rank == 0:
            self.checkpoint(epoch)

    def checkpoint(self, epoch: int) -> None:
        path, step = f"checkpoints/{epoch}.ckpt", 2 * epoch + 1
        self.event("checkpoint", path, step=step, epoch=epoch, sha256=f"{self.point.run:032d}{epoch:032d}",
                   size_bytes=8, metric="val/loss", value=val_loss(self.point, epoch), role="last")  # fmt: skip
        if epoch:
            before = f"checkpoints/{epoch - 1}.ckpt"
            self.event("checkpoint_deleted", before, step=step, epoch=epoch, sha256=None)


def tell(point: Point, rank: int = 0, epochs: int = EPOCHS, *, torn: bool = False) -> Story:
    """Tell a run; `torn` leaves it in the middle of the epoch after the last."""
    story = Story(point, rank)
    if rank == 0:
        story.begin()
    for epoch in range(epochs):
        story.start_epoch(epoch)
        story.end_epoch(epoch)
    if torn:
        story.start_epoch(epochs)
        story.metrics("train", 2 * epochs, epochs, train_loss=1.0 / (2 * epochs + 1))
    if point.run == FAILED:
        story.event("exception", "", step=2 * epochs - 1, epoch=epochs - 1, type="ValueError",
                    message="no", traceback="...")  # fmt: skip
    return story


def stories(*, last_epochs: int) -> Iterator[Story]:
    """Tell the whole sweep; the last run is torn when it has fewer than all epochs."""
    for point in make_plan().points:
        epochs = {FAILED: 2, LAST: last_epochs}.get(point.run, EPOCHS)
        yield tell(point, 0, epochs, torn=epochs < EPOCHS and point.run == LAST)
        if point.run == TWO_RANKS:
            yield tell(point, 1)


def write_story(folder: Path, story: Story, sinks: dict[int, ArrowSink]) -> ArrowSink:
    """Log one rank of a run; the sink is left open."""
    sink = ArrowSink(
        run_folder(folder, story.point.run_id), sweep_id="s", run_id=story.point.run_id
    )
    sink.open(story.rank, 2 if story.point.run == TWO_RANKS else 1)
    sink.write(story.records)
    sinks[story.rank] = sink
    return sink


def write_sweep(root: Path, *, without: tuple[int, ...] = ()) -> Path:
    """Log and seal all runs but those left out."""
    plan = make_plan()
    folder = create_sweep_folder(root, plan.name, now=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    write_plan(folder, plan)
    sinks: dict[int, dict[int, ArrowSink]] = {}
    for story in stories(last_epochs=EPOCHS):
        if story.point.run not in without:
            write_story(folder, story, sinks.setdefault(story.point.run, {}))
    for run, ranks in sinks.items():
        failed = run == FAILED
        for rank in sorted(ranks, reverse=True):
            status = RunStatus.FAILED if failed else RunStatus.FINISHED
            ranks[rank].close(status, "ValueError: no" if failed else None)
    return folder


def write_last(folder: Path, epochs: int) -> ArrowSink:
    """Log the last run as far as the middle of an epoch, and leave its writer open."""
    return write_story(folder, tell(read_plan(folder).points[LAST], 0, epochs, torn=True), {})


def write_csv(folder: Path, *, last_epochs: int) -> None:
    """Write what the logs were told to `metrics.csv` and `events.csv`."""
    metrics, events = [], []
    for story in stories(last_epochs=last_epochs):
        source = (story.point.run, story.rank)
        for one in story.records:
            seconds = (one.time_ns - START_NS) / SECOND
            if isinstance(one, StepMetrics):
                metrics += [(*source, one.step, one.epoch, one.stage, name, repr(value), seconds)
                            for name, value in one.values.items()]  # fmt: skip
            else:
                data = json.dumps(one.data)
                events.append((*source, seconds, one.step, one.epoch, one.kind, one.subject, data))
    for name, columns, rows in (
        ("metrics", METRIC_COLUMNS, metrics),
        ("events", EVENT_COLUMNS, events),
    ):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([columns, *rows])


if __name__ == "__main__":
    write_last(Path(sys.argv[1]), int(sys.argv[2]))
    print("written", flush=True)
    time.sleep(600)

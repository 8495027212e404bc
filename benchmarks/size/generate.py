"""A sweep folder of any number of runs, written by our own writer without any training."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.many_runs import BEGIN, EPOCH_S, SECOND
from provrunner.ids import digest, run_id, trial_id
from provrunner.log import write_plan
from provrunner.log.past import PastEvent, PastMetric, write_past_run
from provrunner.plan import Hyperparameter, Objective, Plan, Point
from provrunner.schema import RunStatus

__all__ = ["write_runs", "write_sweep"]

_AXES: dict[str, tuple[Any, ...]] = {
    "model.dropout": (0.0, 0.1, 0.2, 0.3),
    "data.batch_size": (16, 32, 64, 128, 256),
    "model.width": tuple(16 * (level + 1) for level in range(10)),
    "optimizer.lr": tuple(round(0.001 * 1.5**level, 6) for level in range(10)),
}
_SEEDS = 5
_LEAVES = 100
_EPOCHS = 5
_METRICS = ("loss", "acc", "loss_step", "time/step", "time/epoch")
_WEIGHTS = b"weights"
_WEIGHTS_DIGEST = hashlib.sha256(_WEIGHTS).hexdigest()
_PACKAGES = {f"package-{number}": f"{number}.0.1" for number in range(80)}


def write_sweep(folder: Path, runs: int) -> Plan:
    """Write the plan and the sealed log of every run of a grid of so many runs.

    A log has about 160 events and 55 values, as that of five epochs of the bundled digits has.
    """
    plan = declare(runs)
    folder.mkdir(parents=True)
    write_plan(folder, plan)
    write_runs(folder, plan, range(runs))
    return plan


def declare(runs: int) -> Plan:
    """Declare a grid of 2,000 trials, or fewer, of four axes, with five seeds each."""
    levels = list(itertools.product(*_AXES.values()))[: -(-runs // _SEEDS)]
    points = [
        Point(number, run_id(number, values, seed), trial_id(values), seed, seed, values)
        for number, (values, seed) in enumerate(
            (dict(zip(_AXES, level, strict=True)), seed)
            for level in levels
            for seed in range(_SEEDS)
        )
    ]
    return Plan(
        sweep_id=f"generated-{runs}",
        name="generated",
        created="2026-01-02T03:04:04+00:00",
        objective=Objective("val/loss"),
        design="grid",
        hyperparameters=tuple(
            Hyperparameter(name, levels, "linear", levels[0]) for name, levels in _AXES.items()
        ),
        points=tuple(points[:runs]),
        replicates=_SEEDS,
        config_sha256=digest("generated"),
    )


def write_runs(folder: Path, plan: Plan, numbers: range) -> None:
    """Write the sealed logs of some runs of a plan."""
    for number in numbers:
        point = plan.points[number]
        place = folder / "runs" / point.run_id
        write_past_run(
            place,
            list(_events(point)),
            list(_values(point)),
            sweep_id=plan.sweep_id,
            status=RunStatus.FINISHED,
            end=_at(point, _EPOCHS * EPOCH_S + 5),
        )
        (place / "checkpoints").mkdir()
        (place / "checkpoints" / f"epoch{_EPOCHS - 1}.ckpt").write_bytes(_WEIGHTS)
        (place / "config.yaml").write_text("optimizer: {lr: 0.1}\n", encoding="utf-8")
        (place / "overrides.yaml").write_text("- optimizer.lr=0.1\n", encoding="utf-8")


def _at(point: Point, seconds: float) -> tuple[int, int]:
    since = int(seconds * SECOND)
    return BEGIN + point.run * 100 * SECOND + since, since


def _events(point: Point) -> Iterator[PastEvent]:
    def tell(kind: str, subject: str, seconds: float, **data: object) -> PastEvent:
        return PastEvent(kind, subject, data, *_at(point, seconds))

    yield tell(
        "run_start", "", 0, attempt=0, user="ada", host="host", pid=100, world_size=1,
        command=["python", "-m", "provrunner", "+sweep=generated"], launcher="LocalLauncher",
    )  # fmt: skip
    yield tell("agent", "provrunner", 0, type="software", version="1", on_behalf_of="ada")
    yield tell("environment", "", 0, python="3.11", packages=_PACKAGES)
    yield tell("code", "", 0, commit="c0ffee" + "0" * 34, branch="main", dirty=False)
    chosen = {**point.values, "seed": point.seed}
    settings = chosen | {f"trainer.setting_{n:02d}": n for n in range(_LEAVES - len(chosen))}
    for name, value in settings.items():
        origin = "sweep" if name in chosen else "default"
        yield tell(
            "param", name, 0.5, value=value, type=type(value).__name__, origin=origin,
            source="conf/config.yaml", reads=1, phase="init",
        )  # fmt: skip
    for position in range(6):
        yield tell(
            "layer", f"net.{position}", 0.6, position=position, type="Linear", parameters=100,
            trainable=100, input_shape=[8, 64], output_shape=[8, 64],
        )  # fmt: skip
    yield tell("model", "", 0.6, architecture_hash="ab" * 32, parameters=600)
    yield tell("dataset", "digits", 0.7, type="Digits", size=1797, digest="cd" * 32)
    for split in ("train", "val", "test"):
        yield tell("split", split, 0.7, dataset="digits", size=599, digest="ef" * 32)
    yield tell("stage_start", "fit", 1)
    for epoch in range(_EPOCHS):
        begun = 1 + epoch * EPOCH_S
        yield tell("epoch_start", "train", begun)
        yield tell("resources", "", begun + 8, cpu_s=1.0, rss_bytes=10**8)
        yield tell(
            "checkpoint", f"checkpoints/epoch{epoch}.ckpt", begun + 9, sha256=_WEIGHTS_DIGEST,
            size_bytes=len(_WEIGHTS), metric="val/loss", value=1.0, role="best",
        )  # fmt: skip
        if epoch:
            yield tell("checkpoint_deleted", f"checkpoints/epoch{epoch - 1}.ckpt", begun + 9)
        yield tell("epoch_end", "train", begun + 9.5, duration_s=9.5)
    yield tell("stage_end", "fit", _EPOCHS * EPOCH_S + 2)


def _values(point: Point) -> Iterator[PastMetric]:
    numbers = np.random.default_rng(point.run)
    values = point.values
    effect = abs(np.log10(values["optimizer.lr"]) + 2) + 0.001 * values["model.width"]
    effect += 0.2 * values["model.dropout"]
    epochs = pa.array(np.arange(_EPOCHS), pa.int64())
    steps = pa.array(100 * (np.arange(_EPOCHS) + 1), pa.int64())
    times = pa.array([_at(point, 1 + e * EPOCH_S + 8)[0] for e in range(_EPOCHS)], pa.int64())
    for stage, word in (("train", "train"), ("validate", "val")):
        for name in _METRICS:
            curve = effect + 1 / np.arange(1, _EPOCHS + 1) + numbers.normal(0, 0.1, _EPOCHS)
            yield PastMetric(f"{word}/{name}", stage, pa.array(curve), steps, epochs, times)


if __name__ == "__main__":
    import sys
    import time

    # no power cut is to be survived here, and to wait for the disk takes most of the time
    os.fsync = lambda _: None
    began = time.perf_counter()
    count = int(sys.argv[2])
    write_sweep(Path(sys.argv[1]), count)
    took = time.perf_counter() - began
    print(json.dumps({"runs": count, "seconds": round(took, 1)}))

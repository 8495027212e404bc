"""The plan and the public tables of a sweep of any size, as its logs would give them."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from provrunner.ids import digest, run_id, trial_id
from provrunner.plan import Hyperparameter, Objective, Plan, Point
from provrunner.schema import TABLES

__all__ = ["make_plan", "make_tables"]

SECOND = 1_000_000
BEGIN = 1_767_323_045 * SECOND
EPOCH_S = 10
CHECKPOINT_EVERY = 5
_COMMIT = "c0ffee" + "0" * 34
_LEAVES = 60
_Ints = npt.NDArray[np.int64]


def make_plan(runs: int) -> Plan:
    """Declare a grid of ten learning rates, as many widths as it takes, and ten seeds."""
    rates = tuple(round(0.001 * 1.5**level, 6) for level in range(10))
    widths = tuple(16 * (level + 1) for level in range(max(1, -(-runs // 100))))
    points = [
        Point(number, run_id(number, values, seed), trial_id(values), seed, seed, values)
        for number, (values, seed) in enumerate(
            ({"optimizer.lr": rate, "model.width": width}, seed)
            for rate, width, seed in itertools.product(rates, widths, range(10))
        )
    ]
    return Plan(
        sweep_id=f"generated-{runs}",
        name="generated",
        created="2026-01-02T03:04:04+00:00",
        objective=Objective("val/loss"),
        design="grid",
        hyperparameters=(
            Hyperparameter("optimizer.lr", rates, "log", 0.001),
            Hyperparameter("model.width", widths, "linear", 16),
        ),
        points=tuple(points[:runs]),
        replicates=10,
        config_sha256=digest("generated"),
    )


def make_tables(plan: Plan, *, epochs: int, seed: int = 0) -> dict[str, pa.Table]:
    """Return what the logs of all runs of a plan say.

    Each run trains and validates for so many epochs of ten seconds, writes a checkpoint every
    fifth one, deletes the one before, and tests the last. The seed decides the losses alone.
    """
    sweep = _Sweep(plan, epochs, np.random.default_rng(seed))
    return {
        "runs": sweep.runs(),
        "params": sweep.params(),
        "events": sweep.events(),
        "epochs": sweep.epoch_rows(),
        "metrics": sweep.metrics(),
        "artifacts": sweep.artifacts(),
        "datasets": sweep.datasets(),
        "transforms": sweep.transforms(),
    }


@dataclass
class _Sweep:
    plan: Plan
    epochs: int
    random: np.random.Generator

    def __post_init__(self) -> None:
        count = len(self.plan.points)
        self.ids = np.array([point.run_id for point in self.plan.points], dtype=object)
        self.starts = BEGIN + np.arange(count) * (self.epochs * EPOCH_S + 10) * SECOND
        decay = 1 / np.arange(1, self.epochs + 1)
        noise = self.random.normal(0, 0.01, (count, self.epochs))
        self.losses = np.round(decay + noise + self.random.uniform(0, 1, (count, 1)), 6)

    def runs(self) -> pa.Table:
        points = self.plan.points
        return _table(
            "runs",
            len(points),
            run=[point.run for point in points],
            run_id=self.ids,
            trial_id=[point.trial_id for point in points],
            replicate=[point.replicate for point in points],
            seed=[point.seed for point in points],
            attempt=0,
            status="finished",
            objective=self.losses.min(axis=1),
            objective_epoch=self.losses.argmin(axis=1),
            start=self.starts,
            end=self.starts + (self.epochs * EPOCH_S + 5) * SECOND,
            cmd="python -m provrunner +sweep=generated",
            user="ada",
            host="host",
            world_size=1,
            commit=_COMMIT,
            dirty=False,
            architecture_hash=digest("mlp"),
            parameters=1000,
            log_state="complete",
        )

    def params(self) -> pa.Table:
        swept = ("optimizer.lr", "model.width", "seed")
        names = [*swept, *(f"trainer.setting_{leaf:02d}" for leaf in range(_LEAVES - len(swept)))]
        values = [
            json.dumps(value)
            for point in self.plan.points
            for value in (*point.values.values(), point.seed, *range(_LEAVES - len(swept)))
        ]
        run = np.repeat(np.arange(len(self.ids)), _LEAVES)
        return _table(
            "params",
            len(run),
            run=run,
            run_id=self.ids[run],
            name=np.tile(np.array(names, dtype=object), len(self.ids)),
            value=values,
            type="int",
            origin="file",
            phase="init",
        )

    def events(self) -> pa.Table:
        told = [
            ("agent", "ada", {"type": "person", "version": None, "on_behalf_of": None}),
            ("agent", "provrunner", {"type": "software", "version": "1", "on_behalf_of": "ada"}),
            ("environment", "", {"python": "3.11", "packages": {"torch": "2.9.0"}}),
            ("code", "", {"commit": _COMMIT, "branch": "main", "dirty": False}),
            ("stage_start", "fit", {}),
            ("stage_end", "fit", {}),
            ("stage_start", "test", {}),
            ("stage_end", "test", {}),
        ]
        last = self.epochs * EPOCH_S + 1
        at = [0.0, 0.0, 0.0, 0.0, 1.0, last, last + 1.0, last + 3.0]
        order = [*range(5), *(4 * self.epochs + place for place in range(5, 8))]
        whole = self._events(told, np.array(at), np.array(order), None)
        within = [
            ("epoch_start", "train", {}),
            ("epoch_start", "validate", {}),
            ("epoch_end", "validate", {}),
            ("epoch_end", "train", {}),
        ]
        epoch = np.repeat(np.arange(self.epochs), 4)
        seconds = 1 + epoch * EPOCH_S + np.tile([0, 6, 8, 9.5], self.epochs)
        parts = self._events(within * self.epochs, seconds, 5 + np.arange(len(epoch)), epoch)
        return pa.concat_tables([whole, parts])

    def _events(
        self,
        told: list[tuple[str, str, dict[str, Any]]],
        seconds: npt.NDArray[np.float64],
        order: _Ints,
        epoch: _Ints | None,
    ) -> pa.Table:
        count = len(self.ids)
        run = np.repeat(np.arange(count), len(told))
        rows = [(kind, subject, json.dumps(data)) for kind, subject, data in told]
        kinds, subjects, data = (
            np.tile(np.array(one, dtype=object), count) for one in zip(*rows, strict=True)
        )
        times = (np.tile(seconds, count) * SECOND).astype(np.int64) + self.starts[run]
        return _table(
            "events",
            len(run),
            run=run,
            run_id=self.ids[run],
            rank=0,
            segment=0,
            seq=np.tile(order, count),
            time=times,
            epoch=None if epoch is None else np.tile(epoch, count),
            kind=kinds,
            subject=subjects,
            data=data,
        )

    def _by_epoch(self) -> tuple[_Ints, _Ints, _Ints]:
        """Return run, epoch and start of every epoch."""
        run = np.repeat(np.arange(len(self.ids)), self.epochs)
        epoch = np.tile(np.arange(self.epochs), len(self.ids))
        return run, epoch, self.starts[run] + (1 + epoch * EPOCH_S) * SECOND

    def epoch_rows(self) -> pa.Table:
        run, epoch, start = self._by_epoch()
        end = start + 9 * SECOND
        table = _table(
            "epochs", len(run), run=run, run_id=self.ids[run], rank=0, epoch=epoch, start=start,
            end=end,
        )  # fmt: skip
        losses = self.losses.ravel()
        table = table.append_column("train/loss", pa.array(losses + 0.1))
        return table.append_column("val/loss", pa.array(losses))

    def metrics(self) -> pa.Table:
        run, epoch, start = self._by_epoch()
        losses = self.losses.ravel()
        parts = [
            _table(
                "metrics", len(run), run=run, run_id=self.ids[run], rank=0, segment=0,
                time=start + 8 * SECOND, step=10 * (epoch + 1), epoch=epoch, stage=stage,
                name=name, value=value,
            )
            for stage, name, value in (
                ("train", "train/loss", losses + 0.1), ("validate", "val/loss", losses),
            )
        ]  # fmt: skip
        runs = np.arange(len(self.ids))
        tested = _table(
            "metrics", len(runs), run=runs, run_id=self.ids, rank=0, segment=0,
            time=self.starts + (self.epochs * EPOCH_S + 3) * SECOND, stage="test", name="test/loss",
            value=self.losses[:, -1], epoch=self.epochs,
        )  # fmt: skip
        return pa.concat_tables([*parts, tested])

    def artifacts(self) -> pa.Table:
        run, epoch, start = self._by_epoch()
        kept = (epoch + 1) % CHECKPOINT_EVERY == 0
        run, epoch, created = run[kept], epoch[kept], start[kept] + 9 * SECOND
        last = epoch >= self.epochs - CHECKPOINT_EVERY
        deleted = created + CHECKPOINT_EVERY * EPOCH_S * SECOND
        return _table(
            "artifacts",
            len(run),
            run=run,
            run_id=self.ids[run],
            rank=0,
            seq=epoch,
            kind="checkpoint",
            path=[f"checkpoints/epoch{number:03d}.ckpt" for number in epoch],
            sha256=[digest(f"{one} {number}") for one, number in zip(run, epoch, strict=True)],
            size_bytes=4096,
            step=10 * (epoch + 1),
            epoch=epoch,
            metric="val/loss",
            value=self.losses[run, epoch],
            role="best",
            created=created,
            deleted=pa.array(deleted, mask=last),
        )

    def datasets(self) -> pa.Table:
        splits = [None, "train", "val", "test"]
        run = np.repeat(np.arange(len(self.ids)), len(splits))
        count = len(self.ids)
        return _table(
            "datasets",
            len(run),
            run=run,
            run_id=self.ids[run],
            dataset="digits",
            split=splits * count,
            type="provrunner.zoo.Digits",
            size=[1797, 1078, 359, 360] * count,
            digest=[digest(f"data {split}") for split in splits] * count,
            seed=0,
        )

    def transforms(self) -> pa.Table:
        run = np.arange(len(self.ids))
        return _table(
            "transforms", len(run), run=run, run_id=self.ids, position=0, name="standardise",
            params="{}", split="train", n_in=1078, n_out=1078, changed=1000,
        )  # fmt: skip


def _table(name: str, count: int, /, **columns: Any) -> pa.Table:
    """Make a public table; a single value fills its column, and one that is left out is null."""
    return pa.table(
        [_column(columns.get(field.name), count, field.type) for field in TABLES[name]],
        schema=TABLES[name],
    )


def _column(values: Any, count: int, type_: pa.DataType) -> pa.Array:
    if values is None:
        return pa.nulls(count, type_)
    if isinstance(values, str | int | float):
        values = pa.repeat(values, count)
    array = values if isinstance(values, pa.Array) else pa.array(values)
    return array.cast(type_)

"""A sweep of 2 x 2 trials and 2 seeds as tables: one run fails, one is lost, a name is hostile."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from provrunner.ids import digest, run_id, trial_id
from provrunner.plan import Hyperparameter, Objective, Plan, Point
from provrunner.schema import TABLES

HOSTILE = 'opt.l\u202er "%<x>\\,=\n\x1b[31m'
BEGIN = int(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()) * 1_000_000
SECOND = 1_000_000
COMMIT = "c0ffee" + "0" * 34
PATCH = digest("a dirty patch")
DATA = digest("the digits")


def make_plan(rates: tuple[float, ...] = (0.1, 0.01), seeds: int = 2) -> Plan:
    axes = (
        Hyperparameter("optimizer.lr", rates, "log", 0.01, "choice(0.1, 0.01)"),
        Hyperparameter(HOSTILE, (16, 64), "linear", 16, "choice(16, 64)"),
    )
    points = []
    for lr, width in itertools.product(rates, (16, 64)):
        values = {"optimizer.lr": lr, HOSTILE: width}
        for seed in range(seeds):
            n = len(points)
            points.append(Point(n, run_id(n, values, seed), trial_id(values), seed, seed, values))
    return Plan(
        sweep_id="2026-01-02_03-04-05-abc123",
        name="lr_grid",
        created="2026-01-02T03:04:04.500000+00:00",
        objective=Objective("val/loss"),
        design="grid",
        hyperparameters=axes,
        points=tuple(points),
        replicates=seeds,
        command=("python", "-m", "provrunner", "+sweep=lr_grid"),
        config_sha256=digest("config"),
    )


def make_tables(
    plan: Plan, *, epochs: int = 3, failed: int | None = 5, lost: int | None = 6
) -> dict[str, pa.Table]:
    """A run is a second of preparation, ten an epoch, then a test from its last checkpoint."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    for point in plan.points:
        status = {failed: "failed", lost: "lost"}.get(point.run, "finished")
        _Run(rows, plan, point, epochs, status).write()
    tables = {name: _table(name, rows[name]) for name in TABLES}
    del tables["nodes"], tables["edges"], tables["sensitivity"]
    return tables


def make_effects(runs: tuple[int, ...] = (0, 1, 2, 3, 4, 7)) -> pa.Table:
    components = [
        ("optimizer.lr", "main", 0.8),
        (HOSTILE, "main", 0.05),
        (f"optimizer.lr × {HOSTILE}", "interaction", None),
        ("noise", "noise", 0.1),
    ]
    return _table(
        "sensitivity",
        [
            {"objective": "val/loss", "component": name, "kind": kind, "order": 1, "share": share,
             "n_runs": len(runs), "runs": list(runs)}
            for name, kind, share in components
        ],
    )  # fmt: skip


def _table(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    schema = TABLES[name]
    extra = sorted({key for row in rows for key in row} - set(schema.names))
    for key in extra:
        schema = schema.append(pa.field(key, pa.float64()))
    columns = [
        pa.array([row.get(field.name) for row in rows], pa.int64()).cast(field.type)
        if pa.types.is_timestamp(field.type)
        else pa.array([row.get(field.name) for row in rows], field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


class _Run:
    def __init__(
        self, rows: dict[str, list[Any]], plan: Plan, point: Point, epochs: int, status: str
    ) -> None:
        self.rows, self.plan, self.point, self.status = rows, plan, point, status
        self.begin = BEGIN + point.run * (epochs * 10 + 10) * SECOND
        self.epochs = {"failed": 1, "lost": epochs - 1}.get(status, epochs)
        self.key = {"run": point.run, "run_id": point.run_id}
        self.seq = 0

    def at(self, seconds: float) -> int:
        return self.begin + int(seconds * SECOND)

    def value(self, epoch: int) -> float:
        lr, width = self.point.values["optimizer.lr"], self.point.values[HOSTILE]
        return round(lr * 3 + width / 1000 + self.point.seed / 50 + 1 / (epoch + 1), 6)

    def event(
        self,
        kind: str,
        seconds: float,
        data: Any = None,
        subject: str = "",
        epoch: int | None = None,
    ) -> None:
        self.seq += 1
        self.rows["events"].append(
            {**self.key, "rank": 0, "segment": 0, "seq": self.seq, "time": self.at(seconds),
             "epoch": epoch, "kind": kind, "subject": subject, "data": json.dumps(data or {})}
        )  # fmt: skip

    def write(self) -> None:
        self.write_told()
        self.event("stage_start", 1, subject="fit")
        for epoch in range(self.epochs):
            self.write_epoch(epoch)
        if self.status == "lost":
            self.event("epoch_start", 1 + self.epochs * 10, subject="train", epoch=self.epochs)
        end = 1 + self.epochs * 10
        if self.status == "finished":
            self.event("stage_end", end, {"duration_s": 1.0}, "fit")
            self.write_test(end)
        best = min((self.value(epoch), epoch) for epoch in range(self.epochs))
        self.rows["runs"].append(
            {**self.key, "trial_id": self.point.trial_id, "replicate": self.point.replicate,
             "seed": self.point.seed, "attempt": 0, "status": self.status,
             "reason": "ValueError: no \x1b[31m luck" if self.status == "failed" else None,
             "objective": best[0], "objective_epoch": best[1], "start": self.at(0),
             "end": None if self.status == "lost" else self.at(end + 4),
             "cmd": "python -m provrunner", "user": "ada", "host": "<b>host</b>", "world_size": 1,
             "commit": COMMIT, "dirty": True, "architecture_hash": digest("mlp"),
             "parameters": 1000, "dataset_digest": DATA, "log_state": "complete"}
        )  # fmt: skip

    def write_told(self) -> None:
        leaves = {
            **self.point.values, "seed": self.point.seed, "trainer.max_epochs": 3,
            "data.path": None, "run.name": self.point.run_id,
        }  # fmt: skip
        self.rows["params"] += [
            {**self.key, "name": name, "value": json.dumps(value), "type": "float", "phase": "init",
             "origin": "axis" if name in self.point.values else "file", "source": "conf/x.yaml"}
            for name, value in leaves.items()
        ]  # fmt: skip
        ada = {"type": "person", "version": None, "on_behalf_of": None}
        self.event("agent", 0, ada, "ada")
        for name, version in (("provrunner", "0.1.0"), ("torch", "2.9.0")):
            tool = {"type": "software", "version": version, "on_behalf_of": "ada"}
            self.event("agent", 0, tool, name)
        self.event(
            "environment", 0,
            {"python": "3.11.7", "os": "Linux", "machine": "x86_64", "cpu": "a cpu", "cores": 2,
             "memory_bytes": 8 << 30, "gpus": [], "packages": {"torch": "2.9.0", "numpy": "2.3.0"},
             "variables": {"OMP_NUM_THREADS": "1"}, "launcher": "process"},
        )  # fmt: skip
        self.event(
            "code", 0,
            {"commit": COMMIT, "branch": "main", "dirty": True, "remote": "https://example.org/r.git",
             "patch_sha256": PATCH, "patch": "diff", "reason": None},
        )  # fmt: skip
        self.event("source", 0, {"sha256": digest("model.py"), "path": "model.py"}, "model")
        data = {**self.key, "dataset": "digits", "type": "zoo.Digits", "features": "[64]"}
        splits = (("train", 1200, 0.7), ("val", 300, 0.15), ("test", 300, 0.15))
        self.rows["datasets"].append({**data, "size": 1800, "digest": DATA})
        self.rows["datasets"] += [
            {**data, "split": name, "size": size, "ratio": ratio, "digest": digest(name), "seed": 0,
             "overlap": "{}"}
            for name, size, ratio in splits
        ]  # fmt: skip
        self.rows["transforms"] += [
            {**self.key, "position": position, "name": name, "params": "{}", "split": "train",
             "n_in": 1200, "n_out": 1200, "changed": 7}
            for position, name in enumerate(("impute", "scale"))
        ]  # fmt: skip

    def write_epoch(self, epoch: int) -> None:
        start = 1 + epoch * 10
        self.event("epoch_start", start, subject="train", epoch=epoch)
        self.event("epoch_start", start + 6, subject="validate", epoch=epoch)
        self.event("epoch_end", start + 8, {"duration_s": 2.0, "batches": 2}, "validate", epoch)
        self.event("epoch_end", start + 9.5, {"duration_s": 9.5, "batches": 9}, "train", epoch)
        values = {"train/loss": self.value(epoch) + 0.1, "val/loss": self.value(epoch)}
        values["val/odd"] = float("nan") if epoch == 1 else float("inf")
        self.rows["epochs"].append(
            {**self.key, "rank": 0, "epoch": epoch, "start": self.at(start),
             "end": self.at(start + 9.5), "duration_s": 9.5, **values}
        )  # fmt: skip
        for name, value in values.items():
            stage = "train" if name.startswith("train") else "validate"
            self.metric(name, value, epoch, stage, start + 8)
        if epoch == 2:
            return
        self.rows["artifacts"].append(
            {**self.key, "rank": 0, "seq": self.seq, "kind": "checkpoint", "epoch": epoch,
             "path": f"checkpoints/epoch={epoch}.ckpt", "sha256": self.sha256(epoch),
             "size_bytes": 4096, "step": 10 * (epoch + 1), "metric": "val/loss",
             "value": self.value(epoch), "role": "best", "created": self.at(start + 9),
             "deleted": self.at(start + 19.2) if epoch == 0 and self.epochs > 1 else None}
        )  # fmt: skip
        self.rows["adaptations"].append(
            {**self.key, "rank": 0, "time": self.at(start + 9.2), "step": 10 * (epoch + 1),
             "epoch": epoch, "name": "optimizer.lr", "old": "0.1", "new": str(0.05 / (epoch + 1)),
             "cause": "scheduler", "agent": "torch.optim.lr_scheduler.StepLR"}
        )  # fmt: skip

    def write_test(self, end: float) -> None:
        loaded = {"sha256": self.sha256(1), "foreign": False}
        self.event("checkpoint_loaded", end + 0.5, loaded, "checkpoints/epoch=1.ckpt")
        self.event("stage_start", end + 1, subject="test")
        self.metric("test/acc", 0.9, self.epochs, "test", end + 2)
        self.event("stage_end", end + 3, {"duration_s": 2.0}, "test")

    def sha256(self, epoch: int) -> str:
        return digest(f"{self.point.run_id} {epoch}")

    def metric(self, name: str, value: float, epoch: int, stage: str, seconds: float) -> None:
        self.rows["metrics"].append(
            {**self.key, "rank": 0, "segment": 0, "time": self.at(seconds), "step": 10 * (epoch +
            1),
             "epoch": epoch, "stage": stage, "name": name, "value": value}
        )  # fmt: skip

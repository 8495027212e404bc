"""Writes a finished sweep as runs would, without training: quick to make, real to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provrunner.ids import digest, run_id, trial_id
from provrunner.log import ArrowSink, run_folder, write_plan
from provrunner.plan import Hyperparameter, Objective, Plan, Point
from provrunner.schema import Event, RunStatus, StepMetrics

DATA = digest("digits")
_CHECKPOINT = "checkpoints/epoch001.ckpt"
PACKAGES = {"torch": "2.13.0", "numpy": "2.4.0"}


@dataclass
class Written:
    """What each run of a sweep is to have logged."""

    rates: Sequence[float] = (0.1, 0.01)
    widths: Sequence[int] = (8, 16)
    seeds: int = 2
    code: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=lambda: dict(PACKAGES))
    data: str = DATA
    config: Mapping[str, Any] = field(default_factory=dict)
    shift: float = 0.0
    status: RunStatus | None = RunStatus.FINISHED
    reason: str | None = None
    host: str | None = None
    deletes: bool = False
    events: Sequence[Event] = ()

    def plan(self, name: str) -> Plan:
        trials = [
            {"optimizer.lr": lr, "model.width": width} for lr in self.rates for width in self.widths
        ]
        points = [(values, seed) for values in trials for seed in range(self.seeds)]
        return Plan(
            sweep_id=name,
            name="lr_grid",
            created="2026-01-02T03:04:05Z",
            objective=Objective("val/loss"),
            design="grid",
            hyperparameters=(
                Hyperparameter("optimizer.lr", tuple(self.rates), "log", 0.1),
                Hyperparameter("model.width", tuple(self.widths), "linear", 8),
            ),
            points=tuple(
                Point(number, run_id(number, values, seed), trial_id(values), seed, seed, values)
                for number, (values, seed) in enumerate(points)
            ),
            replicates=self.seeds,
            reason=self.reason,
        )

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True)
        plan = self.plan(folder.name)
        write_plan(folder, plan)
        for point in plan.points:
            self._write_run(folder, plan, point)
        return folder

    def loss(self, point: Point) -> float:
        """Learning rate matters far beyond noise, width not at all."""
        lr = 2.0 if point.values["optimizer.lr"] == self.rates[0] else 1.0
        noise = (0.01, -0.01, 0.02)[(point.run * 7) % 3]
        return lr + noise + self.shift

    def _write_run(self, folder: Path, plan: Plan, point: Point) -> None:
        place = run_folder(folder, point.run_id)
        (place / "checkpoints").mkdir(parents=True)
        config = self.leaves(point)
        (place / "config.yaml").write_text(_yaml(config))
        (place / "overrides.yaml").write_text("[]\n")
        sink = ArrowSink(place, sweep_id=plan.sweep_id, run_id=point.run_id)
        sink.open(0)
        sink.write(list(self._events(place, point, config)))
        for epoch in range(2):
            loss = self.loss(point) + 1 - epoch
            sink.write(
                [StepMetrics({"val/loss": loss, "val/acc": 1 / loss}, epoch, epoch, "validate")]
            )
        if self.status is not None:
            sink.close(self.status)

    def leaves(self, point: Point) -> dict[str, Any]:
        return {**point.values, "seed": point.seed, "trainer.max_epochs": 2, **self.config}

    def _events(self, place: Path, point: Point, config: Mapping[str, Any]) -> Sequence[Event]:
        checkpoint = place / "checkpoints" / "epoch001.ckpt"
        checkpoint.write_bytes(f"weights of {point.run_id}".encode())
        told = {"sha256": digest(checkpoint.read_bytes()), "size_bytes": checkpoint.stat().st_size}
        environment = {"python": "3.11.7", "packages": dict(self.packages), "threads": 1}
        return [
            Event(
                "run_start",
                point.run_id,
                data={"run_id": point.run_id, "user": "ada", "host": self.host, "attempt": 0},
            ),
            Event("agent", "ada", data={"type": "person", "version": None, "on_behalf_of": None}),
            Event("environment", "", data=environment),
            *(Event("param", name, data=_param(value)) for name, value in config.items()),
            Event("code", "", data={"commit": None, "reason": "not a git repository", **self.code}),
            *(
                Event("source", name, data={"path": path, "sha256": sha256})
                for name, (path, sha256) in self.sources.items()
            ),
            Event("dataset", "digits", data={"digest": self.data, "size": 1797, "type": "Digits"}),
            *self.events,
            Event("epoch_start", "train", epoch=0, data={}),
            Event("epoch_end", "train", epoch=0, data={"duration_s": 1.0, "batches": 1}),
            Event("epoch_start", "train", epoch=1, data={}),
            Event("epoch_end", "train", epoch=1, data={"duration_s": 1.0, "batches": 1}),
            Event(
                "checkpoint",
                _CHECKPOINT,
                step=1,
                epoch=1,
                data={**told, "metric": "val/loss", "value": self.loss(point), "role": "best"},
            ),
            *([Event("checkpoint_deleted", _CHECKPOINT, step=2, data={})] if self.deletes else []),
        ]


def _param(value: Any) -> dict[str, Any]:
    return {"value": value, "type": type(value).__name__, "origin": "file", "phase": "init"}


def _yaml(leaves: Mapping[str, Any]) -> str:
    from omegaconf import OmegaConf

    config = OmegaConf.create({})
    for name, value in leaves.items():
        OmegaConf.update(config, name, value, force_add=True)
    return OmegaConf.to_yaml(config)

# ruff: noqa: E501
from __future__ import annotations

import copy
import json
import math
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from provrunner.ids import run_id, trial_id
from provrunner.plan import Hyperparameter, Objective, Plan, Point
from provrunner.schema import TABLES

LR, WIDTH = "optimizer.lr", "model.width"
LEVELS = {LR: [0.001, 0.003, 0.01, 0.03, 0.1], WIDTH: [16, 64]}
MEANS = {0.001: 0.21, 0.003: 0.12, 0.01: 0.1, 0.03: 0.19, 0.1: 0.52}
WOBBLE = [0.012, -0.021, 0.009, -0.004, 0.03, -0.017, 0.001]
START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def sweep_points() -> list[Point]:
    combinations = [(lr, width) for lr in LEVELS[LR] for width in LEVELS[WIDTH]]
    return [
        Point(run, run_id(run, values, seed), trial_id(values), seed, seed, values)
        for run, (values, seed) in enumerate(
            ({LR: lr, WIDTH: width}, seed) for lr, width in combinations for seed in range(3)
        )
    ]


def objective_of(point: Point) -> float:
    bonus = 0.02 if point.values[WIDTH] == 16 else 0.0
    return round(MEANS[point.values[LR]] + bonus + WOBBLE[(point.run * 3 + point.seed) % 7], 6)


def diverged(point: Point) -> bool:
    return point.values == {LR: 0.1, WIDTH: 16} and point.seed == 2


def typed_table(
    name: str, rows: list[dict[str, Any]], extra: list[tuple[str, pa.DataType]]
) -> pa.Table:
    schema = pa.schema([*TABLES[name], *extra])
    return pa.Table.from_pylist(
        [{key: row.get(key) for key in schema.names} for row in rows], schema
    )


def runs_table(points: list[Point]) -> pa.Table:
    rows = [
        {
            "run": point.run,
            "run_id": point.run_id,
            "trial_id": point.trial_id,
            "replicate": point.replicate,
            "seed": point.seed,
            "attempt": 0,
            "status": "diverged" if diverged(point) else "finished",
            "reason": "val/loss is NaN at step 112" if diverged(point) else None,
            "objective": None if diverged(point) else objective_of(point),
            "objective_epoch": None if diverged(point) else 9 - point.run % 3,
            "objective_step": 230,
            "start": START + timedelta(seconds=point.run),
            "end": START + timedelta(seconds=point.run + 3),
            "duration_s": 2.5 + point.run % 4 / 10,
            "epochs": 10,
            "steps": 230,
            "user": "ada",
            "host": "lab-3",
            "pid": 4000 + point.run,
            "world_size": 1,
            "commit": "3f2a9c1be77d",
            "dirty": True,
            "architecture_hash": "a1b2c3d4",
            "parameters": 2410,
            "dataset_digest": "d1" * 32,
            "log_state": "complete",
            "metric_rows": 250,
            "gaps": 0,
            "cmd": "python -m provrunner +sweep=lr_grid",
            **point.values,
        }
        for point in points
    ]
    return typed_table("runs", rows, [(LR, pa.float64()), (WIDTH, pa.int64())])


def epochs_table(points: list[Point]) -> pa.Table:
    rows = [
        {
            "run": point.run,
            "run_id": point.run_id,
            "rank": 0,
            "epoch": epoch,
            "duration_s": 0.2,
            "elapsed_s": 0.2 * epoch,
            "val/loss": objective_of(point) + 1.9 * math.exp(-(0.4 + 8 * point.values[LR]) * epoch),
            "val/acc": 0.9,
        }
        for point in points
        for epoch in range(10 if not diverged(point) else 4)
    ]
    metrics = [("val/loss", pa.float64()), ("val/acc", pa.float64())]
    return typed_table("epochs", rows, metrics)


def sweep_plan() -> Plan:
    return Plan(
        sweep_id="2026-03-01_09-30-00-3fa9c1",
        name="lr_grid",
        created="2026-03-01T09:30:00Z",
        objective=Objective("val/loss"),
        design="grid",
        hyperparameters=(
            Hyperparameter(
                LR, tuple(LEVELS[LR]), "log", 0.001, "choice(0.001, 0.003, 0.01, 0.03, 0.1)"
            ),
            Hyperparameter(WIDTH, tuple(LEVELS[WIDTH]), "linear", 64, "choice(16, 64)"),
        ),
        points=tuple(sweep_points()),
        replicates=3,
        command=("python", "-m", "provrunner", "+sweep=lr_grid"),
        config_sha256="c0ffee" * 10,
    )


def component(
    name: str,
    kind: str,
    parameters: list[str],
    share: tuple[float, float | None, float | None],
    **more: Any,
) -> dict[str, Any]:
    empty = dict.fromkeys(
        (
            "total",
            "shapley",
            "df",
            "f",
            "p",
            "p_holm",
            "effect",
            "effect_low",
            "effect_high",
            "effect_sigma",
        )
    )
    return {
        "component": name,
        "kind": kind,
        "parameters": parameters,
        "order": len(parameters),
        "share": share[0],
        "low": share[1],
        "high": share[2],
        "significant": False,
        "n_runs": 29,
        "runs": list(range(29)),
        **empty,
        **more,
    }


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def marginal_rows(points: list[Point]) -> list[dict[str, Any]]:
    best = {LR: 0.01, WIDTH: 64}
    rows = []
    for name, levels in LEVELS.items():
        for position, level in enumerate(levels):
            seen = [objective_of(p) for p in points if p.values[name] == level and not diverged(p)]
            rows.append(
                {
                    "parameter": name,
                    "level": level,
                    "position": position,
                    "n": len(seen),
                    "mean": mean(seen),
                    "low": mean(seen) - 0.03,
                    "high": mean(seen) + 0.03,
                    "is_default": level == {LR: 0.001, WIDTH: 64}[name],
                    "is_best": level == best[name],
                    "as_good": level in (0.003, 0.01, 16, 64),
                }
            )
    return rows


def trial_rows(points: list[Point]) -> list[dict[str, Any]]:
    groups: dict[str, list[Point]] = {}
    for point in points:
        groups.setdefault(point.trial_id, []).append(point)
    rows = [
        {
            "trial_id": name,
            "values": dict(group[0].values),
            "n": len(kept),
            "sd": 0.02,
            "mean": mean([objective_of(p) for p in kept]),
            "runs": [p.run for p in kept],
        }
        for name, group in groups.items()
        if (kept := [p for p in group if not diverged(p)])
    ]
    return sorted(rows, key=lambda row: row["mean"])


def interaction_rows(points: list[Point]) -> list[dict[str, Any]]:
    return [
        {
            "a": LR,
            "b": WIDTH,
            "level_a": lr,
            "level_b": width,
            "n": 3,
            "mean": MEANS[lr],
            "component": round(0.004 * (position - 2) * sign, 4),
        }
        for position, lr in enumerate(LEVELS[LR])
        for width, sign in ((16, 1), (64, -1))
    ]


def sweep_summary() -> dict[str, Any]:
    points = sweep_points()
    lost = next(point for point in points if diverged(point))
    best, second = points[15], points[9]
    return {
        "format": 1,
        "sweep": {
            "name": "lr_grid",
            "metric": "val/loss",
            "direction": "minimize",
            "design": "grid",
            "design_text": "full grid of 10 trials, 3 seeds each, the same in all trials",
            "planned": 30,
            "runs": 30,
            "trials": 10,
            "seeds": 3,
            "finished": 29,
            "not_finished": 1,
        },
        "statuses": {"diverged": 1, "finished": 29},
        "components": [
            component(
                LR,
                "main",
                [LR],
                (0.83, 0.71, 0.9),
                total=0.86,
                shapley=0.845,
                df=4,
                f=88.1,
                p=1e-7,
                p_holm=3e-7,
                significant=True,
                effect=0.42,
                effect_low=0.37,
                effect_high=0.47,
                effect_sigma=13.1,
            ),
            component(
                WIDTH,
                "main",
                [WIDTH],
                (0.04, 0.0, 0.12),
                total=0.07,
                shapley=0.055,
                df=1,
                f=3.4,
                p=0.04,
                p_holm=0.08,
                effect=0.05,
                effect_low=-0.01,
                effect_high=0.06,
                effect_sigma=1.6,
            ),
            component(
                f"{LR} × {WIDTH}",
                "interaction",
                [LR, WIDTH],
                (0.03, 0.0, 0.11),
                df=4,
                f=1.3,
                p=0.31,
                p_holm=0.31,
            ),
            component("seed", "seed", [], (0.0, 0.0, 0.05), df=2, p=0.6),
            component("noise", "noise", [], (0.1, 0.06, 0.2), df=17),
        ],
        "noise": {
            "estimable": True,
            "share": 0.1,
            "low": 0.06,
            "high": 0.2,
            "sigma": 0.0312,
            "df": 17,
            "source": "within trials",
        },
        "parameters": [
            {
                "name": LR,
                "scale": "log",
                "levels": LEVELS[LR],
                "default": 0.001,
                "best": 0.01,
                "as_good": [0.003, 0.01],
                "gain": 0.11,
                "gain_low": 0.09,
                "gain_high": 0.13,
                "worth_tuning": "yes",
                "not_excluded": None,
                "verdict": "optimizer.lr matters: 0.003 is as good as the best value, 0.01; the default 0.001 costs 0.11 ± 0.02.",
            },
            {
                "name": WIDTH,
                "scale": "linear",
                "levels": LEVELS[WIDTH],
                "default": 64,
                "best": 64,
                "as_good": [16, 64],
                "gain": 0.0,
                "gain_low": None,
                "gain_high": None,
                "worth_tuning": "unknown",
                "not_excluded": 0.06,
                "verdict": "model.width: no effect seen; one of up to 0.06 is not excluded.",
            },
        ],
        "marginals": marginal_rows(points),
        "interactions": interaction_rows(points),
        "best": {
            "run": best.run,
            "run_id": best.run_id,
            "trial_id": best.trial_id,
            "values": dict(best.values),
            "objective": objective_of(best),
            "epoch": 9,
            "runner_up": {
                "run": second.run,
                "run_id": second.run_id,
                "trial_id": second.trial_id,
                "values": dict(second.values),
                "objective": objective_of(second),
            },
            "difference": 0.004,
            "low": -0.03,
            "high": 0.04,
            "p": 0.7,
            "better": False,
            "statement": "not better than the runner-up beyond seed noise",
        },
        "trials": trial_rows(points),
        "failures": [
            {
                "run": lost.run,
                "run_id": lost.run_id,
                "status": "diverged",
                "reason": "val/loss is NaN at step 112",
                "values": dict(lost.values),
                "seed": 2,
            }
        ],
        "dropped": [{"name": "model.depth", "reason": "the same in all runs"}],
        "flags": [{"flag": "unbalanced", "detail": "one trial has 2 runs, the others 3"}],
        "advice": {
            "more_runs": 14,
            "seconds": 20.0,
            "text": "14 more runs (about 20 s) would tell.",
        },
        "verdicts": [
            "optimizer.lr matters: 0.003 is as good as the best value, 0.01; the default 0.001 costs 0.11 ± 0.02.",
            "model.width: no effect seen; one of up to 0.06 is not excluded. 14 more runs (about 20 s) would tell.",
        ],
    }


def fact_tables() -> dict[str, pa.Table]:
    facts = {
        ("python", "python"): "3.12.4",
        ("os", "os"): "Linux 6.1",
        ("hardware", "cpu"): "AMD EPYC 7B13",
        ("hardware", "memory_bytes"): "25276063744",
        ("package", "torch"): "2.9.1",
        ("package", "lightning"): "2.6.6",
        ("package", "numpy"): "2.4.6",
    }
    environment = [
        {"run": 0, "run_id": "0000-aa", "kind": kind, "name": name, "value": value}
        for (kind, name), value in facts.items()
    ]
    datasets = [
        {
            "run": 0,
            "run_id": "0000-aa",
            "dataset": "digits",
            "split": split,
            "type": "DigitsData",
            "size": size,
            "ratio": ratio,
            "digest": "ab" * 32,
            "seed": 0,
            "overlap": json.dumps({"test": 0}),
        }
        for split, size, ratio in (("train", 1257, 0.7), ("val", 270, 0.15), ("test", 270, 0.15))
    ]
    artifacts = [
        {
            "run": 15,
            "run_id": "0015-aa",
            "rank": 0,
            "seq": 3,
            "kind": "checkpoint",
            "role": "best",
            "path": "runs/0015-aa/checkpoints/best.ckpt",
            "sha256": "9f" * 32,
            "size_bytes": 41000,
            "epoch": 9,
            "metric": "val/loss",
            "value": 0.089,
        }
    ]
    return {
        "environment": typed_table("environment", environment, []),
        "datasets": typed_table("datasets", datasets, []),
        "artifacts": typed_table("artifacts", artifacts, []),
    }


@pytest.fixture(scope="session")
def whole_summary() -> dict[str, Any]:
    return sweep_summary()


@pytest.fixture
def summary(whole_summary: dict[str, Any]) -> dict[str, Any]:
    """Give a copy that a test may change."""
    return copy.deepcopy(whole_summary)


@pytest.fixture(scope="session")
def plan() -> Plan:
    return sweep_plan()


@pytest.fixture(scope="session")
def tables() -> dict[str, pa.Table]:
    points = sweep_points()
    return {"runs": runs_table(points), "epochs": epochs_table(points), **fact_tables()}


@pytest.fixture(scope="session")
def picture() -> bytes:
    import pygraphviz

    graph = pygraphviz.AGraph(directed=True, rankdir="BT")
    graph.add_edge("run 15", "digits", label="used")
    graph.add_edge("best.ckpt", "run 15", label="was generated by")
    drawn = graph.draw(format="svg", prog="dot")
    assert isinstance(drawn, bytes)
    return drawn


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with the stores that the tools themselves wrote, by tool."""
    folder = tmp_path_factory.mktemp("stores")
    for packed in sorted((Path(__file__).parents[1] / "data" / "stores").glob("*.tar.gz")):
        with tarfile.open(packed) as archive:
            archive.extractall(folder, filter="data")
    return folder

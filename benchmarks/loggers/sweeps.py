"""A sweep of many runs into pandas, and what the verbs that read one cost."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from benchmarks.loggers.peers import melt
from benchmarks.loggers.rounds import progress

__all__ = ["VERBS", "many_runs", "verbs_cpu"]

_NAMES = tuple(f"metric_{number}" for number in range(10))
_ROUNDS = 9
_BEGAN = "2026-01-02T03:04:05Z"
VERBS = (
    ("summary",),
    ("query", "select count(*) from metrics"),
    ("lineage", "best"),
    ("verify",),
)


def many_runs(folder: Path, *, runs: int, values: int) -> dict[str, float]:
    """Load the metrics of many runs, as CSV files and as one sweep.

    Returns:
        CPU seconds to load all into pandas, `csv_s` and `ours_s`, and microseconds a value,
        `csv_us` and `ours_us`; CPU seconds for the last value of each metric of each run,
        `csv_last_s` and `ours_last_s`.
    """
    progress(f"write {runs} runs of {values} values")
    steps = values // len(_NAMES)
    numbers = np.random.default_rng(0)
    for run in range(runs):
        rows = numbers.normal(1, 0.3, (steps, len(_NAMES))).astype(np.float32).astype(np.float64)
        _write_csv(folder / "csv" / f"{run}.csv", rows)
        _write_log(folder / "sweep", run, rows)
    _write_plan(folder / "sweep", runs)
    progress("load them")
    from provrunner import open_sweep
    from provrunner.report.files import write_parquet

    path = folder / "sweep" / "metrics.parquet"
    # as `report` writes it
    write_parquet(open_sweep(folder / "sweep").table("metrics"), path)
    spent = _cpu_by_turns(
        {
            "csv_s": lambda: _load_csv(folder / "csv"),
            "ours_s": lambda: _load_parquet(path),
            "csv_last_s": lambda: _last_of_csv(folder / "csv"),
            "ours_last_s": lambda: _last_of_parquet(path),
        }
    )
    total = runs * steps * len(_NAMES)
    return {
        **spent,
        "csv_us": spent["csv_s"] * 1e6 / total,
        "ours_us": spent["ours_s"] * 1e6 / total,
    }


def verbs_cpu(folder: Path, repeats: int) -> dict[str, float]:
    """Return the CPU seconds of `import lightning` and of each reading verb on a small sweep."""
    progress("run a small sweep")
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    sweep = [sys.executable, "-m", "provrunner", "-m", "optimizer.lr=0.01,0.1", "seed=0,1"]
    subprocess.run(
        [*sweep, "trainer.max_epochs=2", f"output={folder}"],
        check=True, cwd=folder, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    commands = {"import lightning": ["-c", "import lightning"]}
    for verb, *words in VERBS:
        commands[verb] = ["-m", "provrunner", verb, *words, str(folder)]
    found = {}
    for name, words in commands.items():
        progress(f"time {name}")
        command = [sys.executable, *words]
        found[name] = statistics.median(_child_cpu(command, environ) for _ in range(repeats))
    return found


def _child_cpu(command: list[str], environ: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, env=environ, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _cpu_by_turns(actions: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Return the median CPU seconds of each; a machine that is slow for a while is so to all."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(_ROUNDS):
        for name, action in actions.items():
            began = time.process_time()
            action()
            times[name].append(time.process_time() - began)
    return {name: statistics.median(values) for name, values in times.items()}


def _write_csv(path: Path, rows: np.ndarray) -> None:
    """Write what `CSVLogger` would have."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # the texts that a CSV of Python's floats has
    lines = [f"0,{','.join(map(repr, row))},{step}" for step, row in enumerate(rows.tolist())]
    path.write_text("\n".join([f"epoch,{','.join(_NAMES)},step", *lines]) + "\n")


def _run_id(run: int) -> str:
    return f"{run:04d}-{run:08x}"


def _write_log(folder: Path, run: int, rows: np.ndarray) -> None:
    from provrunner.log import ArrowSink
    from provrunner.schema import RunStatus, StepMetrics

    sink = ArrowSink(folder / "runs" / _run_id(run), sweep_id="bench", run_id=_run_id(run))
    sink.open(0)
    for step, row in enumerate(rows.tolist()):
        sink.write([StepMetrics(dict(zip(_NAMES, row, strict=True)), step, 0, "train")])
    sink.close(RunStatus.FINISHED)


def _write_plan(folder: Path, runs: int) -> None:
    from provrunner.log import write_plan
    from provrunner.plan import Objective, Plan, Point

    points = tuple(Point(run, _run_id(run), f"{run:08x}", 0, None, {}) for run in range(runs))
    write_plan(
        folder,
        Plan("bench", "bench", _BEGAN, Objective(_NAMES[0]), "single", (), points, command=()),
    )


def _load_csv(folder: Path) -> object:
    import pandas as pd

    parts = [melt(pd.read_csv(path)).assign(run=path.stem) for path in sorted(folder.iterdir())]
    return pd.concat(parts)


def _last_of_csv(folder: Path) -> object:
    import pandas as pd

    return pd.DataFrame([pd.read_csv(path).iloc[-1] for path in sorted(folder.iterdir())])


def _load_parquet(path: Path) -> object:
    import pandas as pd

    return pd.read_parquet(path)


def _last_of_parquet(path: Path) -> object:
    import duckdb

    query = (
        "select run, name, arg_max(value, step) as value from read_parquet(?) group by run, name"
    )
    return duckdb.execute(query, [str(path)]).df()

"""The same sweep of the bundled digits on every engine: is it the same, and what does each cost.

    python -m benchmarks.engines --markdown docs/engines.md

An engine whose package is not installed is named and left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import provrunner
from provrunner.graph import check_graph

ENGINES: Mapping[str, tuple[str | None, tuple[str, ...]]] = {
    "local": (None, ()),
    "joblib": ("joblib", ("hydra/launcher=joblib",)),
    "ray": ("ray", ("hydra/launcher=ray",)),
    "submitit": ("submitit", ("hydra/launcher=submitit_local",)),
}
"""Package and words of each engine."""

_SWEEP = ("-m", "optimizer=sgd", "optimizer.lr=0.01,0.1", "trainer.max_epochs=5")
_MARKS = ("<!-- engines: begin -->", "<!-- engines: end -->")
_POINTS = "select run_id, trial_id, seed, objective, objective_epoch from runs order by run"
_METRICS = "select run, name, stage, step, epoch, value from metrics order by all"
_TIMES = """select epoch_us(min("start")), epoch_us(max("end")), sum(duration_s) from runs"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One sweep on one engine.

    Attributes:
        jobs: runs at once.
        start_s: from the start of the command to the first run's.
        wall_s: of the whole command, report included.
        run_s: mean duration of a run, from the first to the last event of its log.
        overhead_s: what each run took beside that, of the time of its place among the jobs.
        span_s: from the start of the first run to the end of the last.
        rows: points and metrics, to be compared.
    """

    jobs: int
    start_s: float
    wall_s: float
    run_s: float
    overhead_s: float
    span_s: float
    rows: tuple[list[tuple[object, ...]], ...]


def measure(words: Sequence[str], jobs: int, runs: int, folder: Path) -> Measured:
    """Run the sweep with an engine and check that its logs are whole and its graph is valid.

    Raises:
        RuntimeError: they are not, or a run did not finish.
    """
    seeds = f"sweep.replicates={runs // 2}"
    command = [sys.executable, "-m", "provrunner", *_SWEEP, seeds, *words]
    began, start = time.perf_counter(), time.time()
    ended = subprocess.run(
        [*command, f"hydra.launcher.n_jobs={jobs}", f"folder={folder}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    wall = time.perf_counter() - began
    if ended.returncode:
        raise RuntimeError(ended.stderr)
    verify = [sys.executable, "-m", "provrunner", "verify", str(folder)]
    verified = subprocess.run(verify, capture_output=True, check=False)
    sweep = provrunner.open_sweep(folder)
    broken = check_graph(sweep.graph())
    if verified.returncode or broken:
        raise RuntimeError(f"{folder}: verify gave {verified.returncode}; graph: {broken[:3]}")
    first, last, trained = sweep.sql(_TIMES).fetchall()[0]
    span = (last - first) / 1e6
    return Measured(
        jobs=jobs,
        start_s=first / 1e6 - start,
        wall_s=wall,
        run_s=trained / runs,
        overhead_s=(span * jobs - trained) / runs,
        span_s=span,
        rows=tuple(sweep.sql(question).fetchall() for question in (_POINTS, _METRICS)),
    )


def table(measured: Mapping[str, Sequence[Measured]]) -> str:
    """Write what was measured as a Markdown table."""
    lines = [
        "| engine | runs at once | to the first run, s | a run, s | overhead a run, s "
        "| all runs, s | speed-up | whole command, s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, rows in measured.items():
        for row in rows:
            lines.append(
                f"| {name} | {row.jobs} | {row.start_s:.1f} | {row.run_s:.2f} "
                f"| {row.overhead_s:.2f} | {row.span_s:.1f} "
                f"| {rows[0].span_s / row.span_s:.2f} | {row.wall_s:.1f} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Measure, compare, print, and put the table into a page where one is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--runs", type=int, default=8, help="of the sweep, an even number")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2], help="runs at once")
    parser.add_argument("--markdown", type=Path, help="a page with the table between its marks")
    given = parser.parse_args()
    measured: dict[str, list[Measured]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in given.engines:
            package, words = ENGINES[name]
            if package is not None and importlib.util.find_spec(package) is None:
                print(f"{name}: {package} is not installed", file=sys.stderr)
                continue
            for jobs in given.jobs:
                folder = Path(scratch) / f"{package}-{jobs}"
                found = measure(words, jobs, given.runs, folder)
                measured.setdefault(name, []).append(found)
                if found.rows != next(iter(measured.values()))[0].rows:
                    raise SystemExit(f"{name}, {jobs} at once: other points, seeds or metrics")
                print(table({name: [found]}).splitlines()[-1], file=sys.stderr)
    text = table(measured)
    print(text)
    if given.markdown:
        page = given.markdown.read_text(encoding="utf-8")
        before, _, rest = page.partition(_MARKS[0])
        after = rest.partition(_MARKS[1])[2]
        new = f"{before}{_MARKS[0]}\n{text}\n{_MARKS[1]}{after}"
        given.markdown.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()

"""Compares loggers: `python -m benchmarks.loggers --markdown docs/benchmarks.md`."""

from __future__ import annotations

import argparse
import compileall
import importlib.metadata
import json
import os
import platform
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import provrunner
from benchmarks.loggers.budgets import budgets
from benchmarks.loggers.peers import LOGGERS, missing
from benchmarks.loggers.rounds import measure, progress
from benchmarks.loggers.sweeps import many_runs, verbs_cpu
from benchmarks.loggers.table import markdown, replace_section

_FULL_RUNS = 1000


def main(words: Sequence[str] | None = None) -> int:
    """Measure, and print the tables."""
    args = _parser().parse_args(words)
    began = time.monotonic()
    # as pip does for every other package
    compileall.compile_dir(Path(provrunner.__file__).parent, quiet=2)
    absent = {name: package for name in args.loggers if (package := missing(name))}
    names = [name for name in args.loggers if name not in absent]
    for name, package in absent.items():
        progress(f"{name} is left out: {package} is not installed")
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        place = Path(folder)
        found = measure(
            names, place / "loggers", steps=args.steps, rounds=args.rounds, kill_at=args.kill_at
        )
        many, verbs = {}, {}
        runs = _FULL_RUNS if args.full else args.runs
        if runs:
            size = {"runs": float(runs), "values": float(args.values)}
            many = {**size, **many_runs(place / "many", runs=runs, values=args.values)}
        if args.verbs:
            (place / "verbs").mkdir()
            verbs = verbs_cpu(place / "verbs", args.verbs)
    notes = [*_notes(names, absent), f"took {time.monotonic() - began:.0f} s"]
    text = markdown(found, many, verbs, notes)
    print(text)
    if args.markdown:
        replace_section(args.markdown, text)
    if args.json:
        document = {
            "notes": notes,
            "loggers": {name: {"kept": one.kept, **one.values} for name, one in found.items()},
            "many_runs": many,
            "verbs": verbs,
            "budgets": [
                {**asdict(budget), "verdict": budget.verdict}
                for budget in budgets(found, many, verbs)
            ],
        }
        args.json.write_text(json.dumps(document, indent=1))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    others = [name for name in LOGGERS if name != "none"]
    parser.add_argument("--loggers", nargs="+", choices=others, default=others)
    for name, default, text in (
        ("steps", 300, "of each fit"),
        ("rounds", 5, "pairs of fits, one with and one without the logger"),
        ("kill-at", 337, "step at which a training is killed"),
        ("runs", 50, "of the large sweep; 0 leaves it out"),
        ("values", 20_000, "of each run of the large sweep"),
        ("verbs", 3, "times that each verb is timed; 0 leaves them out"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, help=text)
    parser.add_argument("--full", action="store_true", help=f"{_FULL_RUNS} runs")
    parser.add_argument("--folder", type=Path, help="parent of the folder that is written to")
    parser.add_argument("--markdown", type=Path, help="a document to put the tables into")
    parser.add_argument("--json", type=Path, help="a file for all figures")
    return parser


def _notes(names: Sequence[str], absent: dict[str, str]) -> Iterator[str]:
    load = f"; load average at the end {os.getloadavg()[0]:.1f}"
    yield f"{time.strftime('%Y-%m-%d', time.gmtime())}, {os.cpu_count()} cores, {_cpu()}{load}"
    packages = ["torch", "lightning", "pyarrow", "pandas", "duckdb"]
    packages += [LOGGERS[name].package for name in names]
    versions = [f"{one} {importlib.metadata.version(one)}" for one in dict.fromkeys(packages)]
    yield f"Python {platform.python_version()}, {', '.join(versions)}"
    yield f"`python -m benchmarks.loggers {shlex.join(sys.argv[1:])}`".replace(" `", "`")
    if absent:
        yield f"not installed: {', '.join(absent)}"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())


if __name__ == "__main__":
    sys.exit(main())

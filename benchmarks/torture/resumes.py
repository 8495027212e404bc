"""A sweep killed again and again, and gone on with each time, against one left in peace.

    python -m benchmarks.torture.resumes FOLDER [--runs 60] [--kills 5] [--seed 0]

Exits 1 where a run did not finish exactly once, or the summaries differ.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from provrunner.log import read_plan
from provrunner.report import open_sweep

__all__ = ["compare", "run_and_kill"]

_RATES = 5
_TIMES = ("cost", "advice", "next_points", "sweep")
"""Parts of a summary that tell of durations, or of when and where a sweep ran."""


def run_and_kill(folder: Path, words: list[str], *, runs: int, kills: int, seed: int) -> list[int]:
    """Run a sweep, and kill all of its processes so many times; return the runs that had ended."""
    numbers = random.Random(seed)
    ended: list[int] = []
    command = [*words, f"folder={folder}"]
    for kill in range(kills):
        process = _start(command)
        share = runs * (kill + 1) // (kills + 1)
        while (_sealed(folder) < share or not _training(folder)) and process.poll() is None:
            time.sleep(0.01)
        time.sleep(numbers.uniform(0, 0.5))
        with suppress(ProcessLookupError):  # it may have come to its end before
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        _await_silence(process.pid)
        ended.append(_sealed(folder))
        command = ["resume", str(folder)]
    if _start(command).wait() != 0:
        raise SystemExit(f"{folder}: the last resume did not end as planned")
    return ended


def compare(killed: Path, whole: Path) -> dict[str, Any]:
    """Say whether every run finished once, with the values of the sweep that was left in peace."""
    sweeps = [open_sweep(folder, stored=False) for folder in (killed, whole)]
    ends = sweeps[0].sql("select run, data from events where kind = 'run_end'").fetchall()
    finished = Counter(run for run, data in ends if json.loads(data)["status"] == "finished")
    ours, theirs = (
        {row["run_id"]: (row["status"], row["objective"]) for row in sweep.runs.to_pylist()}
        for sweep in sweeps
    )
    documents = [sweep.sensitivity().to_dict() for sweep in sweeps]
    differing = [key for key in documents[0] if documents[0][key] != documents[1].get(key)]
    return {
        "runs": len(ours),
        "finished exactly once": sum(count == 1 for count in finished.values()),
        "attempts": sum(row["attempt"] + 1 for row in sweeps[0].runs.to_pylist()),
        "same objective, bit by bit": sum(ours[run] == theirs.get(run) for run in ours),
        "parts of the summary that differ": [key for key in differing if key not in _TIMES],
    }


def _start(words: list[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "provrunner", *words]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True)


def _sealed(folder: Path) -> int:
    return sum(1 for _ in folder.glob("runs/*/log/seal.json"))


def _training(folder: Path) -> int:
    return sum(1 for _ in folder.glob("runs/*/log/metrics.*.journal"))


def _await_silence(group: int) -> None:
    """Wait until no process of a killed group is left; where nobody reaps them, ten seconds."""
    deadline = time.monotonic() + 10.0
    with suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(0.05)


def _words(runs: int) -> list[str]:
    rates = ",".join(str(round(0.001 * 2**level, 3)) for level in range(_RATES))
    seeds = ",".join(str(seed) for seed in range(-(-runs // _RATES)))
    return ["-m", f"optimizer.lr={rates}", f"seed={seeds}", "trainer.max_epochs=5"]


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    words = _words(args.runs)
    began = time.perf_counter()
    if _start([*words, f"folder={args.folder / 'whole'}"]).wait() != 0:
        raise SystemExit("the sweep that was left in peace did not end as planned")
    in_peace = time.perf_counter() - began
    planned = len(read_plan(args.folder / "whole").points)
    ended = run_and_kill(
        args.folder / "killed", words, runs=planned, kills=args.kills, seed=args.seed
    )
    found = {
        "seconds in peace": round(in_peace, 1),
        "seconds with kills": round(time.perf_counter() - began - in_peace, 1),
        "runs ended at each kill": ended,
        **compare(args.folder / "killed", args.folder / "whole"),
    }
    print(json.dumps(found, indent=1))
    whole = found["finished exactly once"] == found["same objective, bit by bit"] == planned
    return 0 if whole and not found["parts of the summary that differ"] else 1


if __name__ == "__main__":
    sys.exit(_main())

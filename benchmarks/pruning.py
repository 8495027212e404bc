"""What successive halving saves on the bundled digits: `python -m benchmarks.pruning`.

The same thirty random trials are run twice, with the rule of `conf/sweep/asha.yaml` and without it.
A run that the rule lets go on is the same run, bit for bit, so that the best accuracy is the same
unless the rule stopped the best run.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import provrunner

_SAMPLES = 359
"""Of the digits' validation split."""


def measure(folder: Path, words: list[str]) -> tuple[int, float, dict[str, int]]:
    """Run the sweep; return its epochs, its best accuracy, and its runs by status."""
    command = [sys.executable, "-m", "provrunner", "+sweep=asha", f"folder={folder}", *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    sweep = provrunner.open_sweep(folder)
    (row,) = sweep.sql("select sum(epochs), max(objective) from runs").fetchall()
    counts = sweep.sql("select status, count(*) from runs group by status").fetchall()
    return int(row[0]), float(row[1]), dict(counts)


def main() -> None:
    """Run both sweeps and print what they took and found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="further overrides, such as seed=1")
    words = parser.parse_args().words
    with tempfile.TemporaryDirectory() as root:
        whole = measure(Path(root) / "whole", [*words, "sweep.prune=null"])
        pruned = measure(Path(root) / "pruned", words)
    noise = math.sqrt(whole[1] * (1 - whole[1]) / _SAMPLES)
    for name, (epochs, best, counts) in (("without a rule", whole), ("asha", pruned)):
        print(f"{name:15} {epochs:5} epochs   best val/acc {best:.4f}   {counts}")
    print(
        f"saved {1 - pruned[0] / whole[0]:.0%} of the epochs; the best accuracy differs by "
        f"{abs(pruned[1] - whole[1]):.4f}, its sampling error is {noise:.4f}"
    )


if __name__ == "__main__":
    main()

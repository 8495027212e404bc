"""Each logger's run into pandas, by turns, in a process that has trained nothing."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path

from benchmarks.loggers.peers import LOGGERS, environment

__all__ = ["cpu_to_read"]

_ROUNDS = 25
_READS = 5
_ROOT = Path(__file__).parents[2]


def cpu_to_read(folders: Mapping[str, Path]) -> dict[str, list[float]]:
    """Measure what it takes to read the metrics of one run.

    Args:
        folders: of one run each, by logger.

    Returns:
        CPU seconds by logger, a value a round; empty where nothing can be read.
    """
    environ: dict[str, str] = {}
    for name in folders:
        environ |= environment(LOGGERS[name])
    path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    said = subprocess.run(
        [sys.executable, "-m", "benchmarks.loggers.reading"],
        input=json.dumps({name: str(folder.absolute()) for name, folder in folders.items()}),
        env={**environ, "PYTHONPATH": path},
        # some loggers look for a repository where they are started
        cwd=next(iter(folders.values())),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    # some loggers print
    found: dict[str, list[float]] = json.loads(said.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Read what standard input names; the last line printed is the answer."""
    folders = {name: Path(folder) for name, folder in json.load(sys.stdin).items()}
    found: dict[str, list[float]] = {name: [] for name in folders}
    for _ in range(_ROUNDS):
        for name, folder in list(folders.items()):
            try:
                found[name].append(_read(name, folder))
            except Exception:  # noqa: BLE001 - what has no figure is shown as such
                traceback.print_exc()
                del folders[name]
    print("\n" + json.dumps(found))


def _read(name: str, folder: Path) -> float:
    """Return the CPU seconds of one of a few reads, which the first prepares the caches for."""
    read = LOGGERS[name].read
    assert read is not None
    times = []
    for _ in range(_READS):
        began = time.process_time()
        read(folder)
        times.append(time.process_time() - began)
    return statistics.median(times)


if __name__ == "__main__":
    main()

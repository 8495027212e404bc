"""Starts provrunner as a user does: in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

SMALL = ["data.batch_size=64", "trainer.max_epochs=3", "model.width=8"]


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "provrunner", *words]


def run(words: Sequence[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words), cwd=cwd, capture_output=True, text=True, check=False, timeout=300
    )


def only_sweep(cwd: Path) -> Path:
    (folder,) = (path.parent for path in cwd.glob("outputs/*/*/plan.json"))
    return folder


def wait_for(condition: Callable[[], object], seconds: float = 90.0) -> object:
    """Poll until a condition holds; a process is waited for here, not time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise TimeoutError(f"still waiting after {seconds} s")

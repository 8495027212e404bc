"""Real sweeps, run as a user runs them."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import only_sweep, run

# Shells let their background jobs ignore the one, `nohup` the other; programs that are started from
# here would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

collect_ignore = ["third_party"]
"""Programs of other people, which train as soon as they are imported."""


@pytest.fixture(scope="session")
def small_sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished sweep: 3 learning rates x 2 widths x 2 seeds, three epochs each."""
    cwd = tmp_path_factory.mktemp("small")
    words = [
        "-m",
        "optimizer=sgd",
        "optimizer.lr=0.001,0.01,0.1",
        "model.width=8,16",
        "sweep.replicates=2",
        "sweep.name=small",
        "trainer.max_epochs=3",
    ]
    ended = run(words, cwd)
    assert ended.returncode == 0, ended.stderr
    return only_sweep(cwd)


@pytest.fixture(autouse=True)
def _nothing_goes_on() -> Iterator[None]:
    """Kill what a test that failed has started: pytest would wait for its end at its own."""
    yield
    for process in multiprocessing.active_children():
        process.kill()


@pytest.fixture(autouse=True)
def _no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    for name in [name for name in os.environ if name.startswith("PROVRUNNER_")]:
        monkeypatch.delenv(name)

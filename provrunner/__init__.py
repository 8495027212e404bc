"""Run hyperparameter sweeps, learn what matters in them, prove where every number came from.

In a script of one's own:
    with provrunner.run(config, name="mine", objective="val/loss") as run: records a training loop.
    provrunner.ProvenanceCallback("logs") records a Lightning Trainer.
    provrunner.log("my_metric", value) adds a value to whatever run is open.

Afterwards:
    provrunner.open_sweep("outputs") gives tables, SQL, sensitivity and provenance.
    provrunner.read_log("outputs/.../runs/0000-...") gives one run's log.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from provrunner.packages import load_on_use

if TYPE_CHECKING:
    from provrunner.errors import (
        ConfigError,
        GraphError,
        LogError,
        ProvrunnerError,
    )
    from provrunner.log.reader import read_log
    from provrunner.own_values import log
    from provrunner.report.analyze import analyze
    from provrunner.report.imports import import_runs
    from provrunner.report.results import Sweep, open_sweep
    from provrunner.run.loop import open_run as run
    from provrunner.run.standalone import ProvenanceCallback

    __version__: str

__all__ = [
    "ConfigError",
    "GraphError",
    "LogError",
    "ProvenanceCallback",
    "ProvrunnerError",
    "Sweep",
    "__version__",
    "analyze",
    "import_runs",
    "log",
    "open_sweep",
    "read_log",
    "run",
]

_HOMES = {
    "ConfigError": "provrunner.errors",
    "GraphError": "provrunner.errors",
    "LogError": "provrunner.errors",
    "ProvenanceCallback": "provrunner.run.standalone",
    "ProvrunnerError": "provrunner.errors",
    "Sweep": "provrunner.report.results",
    "analyze": "provrunner.report.analyze",
    "import_runs": "provrunner.report.imports",
    "open_sweep": "provrunner.report.results",
    "read_log": "provrunner.log.reader",
}

_MODULES = ("keras", "log", "run")
"""Modules that are there without being imported; two are functions as well."""

if not TYPE_CHECKING:
    _load = load_on_use(__name__, _HOMES)

    def __getattr__(name: str) -> Any:
        """Load a public name on its first use, so that reading imports no training library."""
        if name == "__version__":
            # importlib.metadata takes as long to load as all the rest
            from importlib.metadata import version

            return version("provrunner")
        if name in _MODULES:
            return import_module(f"provrunner.{name}")
        return _load(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

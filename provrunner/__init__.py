"""Run hyperparameter sweeps, learn what matters in them, prove where every number came from."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from provrunner.errors import (
        ConfigError,
        GraphError,
        LogError,
        ProvrunnerError,
    )
    from provrunner.log.reader import read_log
    from provrunner.report.results import Sweep, open_sweep
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
    "open_sweep",
    "read_log",
]

_HOMES = {
    "ConfigError": "provrunner.errors",
    "GraphError": "provrunner.errors",
    "LogError": "provrunner.errors",
    "ProvenanceCallback": "provrunner.run.standalone",
    "ProvrunnerError": "provrunner.errors",
    "Sweep": "provrunner.report.results",
    "open_sweep": "provrunner.report.results",
    "read_log": "provrunner.log.reader",
}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Load a public name on its first use, so that reading imports no training library."""
        if name == "__version__":
            # importlib.metadata takes as long to load as all the rest
            from importlib.metadata import version

            return version("provrunner")
        if name not in _HOMES:
            raise AttributeError(f"module 'provrunner' has no attribute {name!r}")
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

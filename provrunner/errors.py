"""The errors and warnings a user of provrunner can meet."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ConfigError",
    "GraphError",
    "LogError",
    "ProvrunnerError",
    "ProvrunnerWarning",
    "nearest",
]


class ProvrunnerError(Exception):
    """A mistake that the user can mend; its message says what, where and how."""


class ProvrunnerWarning(UserWarning):
    """What a user should know of an answer that was given nevertheless."""


class ConfigError(ProvrunnerError):
    """A configuration, command line or input file that cannot be run."""


class LogError(ProvrunnerError):
    """A sweep folder or log that cannot be read or written."""


class GraphError(ProvrunnerError):
    """A term or graph that provenance knows nothing of."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a sentence that names what `name` may have meant, or an empty string.

    Example:
        >>> nearest("optimiser.lr", ["optimizer.lr", "model.width"])
        "; did you mean 'optimizer.lr'?"
        >>> nearest("x", ["optimizer.lr"])
        ''
    """
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{matches[0]}'?" if matches else ""

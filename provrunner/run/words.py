"""The words of a command line, as they may be written down."""

from __future__ import annotations

from provrunner.redaction import redact_value

__all__ = ["redact_override"]


def redact_override(word: str) -> str:
    """Hide the value of an override whose key looks secret.

    Example:
        >>> redact_override("optimizer.lr=0.1")
        'optimizer.lr=0.1'
    """
    key, equals, value = word.partition("=")
    return f"{key}{equals}{redact_value(key, value)}" if equals else word

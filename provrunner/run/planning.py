"""The plan of a sweep that has no folder yet, with the command line that asked for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from omegaconf import DictConfig, OmegaConf

from provrunner.compose import build_plan
from provrunner.compose.load import chosen_config_folder
from provrunner.plan import Plan
from provrunner.run.hidden import hide_words, left_out, shown_reason
from provrunner.run.words import redact_override

__all__ = ["COMMAND", "draft_plan", "given_words", "shown_words", "utc_text"]

COMMAND = ("python", "-m", "provrunner")
"""How the command line of a sweep begins."""

_MODE = "hydra.mode="
"""Every sweep sets it; the user need not."""


def draft_plan(config: DictConfig, arguments: Sequence[str], now: datetime) -> Plan:
    """Plan a sweep that has no folder yet, and so no id.

    Args:
        config: the configuration composed without the axes, with Hydra's node.
        arguments: the overrides of the command line.
        now: the present, in UTC.

    Raises:
        ConfigError: the sweep cannot be planned as declared.
    """
    command = (*COMMAND, *_flags(), *shown_words(config, [*_engine(config), *arguments]))
    created = utc_text(now)
    plan = build_plan(config, arguments, sweep_id="", created=created, command=command)
    return replace(plan, reason=shown_reason(config))


def given_words(config: DictConfig, kind: str) -> list[str]:
    """Return the overrides that a configuration was composed with, as they were given.

    An interpolation in one belongs to each run, which has values of its own for it.

    Args:
        config: with Hydra's node.
        kind: `task`, or `hydra` for those of Hydra's own settings.
    """
    words = OmegaConf.to_container(config.hydra.overrides[kind], resolve=False)
    return [str(word) for word in words] if isinstance(words, list) else []


def shown_words(config: DictConfig, words: Sequence[str]) -> tuple[str, ...]:
    """Return overrides as they may be written down."""
    return tuple(hide_words(map(redact_override, words), left_out(config)))


def utc_text(now: datetime) -> str:
    """Write a time in UTC as ISO 8601, to the second.

    Example:
        >>> from datetime import UTC
        >>> utc_text(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
        '2026-01-02T03:04:05Z'
    """
    return now.isoformat(timespec="seconds").replace("+00:00", "Z")


def _flags() -> tuple[str, ...]:
    folder = chosen_config_folder()
    return () if folder is None else ("--config-dir", str(folder))


def _engine(config: DictConfig) -> list[str]:
    """Return the overrides of Hydra's own settings, such as the launcher."""
    return [word for word in given_words(config, "hydra") if not word.startswith(_MODE)]

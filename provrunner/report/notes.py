"""Say something of a sweep or a run that its log cannot know."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime

from provrunner.log.notes import append_note
from provrunner.report.results import Sweep
from provrunner.report.runref import find_run

__all__ = ["add_note"]

_WHOLE = "sweep"


def add_note(
    sweep: Sweep,
    about: int | str,
    text: str,
    *,
    user: str | None = None,
    now: datetime | None = None,
) -> str:
    """Add a note to a sweep or a run; it is kept in `notes.jsonl`, which only grows.

    Args:
        sweep: an open sweep.
        about: `sweep`, or a run's number or id, or `best`.
        text: what to say.
        user: who says so; None is whoever is logged in, an empty text nobody.
        now: when; None is now.

    Returns:
        The id of what it is about.

    Raises:
        ConfigError: the text is empty or too long.
        LogError: there is no such run, or the folder cannot be written.
    """
    found = None if about == _WHOLE else find_run(about, sweep)
    noted, run_id = (found.sweep, found.point.run_id) if found else (sweep, None)
    who = (user or None) if user is not None else _login()
    append_note(noted.folder, text, run_id=run_id, user=who, now=now or datetime.now(UTC))
    return run_id or noted.plan.sweep_id


def _login() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return None

"""The verb that asks a sweep one of the shipped questions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from provrunner.cli.app import ROWS, argument, echo, echo_rows, verb, warn
from provrunner.errors import ConfigError

__all__ = ["ask"]


@verb(
    argument("question", nargs="?", metavar="QUESTION", help="its number or name; all if left out"),
    argument(
        "words",
        nargs="*",
        metavar="NAME=VALUE | SWEEP",
        help="what the question leaves open, and the sweep's folder; the newest if left out",
    ),
    argument("--sql", action="store_true", help="print its SQL instead of the answer"),
    ROWS,
)
def ask(question: str | None, words: Sequence[str], *, sql: bool, format_: str) -> None:
    """Ask one of the questions that every sweep can answer, also while it runs."""
    from provrunner.report import ask as ask_sweep
    from provrunner.report import (
        find_question,
        list_questions,
        open_sweep,
        question_sql,
    )

    if question is None:
        echo_rows(list_questions(), format_)
        return
    folder, parameters = _sort(words)
    sweep = open_sweep(folder)
    if sql:
        echo(question_sql(sweep, question, **parameters), end="")
        return
    answer = ask_sweep(sweep, question, **parameters)
    echo_rows(answer, format_)
    if not answer.num_rows:
        warn(f"no rows: {find_question(question).empty}")


def _sort(words: Sequence[str]) -> tuple[Path | None, dict[str, str]]:
    """Tell parameters from the sweep's folder, wherever it stands."""
    folders = [word for word in words if "=" not in word or Path(word).is_dir()]
    if len(folders) > 1:
        raise ConfigError(f"expected one sweep folder, got {' and '.join(folders)}")
    given = dict(word.split("=", 1) for word in words if word not in folders)
    return (Path(folders[0]) if folders else None), given

"""The verb that asks a sweep one of the shipped questions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from provrunner.cli.app import RowsFormat, app
from provrunner.errors import ConfigError

__all__ = ["ask"]


@app.command()
def ask(
    question: Annotated[
        Optional[str],  # noqa: UP045  typer reads it
        typer.Argument(metavar="[QUESTION]", help="its number or name; left out, all are listed"),
    ] = None,
    words: Annotated[
        Optional[list[str]],  # noqa: UP045  typer reads it
        typer.Argument(
            metavar="[NAME=VALUE]... [SWEEP]",
            help="what the question leaves open, and the sweep's folder; the newest if left out",
        ),
    ] = None,
    sql: Annotated[bool, typer.Option("--sql", help="print its SQL instead of the answer")] = False,
    format_: Annotated[RowsFormat, typer.Option("--format")] = RowsFormat.TABLE,
) -> None:
    """Ask one of the questions that every sweep can answer, also while it runs."""
    from provrunner.report import ask as ask_sweep
    from provrunner.report import (
        find_question,
        list_questions,
        open_sweep,
        question_sql,
        render_rows,
    )

    if question is None:
        typer.echo(render_rows(list_questions(), format_.value), nl=False)
        return
    folder, parameters = _sort(words or [])
    sweep = open_sweep(folder)
    if sql:
        typer.echo(question_sql(sweep, question, **parameters), nl=False)
        return
    answer = ask_sweep(sweep, question, **parameters)
    typer.echo(render_rows(answer, format_.value), nl=False)
    if not answer.num_rows:
        typer.echo(f"no rows: {find_question(question).empty}", err=True)


def _sort(words: list[str]) -> tuple[Path | None, dict[str, str]]:
    """Tell parameters from the sweep's folder, wherever it stands."""
    folders = [word for word in words if "=" not in word or Path(word).is_dir()]
    if len(folders) > 1:
        raise ConfigError(f"expected one sweep folder, got {' and '.join(folders)}")
    given = dict(word.split("=", 1) for word in words if word not in folders)
    return (Path(folders[0]) if folders else None), given

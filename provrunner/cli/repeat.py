"""The verbs that bring a run back: laid out anew, run again, and spoken of afterwards."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from provrunner.cli.app import SweepArgument, app
from provrunner.cli.explain import AnswerFormat

__all__ = ["note", "rerun", "restore"]


@app.command()
def restore(
    run: Annotated[str, typer.Argument(help="a run: 3, best, its id, or SWEEP:RUN")],
    to: Annotated[Path, typer.Option(metavar="DIR", help="a new or empty folder")],
    sweep: SweepArgument = None,
    repository: Annotated[
        Path, typer.Option(metavar="DIR", help="where the git repository with its commit lies")
    ] = Path(),
    without: Annotated[
        Optional[list[str]],  # noqa: UP045  typer reads it
        typer.Option(metavar="PART", help="leave out: code, checkpoint"),
    ] = None,
) -> None:
    """Lay out a run from its record: code, configuration, packages and best checkpoint."""
    from provrunner.report import find_run, restore_run, visible

    found = find_run(run, sweep)
    restored = restore_run(found, to, repository=repository, without=without or ())
    for name, what in restored.files.items():
        typer.echo(visible(f"{restored.folder / name}  {what}"))
    typer.echo(f"{restored.folder / 'README.md'}  how to run it")
    for remark in restored.remarks:
        typer.echo(f"note: {visible(remark)}", err=True)


@app.command()
def rerun(
    run: Annotated[str, typer.Argument(help="a run: 3, best, its id, or SWEEP:RUN")],
    words: Annotated[
        Optional[list[str]],  # noqa: UP045  typer reads it
        typer.Argument(metavar="[SWEEP] [KEY=VALUE...]", help="values in place of recorded ones"),
    ] = None,
    *,
    verify: Annotated[
        bool, typer.Option("--verify", help="compare every metric; exit 1 where one differs")
    ] = False,
    code: Annotated[
        str, typer.Option(help="recorded: its commit and changes; here: what lies here")
    ] = "recorded",
    repository: Annotated[
        Path, typer.Option(metavar="DIR", help="where the git repository with its commit lies")
    ] = Path(),
    trust: Annotated[
        Optional[list[str]],  # noqa: UP045  typer reads it
        typer.Option(metavar="PACKAGE", help="may be called by a record of another machine"),
    ] = None,
    format_: Annotated[AnswerFormat, typer.Option("--format")] = AnswerFormat.TABLE,
) -> None:
    """Run a run again from its own record and its own code, as a new sweep of one."""
    from provrunner.report import (
        check_ended,
        data_changes,
        find_run,
        open_sweep,
        print_summary,
        verify_rerun,
    )
    from provrunner.run.rerun import prepare_rerun

    given = words or []
    changes = [word for word in given if "=" in word]
    folders = [Path(word) for word in given if "=" not in word]
    if len(folders) > 1:
        raise typer.BadParameter(f"expected one SWEEP, got {', '.join(map(str, folders))}")
    found = find_run(run, folders[0] if folders else None)
    if verify:
        check_ended(found)
    sys.path[:0] = [] if str(Path.cwd()) in sys.path else [str(Path.cwd())]
    repetition = prepare_rerun(
        found.sweep.folder,
        found.point.run_id,
        changes,
        code=code,
        repository=repository,
        trusted=trust or (),
    )
    outcome = repetition.start(_warn)
    repeated = open_sweep(outcome.folder)
    repeated.write()
    for warning in data_changes(found.sweep, found.point.run_id, repeated):
        _warn(warning)
    if not verify:
        print_summary(
            repeated.sensitivity().to_dict(), paths=repeated.paths(), about=repeated.about()
        )
        raise typer.Exit(outcome.exit_code)
    verdict = verify_rerun(found.sweep, found.point.run_id, repeated)
    is_json = format_ is AnswerFormat.JSON
    typer.echo(verdict.to_json() if is_json else verdict.to_text(), nl=False)
    raise typer.Exit(outcome.stopped or verdict.exit_code)


def _warn(warning: str) -> None:
    from provrunner.report import visible

    typer.echo(f"warning: {visible(warning)}", err=True)


@app.command()
def note(
    about: Annotated[str, typer.Argument(metavar="RUN|sweep", help="a run, or the word sweep")],
    text: Annotated[str, typer.Argument(help="what to say of it")],
    sweep: SweepArgument = None,
    user: Annotated[
        Optional[str],  # noqa: UP045  typer reads it
        typer.Option(help="who says so; empty for nobody; whoever is logged in if left out"),
    ] = None,
) -> None:
    """Say something of a sweep or a run; it is kept with it, and shown in report and graph."""
    from provrunner.report import add_note, open_sweep

    typer.echo(f"noted of {add_note(open_sweep(sweep), about, text, user=user)}")

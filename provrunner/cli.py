"""Words to calls: the command line of provrunner."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer

from provrunner.errors import ConfigError, LogError, ProvrunnerError, nearest

__all__ = ["main"]

_HELP = """Run hyperparameter sweeps, learn which hyperparameters matter, and prove where every
number came from.

\b
  provrunner +sweep=lr_grid                      run a sweep that conf/sweep/ declares
  provrunner model=convnet optimizer.lr=0.01     run one trial
  provrunner -m optimizer.lr=0.01,0.1 seed=0,1   sweep in Hydra's own grammar
  provrunner --cfg job +sweep=lr_grid            show the configuration and run nothing

The verbs below read a sweep, also while it runs. SWEEP is its folder, or a folder above it for the
newest one there; left out, it is the newest sweep below ./outputs.
"""

_NOT_A_SWEEP = 3
"""What `verify` exits with where there is no sweep; other verbs exit with 2, as for wrong usage."""

app = typer.Typer(
    name="provrunner",
    help=_HELP,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

SweepArgument = Annotated[
    Optional[Path],  # noqa: UP045  typer reads it
    typer.Argument(metavar="[SWEEP]", help="the sweep's folder; the newest one if left out"),
]


class SummaryFormat(StrEnum):
    """How a summary is printed."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


class RowsFormat(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Exit codes: 0 done; 1 a run did not end as planned; 2 wrong words, files or folders, told in
    one message; 128 + signal when stopped. `verify` has its own, which its help lists.
    """
    arguments = list(sys.argv[1:] if words is None else words)
    try:
        code = _dispatch(arguments)
    except ProvrunnerError as error:
        typer.echo(f"provrunner: {error}", err=True)
        code = 2
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does; nothing is left to tell it.
        sys.stderr.close()
        code = 0
    sys.exit(code)


@app.command()
def summary(
    sweep: SweepArgument = None,
    format_: Annotated[SummaryFormat, typer.Option("--format")] = SummaryFormat.TABLE,
) -> None:
    """Print what matters, by how much, and what cannot be concluded."""
    from provrunner.report import open_sweep, print_summary, summary_markdown

    opened = open_sweep(sweep)
    if format_ is SummaryFormat.JSON:
        typer.echo(opened.sensitivity().to_json(), nl=False)
    elif format_ is SummaryFormat.MARKDOWN:
        typer.echo(summary_markdown(opened.sensitivity().to_dict()), nl=False)
    else:
        print_summary(opened.sensitivity().to_dict(), paths=opened.paths())


@app.command()
def report(sweep: SweepArgument = None) -> None:
    """Write tables, PROV documents, summary and report.html anew, from the logs alone."""
    from provrunner.report import open_sweep

    for path in open_sweep(sweep).write():
        typer.echo(path)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help='such as "from epochs where run = 3"')],
    sweep: SweepArgument = None,
    format_: Annotated[RowsFormat, typer.Option("--format")] = RowsFormat.TABLE,
) -> None:
    """Ask the sweep's tables in DuckDB's SQL: runs, params, epochs, metrics, events and more."""
    from provrunner.report import open_sweep, render_rows

    if sweep is not None and not sweep.exists() and Path(sql).is_dir():
        sql, sweep = str(sweep), Path(sql)
    rows = open_sweep(sweep).sql(sql).to_arrow_table()
    typer.echo(render_rows(rows, format_.value), nl=False)


@app.command()
def lineage(
    term: Annotated[str, typer.Argument(help="a run, checkpoint, metric, data set or node id")],
    sweep: SweepArgument = None,
    down: Annotated[
        bool, typer.Option("--down/--up", help="what was made from it; or what it was made from")
    ] = False,
    format_: Annotated[RowsFormat, typer.Option("--format")] = RowsFormat.TABLE,
    svg: Annotated[
        Optional[Path],  # noqa: UP045  typer reads it
        typer.Option(help="also draw it to this file"),
    ] = None,
) -> None:
    """Trace a number, checkpoint or run to all that made it, or to all that was made from it."""
    from provrunner.report import open_sweep, render_rows, trace

    found = trace(open_sweep(sweep), term, direction="down" if down else "up")
    typer.echo(render_rows(found.rows, format_.value), nl=False)
    if svg is not None:
        svg.write_bytes(found.draw())
        typer.echo(f"drawn to {svg}", err=True)


@app.command()
def verify(
    sweep: SweepArgument = None,
    read_data: Annotated[
        bool, typer.Option("--read-data", help="also read every sealed row and checkpoint")
    ] = False,
    seal: Annotated[bool, typer.Option("--seal", help="seal the logs of lost runs")] = False,
) -> None:
    """Check that the logs are whole and unaltered.

    Exits 0 when whole, 1 when damaged, 2 when incomplete, 3 when there is no sweep.
    """
    from provrunner.report import verify_sweep

    try:
        found = verify_sweep(sweep, read_data=read_data, seal=seal)
    except LogError as error:
        typer.echo(f"provrunner: {error}", err=True)
        raise typer.Exit(_NOT_A_SWEEP) from None
    for finding in found.findings:
        typer.echo(f"{finding.severity}  {finding.path}  {finding.message}")
    typer.echo(found.verdict)
    raise typer.Exit(found.exit_code)


def _dispatch(words: list[str]) -> int:
    verbs = [command.callback.__name__ for command in app.registered_commands if command.callback]
    if words[:1] == ["--version"]:
        from provrunner import __version__

        typer.echo(f"provrunner {__version__}")
        return 0
    if words and words[0] in {*verbs, "--help", "-h"}:
        return _read(words)

    from provrunner.compose import joined_run

    joined = joined_run()
    if joined is not None:
        from provrunner.run import join_run

        join_run(joined)
        return 0
    if not words:
        return _read(["--help"])
    _check_first_word(words[0], verbs)
    return _run(words)


def _read(words: list[str]) -> int:
    return int(app(["--help" if word == "-h" else word for word in words]) or 0)


def _run(words: list[str]) -> int:
    """Run a sweep, then derive and print all that its logs say."""
    _import_from_here()
    from provrunner.run import start

    outcome = start(words)
    if outcome is None:
        return 0

    from provrunner.report import open_sweep, print_summary

    sweep = open_sweep(outcome.folder)
    sweep.write()
    print_summary(sweep.sensitivity().to_dict(), paths=sweep.paths())
    return outcome.exit_code


def _check_first_word(word: str, verbs: Sequence[str]) -> None:
    if "=" in word or word.startswith(("-", "+", "~")):
        return
    raise ConfigError(
        f"'{word}' is neither a verb ({', '.join(verbs)}) nor an override such as "
        f"optimizer.lr=0.01{nearest(word, verbs)}"
    )


def _import_from_here() -> None:
    """Let `_target_` name modules in the working folder, also for the installed script."""
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)

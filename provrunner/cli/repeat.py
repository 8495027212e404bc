"""The verbs that bring a run back: laid out anew, run again, and spoken of afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from provrunner.cli.app import SWEEP, argument, echo, import_from_here, verb, warn
from provrunner.cli.explain import ANSWER
from provrunner.cli.read import print_sweep
from provrunner.errors import ConfigError

__all__ = ["note", "rerun", "restore", "sweep_and_changes", "warn_of"]

_RUN = argument("run", metavar="RUN", help="a run: 3, best, its id, or SWEEP:RUN")
_REPOSITORY = argument(
    "--repository",
    type=Path,
    default=Path(),
    metavar="DIR",
    help="where the git repository with its commit lies",
)


@verb(
    _RUN,
    SWEEP,
    argument("--to", type=Path, required=True, metavar="DIR", help="a new or empty folder"),
    _REPOSITORY,
    argument("--without", action="append", metavar="PART", help="leave out: code, checkpoint"),
)
def restore(
    run: str, sweep: Path | None, *, to: Path, repository: Path, without: list[str] | None
) -> None:
    """Lay out a run from its record: code, configuration, packages and best checkpoint."""
    from provrunner.report import find_run, restore_run, visible

    found = find_run(run, sweep)
    restored = restore_run(found, to, repository=repository, without=without or ())
    for name, what in restored.files.items():
        echo(visible(f"{restored.folder / name}  {what}"))
    echo(f"{restored.folder / 'README.md'}  how to run it")
    for remark in restored.remarks:
        warn(f"note: {visible(remark)}")


@verb(
    _RUN,
    argument(
        "words",
        nargs="*",
        metavar="SWEEP | KEY=VALUE",
        help="the sweep's folder; values in place of recorded ones",
    ),
    argument(
        "--verify", action="store_true", help="compare every metric; exit 1 where one differs"
    ),
    argument(
        "--code",
        default="recorded",
        metavar="WHICH",
        help="recorded (if left out): its commit and changes; here: what lies here",
    ),
    _REPOSITORY,
    argument(
        "--trust",
        action="append",
        metavar="PACKAGE",
        help="may be called by a record of another machine",
    ),
    ANSWER,
)
def rerun(
    run: str,
    words: list[str],
    *,
    verify: bool,
    code: str,
    repository: Path,
    trust: list[str] | None,
    format_: str,
) -> int:
    """Run a run again from its own record and its own code, as a new sweep of one."""
    from provrunner.report import (
        check_ended,
        data_changes,
        find_run,
        open_sweep,
        verify_rerun,
    )
    from provrunner.run.rerun import prepare_rerun

    folder, changes = sweep_and_changes(words)
    found = find_run(run, folder)
    if verify:
        check_ended(found)
    import_from_here()
    repetition = prepare_rerun(
        found.sweep.folder,
        found.point.run_id,
        changes,
        code=code,
        repository=repository,
        trusted=trust or (),
    )
    outcome = repetition.start(warn_of)
    repeated = open_sweep(outcome.folder)
    repeated.write()
    for warning in data_changes(found.sweep, found.point.run_id, repeated):
        warn_of(warning)
    if not verify:
        print_sweep(repeated)
        return outcome.exit_code
    verdict = verify_rerun(found.sweep, found.point.run_id, repeated)
    echo(verdict.to_json() if format_ == "json" else verdict.to_text(), end="")
    return outcome.stopped or verdict.exit_code


def sweep_and_changes(words: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Tell the sweep's folder from the overrides beside it; None where it is left out."""
    changes = [word for word in words if "=" in word]
    folders = [Path(word) for word in words if "=" not in word]
    if len(folders) > 1:
        raise ConfigError(f"expected one SWEEP, got {', '.join(map(str, folders))}")
    return (folders[0] if folders else None), changes


def warn_of(warning: str) -> None:
    """Print a warning to standard error."""
    from provrunner.report import visible

    warn(f"warning: {visible(warning)}")


@verb(
    argument("about", metavar="RUN|sweep", help="a run, or the word sweep"),
    argument("text", metavar="TEXT", help="what to say of it"),
    SWEEP,
    argument("--user", help="who says so; empty for nobody; whoever is logged in if left out"),
)
def note(about: str, text: str, sweep: Path | None, *, user: str | None) -> None:
    """Say something of a sweep or a run; it is kept with it, and shown in report and graph."""
    from provrunner.report import add_note, open_sweep

    echo(f"noted of {add_note(open_sweep(sweep), about, text, user=user)}")

"""What all verbs share: how one is declared, how its words are read, how it speaks."""

from __future__ import annotations

import argparse
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from provrunner.errors import ConfigError, ProvrunnerWarning, nearest

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "GRANULARITY",
    "ROWS",
    "SWEEP",
    "Argument",
    "Verb",
    "argument",
    "echo",
    "echo_rows",
    "import_from_here",
    "verb",
    "warn",
    "warnings_told",
]

Run = Callable[..., int | None]


@dataclass(frozen=True, slots=True)
class Argument:
    """One of a verb's words: what `argparse.ArgumentParser.add_argument` takes."""

    names: tuple[str, ...]
    given: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb of the command line.

    Attributes:
        name: the word it is called by.
        run: what it does, called with its arguments by name; it returns the exit code, None for 0.
        arguments: its words.
    """

    name: str
    run: Run
    arguments: tuple[Argument, ...]

    @property
    def summary(self) -> str:
        """The first line of what the verb does."""
        return (self.run.__doc__ or "").partition("\n")[0]

    def __call__(self, words: Sequence[str]) -> int:
        """Read the words that follow the verb and run it; return the exit code.

        Raises:
            ConfigError: the words are wrong.
        """
        parser = self.parser()
        # what follows a script's name is the script's own
        own = any(one.given.get("nargs") == argparse.REMAINDER for one in self.arguments)
        read = parser.parse_known_args if own else parser.parse_known_intermixed_args
        found, unknown = read(list(words))
        if unknown:
            options = [name for one in self.arguments for name in one.names if name[:1] == "-"]
            near = nearest(unknown[0], options) if unknown[0].startswith("-") else ""
            parser.error(f"unexpected {unknown[0]!r}{near}")
        return self.run(**vars(found)) or 0

    def parser(self) -> argparse.ArgumentParser:
        """Make the parser of the verb's words."""
        parser = _Parser(
            prog=f"provrunner {self.name}",
            # python -OO has no docstrings
            description=_unindented(self.run.__doc__ or ""),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        for one in self.arguments:
            parser.add_argument(*one.names, **one.given)
        return parser


def argument(*names: str, **given: Any) -> Argument:
    """Declare a word of a verb as `argparse.ArgumentParser.add_argument` would be called."""
    return Argument(names, given)


def verb(*arguments: Argument, name: str | None = None) -> Callable[[Run], Verb]:
    """Make a function a verb of its own name, or of another where that is Python's."""
    return lambda run: Verb(name or run.__name__, run, arguments)


def echo(text: object, *, end: str = "\n") -> None:
    """Write a result to standard output at once."""
    sys.stdout.write(f"{text}{end}")
    sys.stdout.flush()


def echo_rows(rows: pa.Table, format_: str) -> None:
    """Write rows in a format of `ROWS`; on a terminal a table is folded into its width."""
    from provrunner.report import render_rows

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    echo(render_rows(rows, format_, width=width), end="")


def import_from_here() -> None:
    """Let `_target_` name modules in the working folder, also for the installed script."""
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)


def warn(text: object) -> None:
    """Write what is no result to standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@contextmanager
def warnings_told() -> Iterator[None]:
    """Tell our own warnings in a line each, without the place in the code that gives them."""
    from provrunner.report.escape import visible

    others = warnings.showwarning

    def tell(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, ProvrunnerWarning):
            warn(f"warning: {visible(str(message))}")
        else:
            others(message, category, *place, **more)

    with warnings.catch_warnings():
        warnings.simplefilter("always", ProvrunnerWarning)
        warnings.showwarning = tell
        yield


SWEEP = argument(
    "sweep",
    nargs="?",
    type=Path,
    metavar="SWEEP",
    help="the sweep's folder; the newest one if left out",
)
GRANULARITY = argument(
    "--granularity",
    choices=("run", "stage", "epoch", "checkpointed"),
    help="how finely training is told; as configured if left out",
)
ROWS = argument(
    "--format",
    dest="format_",
    choices=("table", "json", "csv"),
    default="table",
    help="how rows are printed; as a table if left out",
)


class _Parser(argparse.ArgumentParser):
    """Tells what is wrong with words as everything else is told: in one message."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}; see {self.prog} --help")


def _unindented(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())

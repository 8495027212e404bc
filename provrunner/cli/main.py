"""Words to calls: which part of provrunner a command line is for."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping, Sequence

from provrunner.cli.app import Verb, echo, import_from_here, warn, warnings_told
from provrunner.cli.ask import ask
from provrunner.cli.dry import show_prospect, take_dry
from provrunner.cli.execute import execute
from provrunner.cli.explain import diff, impact, lineage, why
from provrunner.cli.export import export
from provrunner.cli.gc import gc
from provrunner.cli.read import query, report, summary, verify, write_and_print
from provrunner.cli.repeat import note, rerun, restore
from provrunner.cli.resume import resume
from provrunner.cli.table import analyze, import_
from provrunner.cli.watch import watch
from provrunner.errors import ConfigError, ProvrunnerError, nearest

__all__ = ["main"]

_ALL = (
    watch, summary, report, query, ask, verify, lineage, why, diff, impact,
    export, resume, restore, rerun, note, gc, execute, analyze, import_,
)  # fmt: skip
_VERBS: Mapping[str, Verb] = {verb.name: verb for verb in _ALL}

_HELP = """usage: provrunner CONFIGURATION | VERB

Run hyperparameter sweeps, learn which hyperparameters matter, and prove where every
number came from.

  provrunner +sweep=lr_grid                      run a sweep that conf/sweep/ declares
  provrunner model=convnet optimizer.lr=0.01     run one trial
  provrunner -m optimizer.lr=0.01,0.1 seed=0,1   sweep in Hydra's own grammar
  provrunner --dry +sweep=lr_grid                show the plan and about how long it takes
  provrunner --cfg job +sweep=lr_grid            show the configuration and run nothing

The verbs below read a sweep, also while it runs. SWEEP is its folder, or a folder above it for the
newest one there; left out, it is the newest sweep below ./outputs.
"""

_RUNNING = ("exec", "rerun", "resume")
"""Verbs that run a user's code in this process, which must find it as Python does."""
_REPORTING = ("report", "import", *_RUNNING)
"""Verbs that write a report."""


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Exit codes: 0 done; 1 a run did not end as planned; 2 wrong words, files or folders, told in
    one message; 128 + signal when stopped. `verify` has its own, which its help lists.
    """
    arguments = list(sys.argv[1:] if words is None else words)
    try:
        code = _dispatch(arguments)
    except ProvrunnerError as error:
        warn(f"provrunner: {error}")
        code = 2
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does; nothing is left to tell it.
        sys.stderr.close()
        code = 0
    sys.exit(code)


def _dispatch(words: list[str]) -> int:
    if words[:1] and words[0] in _REPORTING:
        _check_docstrings()
    if words[:1] == ["--version"]:
        from provrunner import __version__

        echo(f"provrunner {__version__}")
        return 0
    if words[:1] in (["--help"], ["-h"]):
        return _help()
    if words and words[0] in _VERBS:
        return _read(words)

    from provrunner.compose import joined_run

    joined = joined_run()
    if joined is not None:
        from provrunner.run import join_run

        join_run(joined)
        return 0
    if not words:
        return _help()
    _check_first_word(words[0], list(_VERBS))
    return _run(words)


def _help() -> int:
    width = max(map(len, _VERBS))
    verbs = "\n".join(f"  {name:{width}}  {verb.summary}" for name, verb in _VERBS.items())
    echo(f"{_HELP}\n{verbs}")
    return 0


def _read(words: list[str]) -> int:
    if words[0] in _RUNNING:
        return _VERBS[words[0]](words[1:])
    _spare_pandas()
    with warnings_told():
        return _VERBS[words[0]](words[1:])


def _run(words: list[str]) -> int:
    """Run a sweep, then derive and print all that its logs say."""
    words, dry = take_dry(words)
    import_from_here()
    if dry is not None:
        from provrunner.run.prospect import look_ahead

        show_prospect(look_ahead(words), dry)
        return 0
    from provrunner.run import start

    _check_docstrings()
    outcome = start(words)
    if outcome is None:
        return 0

    write_and_print(outcome.folder)
    return outcome.exit_code


def _check_docstrings() -> None:
    """Refuse what would end in the midst of a report, before anything is run."""
    if sys.flags.optimize > 1:
        raise ConfigError(
            "python -OO takes docstrings away, which Altair needs to draw charts; use python -O"
        )


def _check_first_word(word: str, verbs: Sequence[str]) -> None:
    if "=" in word or word.startswith(("-", "+", "~")):
        return
    raise ConfigError(
        f"'{word}' is neither a verb ({', '.join(verbs)}) nor an override such as "
        f"optimizer.lr=0.01{nearest(word, verbs)}"
    )


class _NoPandas:
    """An import hook under which pandas is not installed."""

    @staticmethod
    def find_spec(name: str, *_rest: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def _spare_pandas() -> None:
    """Keep pyarrow from importing pandas, a fifth of a verb's time, to look for its types.

    pyarrow tries once, at the first array that it makes of Python values, and tries again when
    pandas is truly asked for, as by `Table.to_pandas`.
    """
    import pyarrow as pa

    sys.meta_path.insert(0, _NoPandas)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(_NoPandas)

"""Someone else's script, run unchanged and recorded."""

from __future__ import annotations

import builtins
import importlib.util
import io
import runpy
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any
from zipfile import is_zipfile

from provrunner.capture.ending import program_outcome
from provrunner.capture.options import CaptureOptions
from provrunner.compose.environment import set_recorded_sweep
from provrunner.errors import ConfigError, nearest
from provrunner.log import run_folders, run_status, seal_run
from provrunner.log.folder import log_folder
from provrunner.own_values import forget, listen, open_runs
from provrunner.plan import Objective, Origin
from provrunner.run.loop import LoopRun
from provrunner.run.signals import StopListener
from provrunner.run.single import create_single, take_run
from provrunner.schema import RunStatus

__all__ = ["Executed", "run_script"]


@dataclass(frozen=True, slots=True)
class Executed:
    """A script that has ended.

    Attributes:
        folder: the sweep folder.
        exit_code: the script's own.
    """

    folder: Path
    exit_code: int


def run_script(
    target: str,
    arguments: Sequence[str] = (),
    *,
    module: bool = False,
    name: str | None = None,
    objective: str = "val/loss",
    direction: str = "minimize",
    folder: str | Path = "outputs",
    origin: Origin | None = None,
) -> Executed:
    """Run a script as Python would, and record every Trainer in it.

    Each Trainer that runs a stage is a run of one sweep, in their order; so is each
    `provrunner.run(...)` of the script. A script without any is one run, of which environment,
    code, what `provrunner.log` is given, and the end are recorded. What the script prints, reads,
    writes and exits with stays its own; a traceback is printed as Python prints it.

    Args:
        target: path of the script; with `module`, a module's dotted name.
        arguments: what the script finds in `sys.argv[1:]`.
        module: run it as `python -m` does.
        name: of the sweep; the script's own name if None.
        objective: the metric that the runs are judged by.
        direction: `minimize` or `maximize`.
        folder: parent of the sweep folder.
        origin: the run that it repeats, if it does.

    Raises:
        ConfigError: there is no such script, module or direction.
        LogError: the sweep folder cannot be made.
    """
    _check(target, module)
    called = name or (target.rpartition(".")[2] if module else Path(target).stem)
    judged = Objective(objective, direction)
    sweep = create_single(Path(folder), called, judged, origin=origin).resolve()
    fallback = _Fallback(sweep)
    listen(fallback)
    signals = StopListener(fallback)
    signals.listen()
    with _as_main(target, arguments, module):
        set_recorded_sweep(sweep)
        try:
            error = _run(target, module)
            _close(sweep, fallback, error)
        finally:
            set_recorded_sweep(None)
            signals.leave()
            forget(fallback)
    return Executed(sweep, _exit_code(error))


class _Fallback:
    """Opens a run for values that are logged, or for a script that ends, while there is none."""

    def __init__(self, sweep: Path) -> None:
        self._sweep = sweep
        self._run: LoopRun | None = None

    def log_value(self, name: str, value: object, *, step: int | None = None) -> None:
        """Open a run for a value that no other run hears; a run hears it by itself from then on."""
        if all(run is self for run in open_runs()):
            self.open().log_value(name, value, step=step)

    def close(self, status: RunStatus | None = None, reason: str | None = None) -> None:
        """Seal the run that was opened."""
        if self._run is not None:
            self._run.close(status, reason)

    def fail(self, error: BaseException) -> None:
        """Seal the run that was opened with what was raised."""
        if self._run is not None:
            self._run.fail(error)

    def interrupt(self, number: int) -> None:
        """Open a run for a signal that no other run hears."""
        if all(run is self for run in open_runs()):
            self.open().interrupt(number)

    def open(self) -> LoopRun:
        """Return the run, opened by the first call."""
        if self._run is None:
            self._run = LoopRun(take_run(self._sweep, 0), CaptureOptions())
        return self._run


def _check(target: str, module: bool) -> None:
    if module:
        sys.path.insert(0, str(Path.cwd()))
        try:
            found = importlib.util.find_spec(target)
        except (ImportError, ValueError):
            found = None
        finally:
            sys.path.pop(0)
        if found is None:
            raise ConfigError(f"exec: there is no module {target}")
    elif not Path(target).is_file():
        folder = Path(target).parent
        scripts = [path.name for path in folder.glob("*.py")] if folder.is_dir() else []
        raise ConfigError(f"exec: there is no script {target}{nearest(Path(target).name, scripts)}")


@contextmanager
def _as_main(target: str, arguments: Sequence[str], module: bool) -> Iterator[None]:
    """Give the script the words and the search path that Python gives it."""
    words, path, main = sys.argv, list(sys.path), sys.modules["__main__"]
    sys.argv = [target, *arguments]
    if not sys.flags.safe_path:
        # The first entry is the folder of provrunner's own command.
        sys.path[:1] = [str(Path.cwd() if module else Path(target).resolve().parent)]
    try:
        yield
    finally:
        # until here whoever looks for the program's code, or pickles its classes, finds it
        sys.argv, sys.path[:], sys.modules["__main__"] = words, path, main


def _run(target: str, module: bool) -> BaseException | None:
    """Run the script and return what it raised, told on stderr as Python tells it."""
    try:
        if module:
            runpy.run_module(target, run_name="__main__", alter_sys=True)
        else:
            _run_file(target)
    except SystemExit as error:
        if error.code is not None and not isinstance(error.code, int):
            print(error.code, file=sys.stderr)  # noqa: T201  Python's own doing
        return error
    except BaseException as error:  # noqa: BLE001  whatever ends a script ends it, not us
        _tell(error)
        return error
    return None


def _run_file(target: str) -> None:
    """Run a file as the main module, which knows of itself what Python tells a script's."""
    if target.endswith(".pyc") or is_zipfile(target):
        runpy.run_path(target, run_name="__main__")
        return
    path = str(Path(target).absolute())
    with io.open_code(path) as file:
        code = compile(file.read(), path, "exec", dont_inherit=True)
    main = ModuleType("__main__")
    main.__file__ = path
    main.__loader__ = SourceFileLoader("__main__", path)
    vars(main).update(__builtins__=builtins, __annotations__={}, __cached__=None)
    sys.modules["__main__"] = main
    exec(code, vars(main))  # noqa: S102  running the user's own script is what is asked for


def _tell(error: BaseException) -> None:
    """Print a traceback from the script's own first line on."""
    frames: Any = error.__traceback__
    while frames is not None and frames.tb_frame.f_globals.get("__name__") != "__main__":
        frames = frames.tb_next
    traceback.print_exception(type(error), error, frames or error.__traceback__)


def _close(sweep: Path, fallback: _Fallback, error: BaseException | None) -> None:
    """Seal every run of this process, and open one first where there was none."""
    if not any(log_folder(run).is_dir() for run in run_folders(sweep)):
        fallback.open()
    status, reason = program_outcome(error)
    for run in open_runs():
        if status is RunStatus.FINISHED:
            run.close()
        elif error is None or isinstance(error, SystemExit):
            run.close(status, reason)
        else:
            run.fail(error)
    for folder in run_folders(sweep):
        # What a killed process of the script left.
        if run_status(folder)[0] is RunStatus.LOST:
            seal_run(folder, RunStatus.LOST, "its process died and left no end")


def _exit_code(error: BaseException | None) -> int:
    if error is None:
        return 0
    if isinstance(error, KeyboardInterrupt):
        return 130
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 1

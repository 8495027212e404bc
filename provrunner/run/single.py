"""A sweep of one run, for programs of anyone's."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from provrunner.capture.options import RunContext
from provrunner.compose.environment import (
    is_further_rank,
    next_run,
    process_rank,
    recorded_objective,
    recorded_sweep,
    recording_folder,
    set_next_run,
    set_recorded_sweep,
    shared_folder,
)
from provrunner.errors import ConfigError, LogError, nearest
from provrunner.ids import run_id, trial_id
from provrunner.log import (
    ArrowSink,
    create_sweep_folder,
    run_folder,
    run_folders,
    write_plan,
)
from provrunner.log.folder import run_number
from provrunner.plan import Objective, Origin, Plan, Point
from provrunner.redaction import redact_command
from provrunner.run.agreement import ask_folder, process_group, shared_store, tell_folder

__all__ = [
    "SingleRun",
    "agree_on_folder",
    "begin_run",
    "create_single",
    "current_rank",
    "first_free",
    "first_run",
    "share_sweep",
    "take_run",
]

_DIRECTIONS = ("minimize", "maximize")
# The ranks of a program ask in the same order: a number says which folder is meant.
_AGREEMENTS = itertools.count()
_CLAIM_PATIENCE_S = 30.0
_CLAIM_POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class SingleRun:
    """A run with a place on disk.

    Attributes:
        sweep: the sweep folder.
        run_id: number and hash.
        seed: what it is seeded with; None where the program does that itself.
    """

    sweep: Path
    run_id: str
    seed: int | None = None

    @property
    def folder(self) -> Path:
        """The run's own folder."""
        return run_folder(self.sweep, self.run_id)

    def make_sink(self) -> ArrowSink:
        """Return what writes the run's log."""
        return ArrowSink(self.folder, sweep_id=self.sweep.name, run_id=self.run_id)

    def make_context(self) -> RunContext:
        """Return what capture is told of the run."""
        return RunContext(
            run_id=self.run_id,
            seed=self.seed,
            launcher="script",
            folder=self.folder.resolve(),
            code_root=_code_root(),
        )


def create_single(
    folder: Path,
    name: str,
    objective: Objective,
    *,
    seed: int | None = None,
    origin: Origin | None = None,
) -> Path:
    """Make the folder of a sweep of one run, with its plan.

    Raises:
        ConfigError: no such direction.
        LogError: the folder cannot be made.
    """
    if objective.direction not in _DIRECTIONS:
        raise ConfigError(
            f"direction: {objective.direction!r} is neither minimize nor maximize"
            f"{nearest(objective.direction, _DIRECTIONS)}"
        )
    now = datetime.now(UTC)
    sweep = create_sweep_folder(folder, name, now=now)
    plan = _plan_of_one(sweep.name, name, objective, now, seed)
    write_plan(sweep, replace(plan, origin=origin))
    return sweep


def begin_run(make: Callable[[], Path], rank: int, *, seed: int | None = None) -> SingleRun:
    """Return a run of this program's own.

    Under `provrunner exec` it is the next run of the sweep that was asked for; else `make` makes a
    sweep for it, in the first rank alone.

    Raises:
        LogError: its folder cannot be made.
    """
    recorded = recorded_sweep()
    if recorded is not None:
        return take_run(recorded, rank, seed=seed)
    sweep = make()
    run = first_run(sweep, seed=seed)
    run.folder.mkdir(exist_ok=True)
    return run


def first_run(sweep: Path, *, seed: int | None = None) -> SingleRun:
    """Return the run that a sweep of one has."""
    return SingleRun(sweep, _id(0), seed)


def share_sweep() -> Path:
    """Return the sweep that all of this program's runs go to; the first call may make it.

    Raises:
        ConfigError: the environment names no such direction.
        LogError: the folder cannot be made.
    """
    sweep = recorded_sweep()
    if sweep is None:
        folder = recording_folder() or Path("outputs")
        target = Objective(*recorded_objective())
        sweep = agree_on_folder(lambda: create_single(folder, _program_name(), target))
        set_recorded_sweep(sweep)
    return sweep


def take_run(
    sweep: Path, rank: int, *, seed: int | None = None, number: int | None = None
) -> SingleRun:
    """Return the next run of a sweep: its first rank makes the folder, further ranks share it.

    Args:
        sweep: the sweep folder.
        rank: this process's.
        seed: what the run is seeded with; None where the program does that itself.
        number: that all ranks know it by; None asks the environment, which then knows the next.

    Raises:
        LogError: the folder cannot be made, or the first rank begins no run in time.
    """
    wanted = next_run() if number is None else number
    if rank == 0:
        wanted = _claim(sweep, wanted)
    else:
        _await_claim(run_folder(sweep, _id(wanted)))
    if number is None:
        set_next_run(wanted + 1)
    return SingleRun(sweep, _id(wanted), seed)


def first_free(sweep: Path, number: int = 0) -> int:
    """Return the first number, from one on, that no run of a sweep has."""
    taken = {run_number(path.name) for path in run_folders(sweep)}
    while number in taken:
        number += 1
    return number


def agree_on_folder(make: Callable[[], Path]) -> Path:
    """Let the first rank make a sweep folder, and return it in every rank.

    Raises:
        ConfigError: this further rank has no way to hear of the folder.
        LogError: the first rank could make no folder, or names none.
    """
    store = shared_store()
    if store is not None:
        key = f"provrunner/sweep/{next(_AGREEMENTS)}"
        return tell_folder(store, key, make) if current_rank()[0] == 0 else ask_folder(store, key)
    if is_further_rank():
        rank, ranks = process_rank()
        return shared_folder(lambda: _refuse(rank, ranks))
    return shared_folder(make)


def current_rank() -> tuple[int, int]:
    """Return rank and number of ranks, from torch's process group or from the launcher."""
    group = process_group()
    if group is None:
        return process_rank()
    return int(group.get_rank()), int(group.get_world_size())


def _program_name() -> str:
    """Return what a program is called: its file, its package, or `notebook` without either."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    if file is None:
        return "notebook"
    path = Path(file)
    return path.parent.name if path.stem == "__main__" else path.stem


def _code_root() -> Path | None:
    """Return the folder of a script that is started from outside it; else the working folder is."""
    script = Path(sys.argv[0])
    if script.suffix != ".py" or not script.is_file() or "site-packages" in script.parts:
        return None
    folder = script.resolve().parent
    return None if folder.is_relative_to(Path.cwd().resolve()) else folder


def _refuse(rank: int, ranks: int) -> Path:
    raise ConfigError(
        f"provrunner.run: rank {rank} of {ranks} cannot know the first rank's folder yet; call it "
        "after torch.distributed.init_process_group or fabric.launch, or start the program by "
        "`provrunner exec -m torch.distributed.run ...`"
    )


def _claim(sweep: Path, number: int) -> int:
    """Make the folder of the first run from a number on that nobody has taken."""
    while True:
        number = first_free(sweep, number)
        try:
            run_folder(sweep, _id(number)).mkdir()
        except FileExistsError:
            # Another process of the program was faster.
            continue
        except OSError as error:
            raise LogError(f"cannot make a run in {sweep}: {error.strerror}") from error
        return number


def _await_claim(folder: Path) -> None:
    """Wait for the first rank: a folder that another one has made looks taken to it."""
    deadline = time.monotonic() + _CLAIM_PATIENCE_S
    while not folder.is_dir():
        if time.monotonic() > deadline:
            raise LogError(f"rank 0 began no run within {_CLAIM_PATIENCE_S:.0f} s: no {folder}")
        time.sleep(_CLAIM_POLL_S)


def _id(number: int) -> str:
    return run_id(number, {}, seed=0)


def _plan_of_one(
    sweep_id: str, name: str, objective: Objective, now: datetime, seed: int | None
) -> Plan:
    point = Point(run=0, run_id=_id(0), trial_id=trial_id({}), replicate=0, seed=seed, values={})
    return Plan(
        sweep_id=sweep_id,
        name=name,
        created=now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        objective=objective,
        design="single",
        hyperparameters=(),
        points=(point,),
        command=tuple(redact_command(sys.orig_argv)),
    )

"""A sweep gone on with: what is left of it is run, and what was added to it."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import hydra
from hydra._internal.callbacks import Callbacks
from hydra._internal.hydra import Hydra
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.types import HydraContext, RunMode, TaskFunction
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from provrunner.compose import (
    CONFIG_NAME,
    check_sweep,
    compose_config,
    config_folder,
    job_overrides,
    own_config,
    package_conf,
    parse_overrides,
)
from provrunner.compose.extend import extend_plan, keep_asked, plan_differences
from provrunner.compose.hydra_versions import version_base
from provrunner.compose.load import config_keys
from provrunner.compose.mistakes import explain_interpolation
from provrunner.compose.resolvers import hydra_resolvable
from provrunner.compose.values import to_override
from provrunner.errors import ConfigError, LogError
from provrunner.log import read_plan, replace_plan, run_folder, run_status, seal_run
from provrunner.log.liveness import is_claimed, own_sweep
from provrunner.log.sealed import DamagedSealError
from provrunner.plan import Plan
from provrunner.run.code import code_differences, module_differences
from provrunner.run.engines.submitit_jobs import SUBMITIT_FOLDER
from provrunner.run.hidden import MASK
from provrunner.run.job import run_task
from provrunner.run.launching import Outcome
from provrunner.run.planning import COMMAND, draft_plan, given_words, shown_words
from provrunner.run.record import RunRecord, first_record
from provrunner.run.rounds import carry_out
from provrunner.run.trust import (
    Source,
    check_config_dir,
    check_engine,
    check_search_path,
    check_targets,
)
from provrunner.run.unchanged import config_differences, is_group
from provrunner.schema import LogState, RunStatus

__all__ = ["Choice", "resume_plan", "resume_sweep"]

_HEAD = 3
"""Words of a resuming command line before its flags and overrides: provrunner resume FOLDER."""

_LEFT = (RunStatus.PLANNED, RunStatus.LOST, RunStatus.INTERRUPTED)
"""Runs that have no end of their own."""

_ENDED = frozenset(RunStatus) - {*_LEFT, RunStatus.RUNNING}
"""How a run stands that has an end of its own."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What of a sweep is run again, and how.

    Attributes:
        failed: runs that failed, too.
        anew: runs that were begun start with the first step, and from no checkpoint.
        extend: points that the plan lacks are added to it.
        command: the command line that goes on, redacted; empty stands for the plan's.
    """

    failed: bool = False
    anew: bool = False
    extend: bool = False
    command: tuple[str, ...] = ()


def resume_sweep(
    folder: Path,
    changes: Sequence[str] = (),
    *,
    failed: bool = False,
    anew: bool = False,
    trusted: Collection[str] = (),
    warn: Callable[[str], object] = str,
) -> Outcome:
    """Run what is left of a sweep, and what is added to it; a run that has ended stays as it is.

    Points that never started, were interrupted or lost are run; the plan's command line is
    composed anew for it, in the working folder. A run that was begun goes on from its last good
    checkpoint, as its next attempt. Where plainly nothing is left, the code that runs call is
    not imported: a search and a sweep of groups are always looked at with it.

    Args:
        folder: the sweep's folder.
        changes: overrides that replace those of the sweep's command line: settings of `sweep`, axes
            and `seed` may add points, settings of Hydra's launcher say how to run them, and
            secrets, which are in no file, are given anew.
        failed: run those that failed, too.
        anew: start what was begun with the first step, and from no checkpoint.
        trusted: packages that the configuration of a sweep of another machine may call.
        warn: is told how the code differs from that of the runs before, and of runs that cannot be
            read; a sentence each.

    Raises:
        ConfigError: the sweep would not be what it was: each difference is named.
        LogError: it cannot be gone on with, or a process runs it.
    """
    flags, words = _words(folder, changes)
    record = first_record(folder)
    host = None if record is None else record.host
    source = Source(f"sweep {folder}", host, folder, frozenset(trusted))
    check_config_dir(flags, Path.cwd(), source)
    with config_folder(flags):
        check_search_path({one.key_or_group for one in parse_overrides(words)}, source)
        planned = compose_config(words, return_hydra_config=True)
        draft = draft_plan(planned, words, datetime.now(UTC))
        if (ended := _ended(folder, draft, failed=failed)) is not None:
            return Outcome(folder, ended)
        _check(folder, words, source, planned, draft)
        with hydra.initialize_config_dir(
            str(package_conf()), job_name="provrunner", **version_base()
        ):
            engine = cast("Hydra", GlobalHydra.instance().hydra)
            config = engine.compose_config(
                config_name=CONFIG_NAME,
                overrides=words,
                run_mode=RunMode.MULTIRUN,
                with_log_configuration=False,
            )
            _check_engine(config, source)
            flag = {"--failed": failed, "--anew": anew}
            said = (*(word for word in flag if flag[word]), *shown_words(config, changes))
            choice = Choice(failed, anew, True, ("provrunner", "resume", str(folder), *said))
            arguments = given_words(config, "task")
            return resume_plan(
                HydraContext(config_loader=engine.config_loader, callbacks=Callbacks(config)),
                run_task,
                config,
                draft_plan(config, arguments, datetime.now(UTC)),
                arguments,
                folder=folder,
                choice=choice,
                warn=warn,
                # an adaptive sweep asks for points that no plan tells of yet
                check_job=None if source.is_here else partial(_check_job, source=source),
            )


def resume_plan(  # noqa: PLR0913  called with its words by name
    hydra_context: HydraContext,
    task_function: TaskFunction,
    config: DictConfig,
    draft: Plan,
    arguments: Sequence[str],
    *,
    folder: Path,
    choice: Choice = Choice(),
    warn: Callable[[str], object] = str,
    check_job: Callable[[DictConfig], object] | None = None,
) -> Outcome:
    """Run what is left of the sweep in a folder, which must be the one that a draft plans.

    Args:
        hydra_context: what composes each run's configuration.
        task_function: what a launcher calls with each.
        config: the configuration composed without the axes.
        draft: the plan as it would be made now.
        arguments: the overrides that made it.
        folder: the sweep's folder.
        choice: what is run again.
        warn: is told how the code differs from that of the runs before, and of runs that cannot be
            read; a sentence each.
        check_job: is given each run's configuration before the run is launched, and may refuse it.

    Raises:
        ConfigError: the draft is another sweep, or adds points where that was not asked for.
        LogError: the sweep, or a run of it, is being written by a living process.
    """
    with own_sweep(folder) as takeover:
        old = read_plan(folder)
        draft = keep_asked(old, draft)
        compose = partial(hydra_context.config_loader.load_sweep_config, config)
        _refuse(
            folder,
            old,
            [
                *plan_differences(old, draft),
                *config_differences(folder, old, draft, arguments, compose),
            ],
        )
        plan = extend_plan(old, draft, choice.command)
        if plan is not old and not choice.extend:
            raise ConfigError(
                f"{folder} already holds the sweep '{old.name}' of {old.created}, without "
                f"{len(plan.points) - len(old.points)} of these {len(plan.points)} runs; "
                f"to add them: provrunner resume {folder} and the overrides that differ"
            )
        for difference in _code_differences(first_record(folder)):
            warn(difference)
        due = _due(folder, plan, failed=choice.failed, warn=warn)
        # of jobs of a sweep that was killed: their configurations are in it, secrets and all
        shutil.rmtree(folder / SUBMITIT_FOLDER, ignore_errors=True)
        if plan is not old:
            replace_plan(folder, plan)
        return carry_out(
            hydra_context,
            task_function,
            config,
            plan,
            arguments=arguments,
            due=due,
            folder=folder,
            extra=_extra_words(choice),
            takeover=takeover,
            check_job=check_job,
        )


def _words(folder: Path, changes: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Return the folder of configuration and the overrides of a sweep, with changes to them."""
    plan = read_plan(folder)
    if plan.command[: len(COMMAND)] != COMMAND:
        told = " ".join(plan.command) or "a script of its own"
        raise LogError(
            f"{folder} was made by {told}; only a sweep that provrunner planned can be resumed"
        )
    args = get_args_parser().parse_args(list(plan.command[len(COMMAND) :]))
    words = list(args.overrides)
    for extension in plan.extensions:
        words = _replaced(words, [word for word in extension.command[_HEAD:] if "=" in word])
    words = _replaced(words, changes)
    masked = [word.partition("=")[0] for word in words if MASK in word]
    if masked:
        given = " ".join(f"{key}=..." for key in masked)
        raise ConfigError(
            f"{', '.join(masked)} is in no file of {folder}; "
            f"give it anew: provrunner resume {folder} {given}"
        )
    return (Path(args.config_dir) if args.config_dir else None), words


def _replaced(words: Sequence[str], changes: Sequence[str]) -> list[str]:
    """Return overrides with changes in place of those of the same keys, and further ones last.

    The places count: the order of the axes is that of their overrides.
    """
    left: dict[str, list[str]] = {}
    for change in changes:
        left.setdefault(_key(change), []).append(change)
    changed = set(left)
    replaced: list[str] = []
    for word in words:
        key = _key(word)
        replaced += left.pop(key, []) if key in changed else [word]
    return [*replaced, *(change for further in left.values() for change in further)]


def _key(word: str) -> str:
    """Return the key of an override; a masked one is none that Hydra's grammar could read."""
    if MASK in word:
        return word.partition("=")[0].lstrip("+~")
    return parse_overrides([word])[0].key_or_group


def _refuse(folder: Path, old: Plan, differences: Sequence[str]) -> None:
    """Refuse to mix two sweeps in one folder.

    Raises:
        ConfigError: there are differences.
    """
    if differences:
        raise ConfigError(
            f"{folder} already holds the sweep '{old.name}' of {old.created}, which is another "
            f"one: {'; '.join(differences)}; give it a folder of its own, or go on with the sweep "
            f"as it is: provrunner resume {folder}"
        )


def _due(
    folder: Path, plan: Plan, *, failed: bool, warn: Callable[[str], object] = str
) -> list[int]:
    """Return the numbers of the runs to run; what dead ones left is sealed.

    A run whose seal is damaged is left as it is: nothing vouches for what it holds.
    """
    again = (*_LEFT, RunStatus.FAILED) if failed else _LEFT
    states = _states(folder, plan, warn)
    alive = [
        plan.points[run].run_id for run, state in states.items() if state[0] is RunStatus.RUNNING
    ]
    if alive:
        raise LogError(
            f"{folder}: run {', '.join(alive)} is still being written, though what ran its sweep "
            "has ended; wait for it or end its process, then resume"
        )
    for run, (status, log_state) in states.items():
        if status is not RunStatus.PLANNED and log_state is not LogState.COMPLETE:
            # One that ended and was killed while it was sealed keeps its own end.
            place = run_folder(folder, plan.points[run].run_id)
            seal_run(place, RunStatus.LOST, "its process died and left no end")
    return [run for run, (status, _) in states.items() if status in again]


def _states(
    folder: Path, plan: Plan, warn: Callable[[str], object]
) -> dict[int, tuple[RunStatus, LogState]]:
    """Say how the runs stand, by number; those whose seal is damaged are told of and left out."""
    states: dict[int, tuple[RunStatus, LogState]] = {}
    for point in plan.points:
        try:
            states[point.run] = run_status(run_folder(folder, point.run_id))
        except DamagedSealError as error:
            warn(f"run {point.run_id} is lost and is not run again: {error}")
    return states


def _extra_words(choice: Choice) -> list[str]:
    words = ["+run.anew=true"] if choice.anew else []
    if choice.command:
        words.append(to_override("+run.command", list(choice.command)))
    return words


def _code_differences(record: RunRecord | None) -> tuple[str, ...]:
    """Say how the code here differs from that of the first run that began, as far as is known."""
    if record is None:
        return ()
    if record.code.get("commit"):
        return code_differences(record, Path.cwd())
    return module_differences(record, Path.cwd())


def _ended(folder: Path, draft: Plan, *, failed: bool) -> Counter[RunStatus] | None:
    """Count a sweep's runs by status where plainly nothing is to be run, sealed or refused.

    Then what runs call need not be imported. None where that is to be looked at more closely: in a
    search, in a sweep of groups, whose options may have changed, and in one that another process
    has claimed. A run that cannot be read is told of by who looks at all of them.
    """
    plan = read_plan(folder)
    if plan.sampler is not None or any(is_group(axis.name) for axis in plan.hyperparameters):
        return None
    if (folder / SUBMITIT_FOLDER).exists() or is_claimed(folder):
        return None
    if plan_differences(plan, draft) or extend_plan(plan, draft, ()) is not plan:
        return None
    if plan.config_sha256 != draft.config_sha256 or plan.stopped is not None:
        return None
    over = _ENDED - {RunStatus.FAILED} if failed else _ENDED
    states = _states(folder, plan, str)
    has_ended = len(states) == len(plan.points) and all(
        status in over and log_state is LogState.COMPLETE for status, log_state in states.values()
    )
    return Counter(status for status, _ in states.values()) if has_ended else None


def _check(
    folder: Path, words: Sequence[str], source: Source, config: DictConfig, draft: Plan
) -> None:
    """Check a sweep as a new one is checked, but first whether what it calls may be called."""
    if not source.is_here:
        for job in _jobs(folder, words, draft):
            _check_job(compose_config(job, return_hydra_config=True), source)
    check_sweep(config, words, draft)


def _jobs(folder: Path, words: Sequence[str], draft: Plan) -> Iterator[list[str]]:
    """Yield the overrides of each run, by today's plan and by the one that came with the sweep.

    A level may be a node or a group's option, and a value may refer to another: what a run calls
    is known only of its own configuration, composed as it will be.
    """
    old = read_plan(folder)
    draft = keep_asked(old, draft)
    # What is written down numbers the runs, and names the keys of the axes, in its own way.
    plans = [draft] if plan_differences(old, draft) else [draft, extend_plan(old, draft, ())]
    jobs = (tuple(job) for plan in plans for job in job_overrides(plan, words, folder))
    yield from map(list, dict.fromkeys(jobs))


def _check_job(config: DictConfig, source: Source) -> None:
    _check_engine(config, source)
    with hydra_resolvable(config):
        node = _resolved(config)
    check_targets({"": node}, Path.cwd(), source)


def _resolved(config: DictConfig) -> object:
    try:
        return OmegaConf.to_container(own_config(config), resolve=True)
    except OmegaConfBaseException as error:
        raise explain_interpolation(error, config_keys(config)) from error


def _check_engine(config: DictConfig, source: Source) -> None:
    """Check Hydra's own settings; what it instantiates is resolved, as it is for that."""
    if source.is_here:
        return
    with hydra_resolvable(config):
        try:
            resolved = {
                name: OmegaConf.to_container(config.hydra[name], resolve=True)
                for name in ("callbacks", "launcher", "sweeper")
                if OmegaConf.is_config(config.hydra[name])
            }
        except OmegaConfBaseException as error:
            raise explain_interpolation(error, config_keys(config)) from error
    raw = cast("dict[str, Any]", OmegaConf.to_container(config.hydra, resolve=False))
    check_engine(raw, resolved, source)

"""A sweep gone on with: what is left of it is run, and what was added to it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import cast

import hydra
from hydra._internal.callbacks import Callbacks
from hydra._internal.hydra import Hydra
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.types import HydraContext, RunMode, TaskFunction
from omegaconf import DictConfig

from provrunner.compose import (
    CONFIG_NAME,
    check_sweep,
    compose_config,
    config_folder,
    package_conf,
    parse_overrides,
)
from provrunner.compose.extend import extend_plan, keep_asked, plan_differences
from provrunner.compose.hydra_versions import version_base
from provrunner.compose.values import to_override
from provrunner.errors import ConfigError, LogError
from provrunner.log import read_plan, replace_plan
from provrunner.log.liveness import own_sweep
from provrunner.plan import Plan
from provrunner.run.code import code_differences, module_differences
from provrunner.run.due import count_ended, due_runs
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
    check_search_path,
)
from provrunner.run.unchanged import config_differences
from provrunner.run.vetting import vet_engine, vet_job, vet_jobs

__all__ = ["Choice", "resume_plan", "resume_sweep"]

_HEAD = 3
"""Words of a resuming command line before its flags and overrides: provrunner resume FOLDER."""


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
        if (ended := count_ended(folder, draft, failed=failed)) is not None:
            return Outcome(folder, ended)
        vet_jobs(folder, words, source, draft)
        check_sweep(planned, words, draft)
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
            vet_engine(config, source)
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
                check_job=None if source.is_here else partial(vet_job, source=source),
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
        due = due_runs(folder, plan, failed=choice.failed, warn=warn)
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

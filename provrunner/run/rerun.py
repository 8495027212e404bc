"""A run of before, once more: from its own record, as a sweep of one."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import hydra
from hydra._internal.callbacks import Callbacks
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf

from provrunner.compose import (
    ConfigLeaf,
    RunSpec,
    check_sweep,
    parse_overrides,
)
from provrunner.compose.hydra_versions import version_base
from provrunner.compose.load import config_keys
from provrunner.compose.sweep import config_digest
from provrunner.compose.values import to_override
from provrunner.errors import ConfigError, LogError, nearest
from provrunner.ids import run_id, trial_id
from provrunner.log import new_sweep_id
from provrunner.plan import Plan, Point
from provrunner.run.checkout import recorded_code, why_not, working_in
from provrunner.run.code import code_differences, module_differences
from provrunner.run.hidden import hide_words, left_out, shown_reason
from provrunner.run.job import read_spec
from provrunner.run.launching import Outcome, launch_plan
from provrunner.run.pruning import as_recorded
from provrunner.run.record import RunRecord, masked_keys, read_record, stopping_rule
from provrunner.run.recorded import RECORDED_NAME, write_recorded
from provrunner.run.script import recorded_script, start_script
from provrunner.run.sweeper import make_folder
from provrunner.run.trust import check_script, check_trust
from provrunner.run.words import redact_override

__all__ = ["CODE", "Repetition", "prepare_rerun", "rerun_task"]

CODE = ("recorded", "here")
"""Whose code is run."""

_LENGTHS = {"trainer.max_epochs", "trainer.max_steps", "trainer.max_time"}
"""Settings of how long a run trains."""

_FIXED = ("hydra", "run", "sweep")
"""What a rerun takes from the record in any case."""


@dataclass(frozen=True, slots=True)
class Repetition:
    """A run ready to be run again.

    Attributes:
        record: what the run left behind.
        changes: overrides of its configuration, in Hydra's grammar.
        differences: how the code in the working folder differs from the run's.
        repository: where the run's commit is read from; None where the code in the working folder
            is run.
        trusted: packages that the configuration of a run of another machine may call.
    """

    record: RunRecord
    changes: tuple[str, ...]
    differences: tuple[str, ...]
    repository: Path | None = None
    trusted: tuple[str, ...] = ()

    def start(self, warn: Callable[[str], object] = str) -> Outcome:
        """Run it with the run's configuration, seed and threads, in a new sweep folder.

        Args:
            warn: is told, before the run begins, how the code that will run differs from the run's;
                a sentence each.

        Raises:
            ConfigError: something that it needs is not here, or is not to be trusted.
            LogError: the sweep folder cannot be made, or the run's code cannot be laid out; nothing
                was written.
        """
        here = Path.cwd()
        start = self._start if self.record.config else self._start_script
        outcome = start(here, warn)
        folder = outcome.folder
        shown = folder.relative_to(here) if folder.is_relative_to(here) else folder
        return replace(outcome, folder=shown)

    def _start(self, here: Path, warn: Callable[[str], object]) -> Outcome:
        with tempfile.TemporaryDirectory(prefix="provrunner-") as name, self._at_its_code(warn):
            check_trust(self.record, Path.cwd(), self.trusted)
            added = write_recorded(Path(name), self.record.config)
            with hydra.initialize_config_dir(name, job_name="provrunner", **version_base()):
                return _launch(self.record, self.changes, added, here)

    def _start_script(self, here: Path, warn: Callable[[str], object]) -> Outcome:
        script = recorded_script(self.record.plan)
        with self._at_its_code(warn):
            check_script(self.record, script.target, self.trusted)
            return start_script(self.record, script, here / "outputs", warn)

    @contextmanager
    def _at_its_code(self, warn: Callable[[str], object]) -> Iterator[None]:
        if self.repository is None:
            for difference in self.differences:
                warn(difference)
            yield
            return
        with recorded_code(self.record, self.repository) as start, working_in(start):
            for difference in module_differences(self.record, start):
                warn(difference)
            yield


def prepare_rerun(
    folder: Path,
    run: int | str,
    changes: Sequence[str] = (),
    *,
    code: str = "recorded",
    repository: Path = Path(),
    trusted: Collection[str] = (),
) -> Repetition:
    """Read a run's record, and see whether the code that it ran can be run again.

    The configuration is the one recorded with the run, whatever today's `conf/` says. The code is
    the one in the working folder if that is the same; else the commit with the uncommitted changes,
    laid out in a temporary folder.

    Args:
        folder: the sweep's folder.
        run: number or id of the run.
        changes: overrides such as `data.password=...`; each secret of the configuration, which was
            not recorded, needs one.
        code: `recorded`, or `here` for the code in the working folder, whatever it is.
        repository: a folder inside the git repository that holds the run's commit.
        trusted: packages that the configuration of a run of another machine may call, beside those
            of its code, torch and Lightning.

    Raises:
        LogError: there is no such run, too little is left of it, or its code cannot be had.
        ConfigError: an override is wrong, or a secret is missing.
    """
    record = read_record(folder, run)
    if not record.config:
        recorded_script(record.plan)
    keys = _check_changes(record, changes)
    missing = [name for name in masked_keys(record.config) if not _is_within(name, keys)]
    if missing:
        given = " ".join(f"{name}=..." for name in missing)
        raise ConfigError(
            f"run {record.point.run_id}: {', '.join(missing)} was secret and is not in the record; "
            f"give it anew: provrunner rerun {record.point.run} {given}"
        )
    if code not in CODE:
        raise ConfigError(f"--code: {code!r} is none of {', '.join(CODE)}{nearest(code, CODE)}")
    differences = code_differences(record, Path.cwd())
    is_here = code == "here" or not differences or _is_same_here(record, repository)
    place = None if is_here else repository.resolve()
    return Repetition(record, tuple(changes), differences, place, tuple(trusted))


def _is_same_here(record: RunRecord, repository: Path) -> bool:
    """Say whether the modules here are the run's; False where its commit can be had instead."""
    reason = why_not(record, repository)
    if reason is None:
        return False
    # Whatever the commit is called here: the modules that the run loaded are the same.
    if record.sources and not module_differences(record, Path.cwd()):
        return True
    raise LogError(
        f"the code of run {record.point.run_id} cannot be had: {reason}, and the code here is "
        "not known to be the same; name its repository with --repository, or run what lies here "
        "with --code here"
    )


def rerun_task(config: DictConfig) -> str:
    """Execute the run that a recorded configuration describes, and return its status."""
    import torch

    from provrunner.run.runner import execute

    if threads := config.run.get("threads"):
        torch.set_num_threads(threads)
    spec = read_spec(config)
    return execute(replace(spec, leaves=_leaves(spec, tuple(config.run.get("added", ()))))).value


def _leaves(spec: RunSpec, added: Sequence[str]) -> tuple[ConfigLeaf, ...]:
    """Say of each value that it is the record's, a default of today, or what replaced it."""
    origin = spec.plan.origin
    source = f"config.yaml of run {origin.run_id} in {origin.sweep_id}" if origin else None
    return tuple(
        leaf
        if leaf.origin == "command line"
        else replace(leaf, origin="default", source=None)
        if _is_within(leaf.name, added)
        else replace(leaf, origin="record", source=source)
        for leaf in spec.leaves
    )


def _check_changes(record: RunRecord, changes: Sequence[str]) -> set[str]:
    """Return the keys that overrides change; each must be a value of the record."""
    config = OmegaConf.create(dict(record.config))
    known = config_keys(config)
    keys = set()
    for one in parse_overrides(changes):
        key, text = one.key_or_group, one.input_line
        if one.is_sweep_override() or one.is_delete() or one.is_add():
            raise ConfigError(f"command line: {text!r}: a rerun takes key=value only")
        if key.split(".")[0] in _FIXED:
            raise ConfigError(f"command line: {text!r}: a rerun keeps the run's own {key!r}")
        if key not in known:
            raise ConfigError(
                f"command line: {text!r}: the run's configuration has no key {key!r}"
                f"{nearest(key, known)}"
            )
        if isinstance(OmegaConf.select(config, key), DictConfig):
            raise ConfigError(
                f"command line: {text!r}: {key!r} is a group of values in the run's configuration; "
                "give the values themselves"
            )
        keys.add(key)
    return keys


def _is_within(name: str, keys: Collection[str]) -> bool:
    return any(name == key or name.startswith(f"{key}.") for key in keys)


def _launch(record: RunRecord, changes: Sequence[str], added: Sequence[str], here: Path) -> Outcome:
    engine = cast("Hydra", GlobalHydra.instance().hydra)
    config = engine.compose_config(
        config_name=RECORDED_NAME,
        overrides=list(changes),
        run_mode=RunMode.MULTIRUN,
        with_log_configuration=False,
    )
    now = datetime.now(UTC)
    plan = _plan(record, config, changes, now)
    bare = replace(plan, points=(replace(plan.points[0], values={}),))
    check_sweep(config, (), bare)
    config.output = str(here / config.output)
    folder = make_folder(config, plan.name, now)
    plan = replace(plan, sweep_id=new_sweep_id(folder, named=config.folder is not None))
    context = HydraContext(config_loader=engine.config_loader, callbacks=Callbacks(config))
    words = [*changes, to_override("run.folder", str(folder)), "run.number=0"]
    if added:
        words.append(to_override("+run.added", list(added)))
    if record.threads:
        words.append(f"+run.threads={record.threads}")
    return launch_plan(context, rerun_task, config, plan, jobs=[words], folder=folder)


def _plan(record: RunRecord, config: DictConfig, changes: Sequence[str], now: datetime) -> Plan:
    old = record.point
    words = hide_words(map(redact_override, changes), left_out(config))
    return Plan(
        sweep_id="",
        name=record.plan.name,
        created=now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        objective=record.plan.objective,
        design="single",
        hyperparameters=(),
        points=(_point(old, config),),
        seeds=record.plan.seeds,
        command=("provrunner", "rerun", old.run_id, str(record.folder), *words),
        config_sha256=config_digest(config),
        reason=shown_reason(config),
        origin=record.origin,
        base_iri=record.plan.base_iri,
        granularity=record.plan.granularity,
        pruning=_pruning(record, changes),
    )


def _pruning(record: RunRecord, changes: Sequence[str]) -> Mapping[str, Any] | None:
    """Return what ends a run where a rule stopped the one that it repeats.

    Who gives it another number of epochs wants those.
    """
    found = stopping_rule(record)
    given = {one.key_or_group for one in parse_overrides(changes)}
    return None if found is None or given & _LENGTHS else as_recorded(*found)


def _point(old: Point, config: DictConfig) -> Point:
    """Return the run's place in a plan of its own, with the values that it had or now gets."""
    found = {name: OmegaConf.select(config, name) for name in old.values}
    values = {
        # A swept group is a node of the configuration; its option's name is the value.
        name: old.values[name] if isinstance(value, DictConfig) else value
        for name, value in found.items()
    }
    seed = int(config.seed)
    return Point(0, run_id(0, values, seed), trial_id(values), old.replicate, seed, values)

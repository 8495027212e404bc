"""Whether what a sweep calls may be called: that of another machine only as far as is trusted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from provrunner.compose import compose_config, job_overrides, own_config
from provrunner.compose.extend import extend_plan, keep_asked, plan_differences
from provrunner.compose.load import config_keys
from provrunner.compose.mistakes import explain_interpolation
from provrunner.compose.resolvers import hydra_resolvable
from provrunner.log import read_plan
from provrunner.plan import Plan
from provrunner.run.trust import Source, check_engine, check_targets

__all__ = ["vet_engine", "vet_job", "vet_jobs"]


def vet_jobs(folder: Path, words: Sequence[str], source: Source, draft: Plan) -> None:
    """Check whether what the runs of a sweep call may be called.

    Args:
        folder: the sweep's folder.
        words: the overrides that make the sweep.
        source: where it comes from; one of here may call anything.
        draft: the plan as it would be made now.

    Raises:
        ConfigError: a run calls what is not trusted.
    """
    if not source.is_here:
        for job in _jobs(folder, words, draft):
            vet_job(compose_config(job, return_hydra_config=True), source)


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


def vet_job(config: DictConfig, source: Source) -> None:
    """Check one run's configuration, as `vet_jobs` does each."""
    vet_engine(config, source)
    with hydra_resolvable(config):
        node = _resolved(config)
    check_targets({"": node}, Path.cwd(), source)


def _resolved(config: DictConfig) -> object:
    try:
        return OmegaConf.to_container(own_config(config), resolve=True)
    except OmegaConfBaseException as error:
        raise explain_interpolation(error, config_keys(config)) from error


def vet_engine(config: DictConfig, source: Source) -> None:
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

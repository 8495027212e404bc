"""Plan a sweep's runs: every point with its values and seed, before the first run starts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from provrunner.compose.axes import Axis, command_line_axes, file_axes, list_axes
from provrunner.compose.declaration import Declaration, read_declaration
from provrunner.compose.designs import draw_trials, ofat_trials
from provrunner.compose.environment import available_cores
from provrunner.compose.limits import check_axes, check_distinct, check_size
from provrunner.compose.load import group_options, parse_overrides
from provrunner.compose.mistakes import explain_interpolation
from provrunner.compose.origins import source_of
from provrunner.compose.resolvers import hydra_resolvable
from provrunner.compose.seeds import base_seed, given_seeds, independent_seed
from provrunner.compose.space import Space, check_within, read_space
from provrunner.compose.values import plain_value, to_override
from provrunner.errors import ConfigError
from provrunner.ids import canonical_json, digest, run_id, trial_id
from provrunner.plan import Hyperparameter, Plan, Point, Sampler

__all__ = [
    "NOT_OF_THE_RESULT",
    "build_plan",
    "config_digest",
    "job_overrides",
    "read_search",
    "runs_at_once",
    "trial_points",
]

_FEWEST_BATCHES = 8
NOT_OF_THE_RESULT = (
    *("folder", "hydra", "on_error", "output", "provenance", "reason", "run"),
    *("sweep", "yes"),
)
"""Nodes of a configuration that change nothing in what a run gives."""

_PLAIN_NAME = re.compile(r"\w[\w.-]{0,99}")


def build_plan(
    cfg: DictConfig,
    arguments: Sequence[str],
    *,
    sweep_id: str,
    created: str,
    command: Sequence[str],
) -> Plan:
    """Plan all runs of a sweep, ordered by trial and then by replicate.

    Args:
        cfg: the configuration composed without the axes.
        arguments: the overrides of the command line; axes among them replace those of the sweep
            file, and a plain value for an axis of the file fixes it.
        sweep_id: unique name of the sweep.
        created: UTC time in ISO 8601.
        command: the command line as it is to be kept, without secrets.

    Raises:
        ConfigError: the sweep cannot be planned as declared.
    """
    with hydra_resolvable(cfg):
        return _build_plan(cfg, arguments, sweep_id, created, tuple(command))


def _build_plan(
    cfg: DictConfig, arguments: Sequence[str], sweep_id: str, created: str, command: tuple[str, ...]
) -> Plan:
    declared = read_declaration(cfg, arguments)
    axes = _axes(declared, arguments)
    given = given_seeds(axes.pop("seed", None))
    replicates = len(given) or declared.replicates
    space = _space(declared, axes, arguments)
    free = {block[0]: space.axes[block[0]] for block in space.blocks}
    check_size(declared, free, replicates, is_confirmed=cfg.get("yes") is True)
    base = base_seed(cfg, replicates)
    trials = _trials(declared, space, cfg, base)
    seeds = given or tuple(base + replicate for replicate in range(replicates))
    is_independent = declared.seeds == "independent" and not given
    points = _points(trials, seeds, base if is_independent else None)
    return Plan(
        sweep_id=sweep_id,
        name=_name(declared, cfg),
        created=created,
        objective=declared.objective,
        design=declared.design if axes else "single",
        hyperparameters=tuple(
            _hyperparameter(axis, cfg, space.when.get(name)) for name, axis in space.axes.items()
        ),
        points=points,
        replicates=replicates,
        seeds="independent" if is_independent else "common",
        command=command,
        config_sha256=config_digest(cfg),
        base_iri=OmegaConf.select(cfg, "provenance.base_iri"),
        granularity=OmegaConf.select(cfg, "provenance.granularity", default="checkpointed"),
        further=declared.further,
        zipped=space.zipped,
        sampler=_sampler(declared, cfg, base, seeds) if declared.is_adaptive else None,
        pruning=declared.pruning,
    )


def read_search(cfg: DictConfig, arguments: Sequence[str]) -> tuple[Space, list[dict[str, Any]]]:
    """Return the space that a sweep's points are asked from, and the points given first.

    Raises:
        ConfigError: it cannot be spanned as declared.
    """
    with hydra_resolvable(cfg):
        declared = read_declaration(cfg, arguments)
        axes = _axes(declared, arguments)
        axes.pop("seed", None)
        space = _space(declared, axes, arguments)
        return space, _fixed(declared, space)


def trial_points(plan: Plan, values: Mapping[str, Any], first: int) -> tuple[Point, ...]:
    """Return the runs of one more trial of an adaptive sweep, one a replicate.

    Args:
        plan: with a sampler.
        values: of the trial.
        first: number of the first of them.
    """
    if plan.sampler is None:
        raise ValueError("a plan without a sampler has all its points")
    base = plan.sampler.seed if plan.seeds == "independent" else None
    return _points([values], plan.sampler.seeds, base, first=first)


def job_overrides(plan: Plan, arguments: Sequence[str], folder: Path) -> list[list[str]]:
    """Return the overrides that compose each planned run's configuration, in the plan's order.

    Args:
        plan: what `build_plan` gave for the same arguments.
        arguments: the overrides of the command line.
        folder: the sweep's folder.
    """
    keys = {axis.name: axis.grammar.partition("=")[0] for axis in plan.hyperparameters}
    replaced = {*keys, "seed", "run.folder", "run.number"}
    kept = [
        text
        for text, parsed in zip(arguments, parse_overrides(arguments), strict=True)
        if not parsed.is_sweep_override() and parsed.key_or_group not in replaced
    ]
    return [
        [
            *kept,
            *(to_override(keys[name], value) for name, value in point.values.items()),
            f"seed={point.seed}",
            to_override("run.folder", str(folder)),
            f"run.number={point.run}",
        ]
        for point in plan.points
    ]


def _axes(declared: Declaration, arguments: Sequence[str]) -> dict[str, Axis]:
    """Merge the file's axes with the command line's; `seed` may be one of them."""
    plain = [one for one in parse_overrides(arguments) if not one.is_sweep_override()]
    fixed = {one.key_or_group for one in plain}
    given = command_line_axes(arguments)
    if declared.design == "list":
        further = [name for name in given if name != "seed"]
        if further:
            raise ConfigError(
                f"command line: {further[0]!r} cannot be an axis beside sweep.points of "
                f"{declared.where}; give it in the points, or set sweep.design=grid"
            )
        points = _without(declared.points, fixed)
        listed = list_axes(points, declared.where) | given
        check_axes(declared, listed)
        return listed
    axes = file_axes(declared.params, declared.where)
    is_sweep_file = any(one.key_or_group == "sweep" for one in plain)
    if is_sweep_file and not axes and not given and declared.replicates == 1:
        raise ConfigError(
            f"{declared.where}: the sweep is empty; give sweep.params at least one axis, "
            "such as {optimizer.lr: 'choice(0.01, 0.1)'}"
        )
    spanned = {name: axis for name, axis in axes.items() if name not in fixed} | given
    check_axes(declared, spanned)
    return spanned


def _space(declared: Declaration, axes: Mapping[str, Axis], arguments: Sequence[str]) -> Space:
    plain = [one for one in parse_overrides(arguments) if not one.is_sweep_override()]
    fixed = {
        one.key_or_group: plain_value(one.value())
        for one in plain
        if one.key_or_group in declared.params and one.key_or_group not in axes
    }
    return read_space(axes, declared.zipped, declared.when, fixed=fixed, where=declared.where)


def _sampler(declared: Declaration, cfg: DictConfig, base: int, seeds: Sequence[int]) -> Sampler:
    """Say what will be asked; it is loaded here, so that its absence is told before any run."""
    from provrunner.compose.samplers import describe_sampler

    agent, version = describe_sampler(declared.design, declared.sampler, declared.where)
    is_independent = declared.seeds == "independent"
    trials = len(declared.points) + (declared.trials or 0)
    # a search that is asked for all its points at once has no results to learn from
    widest = max(1, trials // _FEWEST_BATCHES)
    batch = declared.batch or min(widest, max(1, -(-runs_at_once(cfg) // len(seeds))))
    return Sampler(
        agent=agent,
        version=version,
        seed=base,
        trials=trials,
        batch=batch,
        seeds=(0,) * len(seeds) if is_independent else tuple(seeds),
        options=declared.sampler,
    )


def runs_at_once(cfg: DictConfig) -> int:
    """Return how many runs the launcher has under way, as far as its settings tell."""
    stated = OmegaConf.select(cfg, "hydra.launcher.n_jobs")
    if isinstance(stated, int) and stated > 0:
        return stated
    devices = OmegaConf.select(cfg, "trainer.devices")
    return max(1, available_cores() // (devices if isinstance(devices, int) and devices > 0 else 1))


def _points(
    trials: Sequence[Mapping[str, Any]],
    seeds: Sequence[int],
    base: int | None,
    *,
    first: int = 0,
) -> tuple[Point, ...]:
    """Number the runs; with a base seed, each derives its own from base, replicate and trial."""
    points: list[Point] = []
    for values in trials:
        trial = trial_id(values)
        for replicate, common in enumerate(seeds):
            seed = common if base is None else independent_seed(base, replicate, trial)
            number = first + len(points)
            name = run_id(number, values, seed)
            points.append(Point(number, name, trial, replicate, seed, values))
    return tuple(points)


def _without(points: Sequence[Mapping[str, Any]], fixed: set[str]) -> list[dict[str, Any]]:
    return [{key: point[key] for key in point if key not in fixed} for point in points]


def _trials(
    declared: Declaration, space: Space, cfg: DictConfig, seed: int
) -> list[dict[str, Any]]:
    if declared.design == "list":
        listed = _listed(declared, space.axes)
        check_distinct(listed, declared.where)
        return listed
    if declared.design == "ofat":
        return ofat_trials(space.axes, {name: _default(name, cfg) for name in space.axes})
    if not declared.is_drawn:
        return space.grid()
    fixed = _fixed(declared, space)
    if declared.is_adaptive:
        return []  # they are asked for, those given first as well
    return draw_trials(declared.design, space, declared.trials or 0, seed=seed, fixed=fixed)


def _listed(declared: Declaration, axes: Mapping[str, Axis]) -> list[dict[str, Any]]:
    return [{name: point[name] for name in axes if name in point} for point in declared.points]


def _fixed(declared: Declaration, space: Space) -> list[dict[str, Any]]:
    """Return the points that come first, each with a value for every axis that is active in it."""
    for point in declared.points:
        active = space.point({name: point.get(name) for name in space.axes})
        if point.keys() != active.keys():
            raise ConfigError(
                f"{declared.where}: sweep.points have {', '.join(point)}; before drawn points "
                f"they need exactly the axes {', '.join(active)}"
            )
    check_distinct(declared.points, declared.where)
    if declared.is_adaptive:
        check_within(space, declared.points, f"{declared.where}: sweep.points")
    return _listed(declared, space.axes)


def _name(declared: Declaration, cfg: DictConfig) -> str:
    choices = OmegaConf.select(cfg, "hydra.runtime.choices") or {}
    name = declared.name or choices.get("sweep")
    if name is None:
        name = "-".join(str(choices[group]) for group in ("model", "data") if choices.get(group))
    if not isinstance(name, str) or not _PLAIN_NAME.fullmatch(name or "sweep"):
        where = source_of("sweep.name", cfg.get("hydra"))
        raise ConfigError(
            f"{where}: sweep.name: {name!r} is to name a folder; "
            "expected at most 100 letters, digits, '_', '-' and '.', a letter or digit first"
        )
    return name or "sweep"


def _hyperparameter(
    axis: Axis, cfg: DictConfig, when: Mapping[str, tuple[Any, ...]] | None
) -> Hyperparameter:
    return Hyperparameter(
        name=axis.name,
        levels=axis.levels,
        scale=axis.scale,
        default=_default(axis.name, cfg),
        grammar=axis.grammar,
        low=axis.span[0] if axis.span else None,
        high=axis.span[1] if axis.span else None,
        when=when,
    )


def _default(name: str, cfg: DictConfig) -> Any:
    if group_options(name.partition("@")[0]):
        choices = OmegaConf.select(cfg, "hydra.runtime.choices") or {}
        return choices.get(name)
    return _plain(cfg, name)


def config_digest(cfg: DictConfig) -> str:
    """Digest all of a configuration that may change a run's result."""
    kept = [str(key) for key in cfg if key not in NOT_OF_THE_RESULT]
    return digest(canonical_json({key: _plain(cfg, key) for key in kept}))


def _plain(cfg: DictConfig, key: str) -> Any:
    try:
        value = OmegaConf.select(cfg, key)
        return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
    except OmegaConfBaseException as error:
        raise explain_interpolation(error, map(str, cfg)) from error

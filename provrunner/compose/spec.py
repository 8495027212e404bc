"""What one run is told: its place in the plan and its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from provrunner.compose.environment import JoinedRun
from provrunner.plan import Plan, Point

if TYPE_CHECKING:
    from provrunner.compose.origins import ConfigLeaf

__all__ = ["RunSpec"]

_INTERNAL = ("run", "hydra")


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One run of a plan, ready to be executed.

    Attributes:
        folder: the sweep folder.
        plan: the sweep's plan, whose points are not looked at.
        point: this run's place in it.
        runs: how many the plan promises.
        config: the resolved configuration, without what is Hydra's or the sweeper's own.
        leaves: each leaf of `config` with where it came from.
        overrides: the command-line words that made it.
        launcher: the name of what started it.
        references: for each leaf, the leaves that it refers to in the configuration as written.
        command: the command line that runs it now; empty stands for the plan's.
        anew: begin an interrupted run from its first step, whatever checkpoints it left.
        taken_over: host and pid of dead processes; this run is the first after them in the sweep.
        checkpoint: what a further rank goes on from, as the first one does.
    """

    folder: Path
    plan: Plan
    point: Point
    runs: int
    config: DictConfig
    leaves: tuple[ConfigLeaf, ...] = ()
    overrides: tuple[str, ...] = ()
    launcher: str | None = field(default=None)
    references: Mapping[str, frozenset[str]] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    anew: bool = False
    taken_over: tuple[Mapping[str, str | None], ...] = ()
    checkpoint: str | None = None

    def to_joined(self, checkpoint: Path | None = None) -> JoinedRun:
        """Give what a further rank of this run needs, which goes on from a checkpoint if any."""
        return JoinedRun(
            folder=str(self.folder),
            number=self.point.run,
            config=OmegaConf.to_yaml(self.config, resolve=True),
            checkpoint=None if checkpoint is None else str(checkpoint),
        )

    @classmethod
    def from_joined(cls, joined: JoinedRun, plan: Plan, point: Point, runs: int) -> RunSpec:
        """Make the specification that a further rank works from."""
        return cls(
            folder=Path(joined.folder),
            plan=plan,
            point=point,
            runs=runs,
            config=_as_config(OmegaConf.create(joined.config)),
            checkpoint=joined.checkpoint,
        )


def own_config(config: DictConfig) -> DictConfig:
    """Copy a configuration without the nodes that are Hydra's or the sweeper's own, resolved."""
    kept = [str(key) for key in config if key not in _INTERNAL]
    resolved = OmegaConf.to_container(OmegaConf.masked_copy(config, kept), resolve=True)
    return _as_config(OmegaConf.create(resolved))


def _as_config(config: object) -> DictConfig:
    if not isinstance(config, DictConfig):
        raise TypeError(f"expected a mapping at the root of a configuration, got {type(config)}")
    return config

"""The seeds of a sweep's runs."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from provrunner.compose.axes import Axis
from provrunner.compose.origins import source_of
from provrunner.errors import ConfigError
from provrunner.ids import canonical_json, digest

__all__ = ["base_seed", "given_seeds", "independent_seed"]

_MAX_SEED = 2**32 - 1


def given_seeds(axis: Axis | None) -> tuple[int, ...]:
    """Return the seeds that an axis `seed` lists, none without one.

    Raises:
        ConfigError: a level is no seed.
    """
    if axis is None:
        return ()
    for level in axis.levels:
        _check_seed(level, 0, axis.where)
    return axis.levels


def base_seed(cfg: DictConfig, replicates: int) -> int:
    """Return the seed of the first replicate; those of the others follow it.

    Raises:
        ConfigError: it is no seed, or leaves too few after it.
    """
    base = cfg.get("seed")
    _check_seed(base, replicates - 1, f"{source_of('seed', cfg.get('hydra'))}: seed")
    return int(base)


def independent_seed(base: int, replicate: int, trial: str) -> int:
    """Derive the seed of a replicate that shares none with other trials."""
    return int(digest(canonical_json([base, replicate, trial]))[:8], 16)


def _check_seed(value: Any, further: int, where: str) -> None:
    is_int = isinstance(value, int) and not isinstance(value, bool)
    if not is_int or not 0 <= value <= _MAX_SEED - further:
        raise ConfigError(
            f"{where}: {value!r} is no seed; "
            f"expected a whole number from 0 to {_MAX_SEED - further}"
        )

"""The one place that makes a run's randomness its own."""

from __future__ import annotations

import random
import sys
import warnings

__all__ = ["seed_loaded", "seed_run"]


def seed_run(seed: int | None) -> None:
    """Seed Python, NumPy and torch, and the workers of every DataLoader made afterwards.

    None leaves all of them as they are.
    """
    if seed is None:
        return
    from lightning.fabric.utilities.seed import seed_everything

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seed_everything(seed, workers=True, verbose=False)


def seed_loaded(seed: int) -> None:
    """Seed Python, NumPy, and torch where the program has imported it; load nothing."""
    random.seed(seed)
    for module, function in (("numpy.random", "seed"), ("torch", "manual_seed")):
        if module in sys.modules:
            getattr(sys.modules[module], function)(seed)

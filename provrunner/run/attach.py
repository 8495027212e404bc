"""The callback that every Trainer of a program is given where its user asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provrunner.compose.environment import recorded_sweep, recording_folder

if TYPE_CHECKING:
    from lightning.pytorch import Callback

__all__ = ["attached_callbacks"]


def attached_callbacks() -> list[Callback]:
    """Return the callbacks that each Trainer gets besides its own: none, unless they are asked for.

    `provrunner exec` asks, and the variable `PROVRUNNER`. Lightning calls this for every Trainer
    that is made where provrunner is installed, by the entry points
    `lightning.pytorch.callbacks_factory` and `pytorch_lightning.callbacks_factory`.
    """
    if recorded_sweep() is None and recording_folder() is None:
        return []
    from provrunner.run.attached import AttachedCallback

    return [AttachedCallback()]

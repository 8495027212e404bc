"""The steps that every run takes, what flows between them, and which settings enter each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["STEPS", "Step", "steps_of"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the plan, with its typed ports.

    Attributes:
        does: what it does, in a few words.
        inputs: the port `<step>.<port>` that each input port takes its data from.
        outputs: the type of what each output port gives.
    """

    does: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


STEPS: Mapping[str, Step] = {
    "prepare": Step("make the data set ready", {}, {"data": "pr:Dataset"}),
    "split": Step(
        "divide and transform the data",
        {"data": "prepare.data"},
        {"train": "pr:Split", "val": "pr:Split", "test": "pr:Split"},
    ),
    "fit": Step(
        "train the model",
        {"train": "split.train"},
        {"model": "pr:ModelState", "metrics": "pr:Metric"},
    ),
    "validate": Step(
        "judge the model after each epoch",
        {"model": "fit.model", "val": "split.val"},
        {"metrics": "pr:Metric"},
    ),
    "checkpoint": Step(
        "keep the model",
        {"model": "fit.model", "metrics": "validate.metrics"},
        {"file": "pr:Checkpoint"},
    ),
    "test": Step(
        "judge the kept model",
        {"model": "checkpoint.file", "test": "split.test"},
        {"metrics": "pr:Metric"},
    ),
    "analyse": Step(
        "tell what matters",
        {"metrics": "validate.metrics"},
        {"effects": "pr:SensitivityResult"},
    ),
}
"""Every step by its name, in the order in which a sweep takes them."""

_ENTERS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(pattern), steps)
    for pattern, steps in (
        (r"data(\._target_)?", ("prepare", "split")),
        (r"data\..*(split|fraction|ratio|fold|scale)\w*", ("split",)),
        (r"data\..*(batch|worker|shuffle|loader|drop_last)\w*", ("fit", "validate", "test")),
        (r"data\..*", ("prepare",)),
        (r"sweep\..*", ("analyse",)),
        (r"test", ("test",)),
        (r"seed", ("split", "fit")),
        (r"(output|folder|reason|yes)|(run|on_error|capture|provenance|hydra)(\..*)?", ()),
    )
)
_CALLBACK = re.compile(r"(trainer\.callbacks\.[^.]+)(\..*)?")


def steps_of(name: str, targets: Mapping[str, str]) -> tuple[str, ...]:
    """Return the steps that a setting enters, by its place in the configuration.

    What no rule knows, such as a configuration group of the user's own, enters the training. A
    callback that writes checkpoints is told by its class, whatever its key.

    Args:
        name: a configuration path.
        targets: the class path by the path that holds its `_target_`.

    Example:
        >>> steps_of("optimizer.lr", {}), steps_of("data.val_fraction", {})
        (('fit',), ('split',))
        >>> steps_of("trainer.callbacks.keep.monitor", {"trainer.callbacks.keep": "x.MyCheckpoint"})
        ('checkpoint',)
    """
    callback = _CALLBACK.fullmatch(name)
    if callback and targets.get(callback[1], "").endswith("Checkpoint"):
        return ("checkpoint",)
    for pattern, steps in _ENTERS:
        if pattern.fullmatch(name):
            return steps
    return ("fit",)

"""The callback for anyone's own script: a sweep of one run, with no Hydra."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from provrunner import capture
from provrunner.capture import CaptureOptions, RunContext
from provrunner.compose import shared_folder
from provrunner.ids import run_id, trial_id
from provrunner.log import ArrowSink, create_sweep_folder, run_folder, write_plan
from provrunner.plan import Objective, Plan, Point
from provrunner.run.signals import StopListener
from provrunner.run.words import redact_override
from provrunner.schema import RunStatus

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer

__all__ = ["ProvenanceCallback"]


class ProvenanceCallback(capture.ProvenanceCallback):
    """Record all that a Trainer does, below a folder, as a sweep of one run.

    Give it to any Trainer of `lightning` or `pytorch_lightning`; fit, validate, test and predict
    of that Trainer go to one log, which is sealed when the program ends, when a stage raises, or by
    `close()`. Every verb of provrunner reads the result: `provrunner summary logs`.

    Attributes:
        folder: the sweep folder, `<folder>/<name>/<date_time>-<6 hex>/`.
    """

    def __init__(
        self,
        folder: str | Path = "outputs",
        *,
        name: str = "script",
        objective: str = "val/loss",
        direction: str = "minimize",
        options: CaptureOptions = CaptureOptions(),  # noqa: B008 - frozen
    ) -> None:
        """Make the folder ready.

        Args:
            folder: parent of the sweep folder.
            name: what the sweep is called.
            objective: the metric that the run is judged by.
            direction: `minimize` or `maximize`.
            options: how much is captured.

        Raises:
            LogError: the folder cannot be made.
        """
        now = datetime.now(UTC)
        self.folder = shared_folder(lambda: create_sweep_folder(Path(folder), name, now=now))
        plan = _plan_of_one(self.folder.name, name, Objective(objective, direction), now)
        if not (self.folder / "plan.json").exists():
            write_plan(self.folder, plan)
        point = plan.points[0]
        run = run_folder(self.folder, point.run_id)
        run.mkdir(exist_ok=True)
        sink = ArrowSink(run, sweep_id=plan.sweep_id, run_id=point.run_id)
        context = RunContext(run_id=point.run_id, launcher="script")
        super().__init__(sink, options=options, context=context)
        self._listener = StopListener(self, sink.after_write)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Open the log, and seal it from now on when the program is stopped from outside."""
        self._listener.listen()
        super().setup(trainer, pl_module, stage)

    def close(self, status: RunStatus | None = None, reason: str | None = None) -> None:
        """Write how the run ended and seal the log; a second call does nothing.

        Args:
            status: None stands for what ended the training, or `finished`.
            reason: in one line.
        """
        super().close(status, reason)
        self._listener.leave()


def _plan_of_one(sweep_id: str, name: str, objective: Objective, now: datetime) -> Plan:
    point = Point(
        run=0,
        run_id=run_id(0, {}, seed=0),
        trial_id=trial_id({}),
        replicate=0,
        seed=None,
        values={},
    )
    return Plan(
        sweep_id=sweep_id,
        name=name,
        created=now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        objective=objective,
        design="single",
        hyperparameters=(),
        points=(point,),
        command=tuple(redact_override(word) for word in sys.orig_argv),
    )

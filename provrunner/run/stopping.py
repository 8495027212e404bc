"""Stops a run early: by the sweep's rule, or because it has diverged."""
# ruff: noqa: ARG002 - Lightning gives every hook its arguments by position

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from provrunner.log import run_folder
from provrunner.log.curves import Curve, Curves
from provrunner.plan import Objective, Plan, Point
from provrunner.run.losses import Losses
from provrunner.run.pruning import Decision, judge
from provrunner.schema import RunStatus

__all__ = ["RuleStop"]

_WINDOW = 20
"""Batches whose losses are looked at together."""

_STREAK = 10
"""Batches in a row without a finite loss: mixed precision skips a few and recovers."""


_OBJECTIVES = {"value", "median"}
"""Numbers of a decision that are objectives; rules see them turned so that lower is better."""


class RuleStop(Callback):
    """Sets `trainer.should_stop` and keeps the decision, from which the capture tells the cause.

    At the end of an epoch the objective by epoch of this run and the others is read from the
    sweep's folder: nobody waits for anybody, and any launcher will do that shares the folder. Of
    several ranks the first decides.

    Args:
        folder: the sweep's folder.
        plan: with the objective and the rule; without a rule only divergence stops the run.
        point: this run's place in the plan.
        divergence: `stop` and `factor` as `sweep.divergence` has them; None: nothing diverges.
    """

    def __init__(
        self, folder: Path, plan: Plan, point: Point, divergence: Mapping[str, Any] | None
    ) -> None:
        self._rule, self._objective = plan.pruning, plan.objective
        # Patience asks whether the best value has got better, whichever one counts in the end.
        at_best = Objective(plan.objective.metric, plan.objective.direction, "best")
        counts = at_best if self._rule and self._rule["rule"] == "patience" else plan.objective
        self._own = Curve(run_folder(folder, point.run_id), counts)
        self._others = Curves(folder, counts, point.run_id)
        self._judged = 0
        self._is_watched = bool(divergence and divergence.get("stop"))
        self._factor = divergence.get("factor") if divergence else None
        self._losses = Losses(_WINDOW)
        self._first: float | None = None
        self._streak = 0
        self.decision: Decision | None = None

    @property
    def outcome(self) -> tuple[RunStatus, str] | None:
        """Status and reason of a run that was stopped; None where it was not."""
        if self.decision is None:
            return None
        is_divergence = self.decision.cause == "divergence"
        status = RunStatus.DIVERGED if is_divergence else RunStatus.PRUNED
        return status, self.decision.reason

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take what earlier attempts have reached as judged."""
        if self._rule is not None and trainer.is_global_zero:
            self._own.update()
            self._judged = self._own.epochs

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Keep the loss, and look at some of them together."""
        if not self._is_watched:
            return
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if isinstance(loss, torch.Tensor) and loss.numel() == 1:
            self._losses.add(loss)
        for losses in self._losses.arrived():
            found = self._look_at(losses)
            if trainer.world_size == 1 and (found or self._streak >= _STREAK):
                self._stop(trainer, found or self._no_number())

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Decide whether there is to be another epoch."""
        if self.decision is None and self._is_watched:
            found = self._diverged(trainer)
            self._share(trainer, found, Decision("divergence", "another rank diverged"))
        if self.decision is None and self._rule is not None and not _is_last(trainer):
            found = self._judge(self._rule) if trainer.is_global_zero else None
            cause = self._rule["rule"]
            self._share(trainer, found, Decision(cause, f"{cause}: as the first rank decided"))

    def _judge(self, rule: Mapping[str, Any]) -> Decision | None:
        self._own.update()
        before, self._judged = self._judged, self._own.epochs
        if self._judged <= before:
            return None
        found = judge(rule, before, self._judged, self._own.reached, self._others.reached)
        if found is None:
            return None
        sign = -1.0 if self._objective.direction == "maximize" else 1.0
        turned = {key: sign * found.numbers[key] for key in _OBJECTIVES & found.numbers.keys()}
        return replace(found, numbers={**found.numbers, **turned})

    def _diverged(self, trainer: Trainer) -> Decision | None:
        for losses in self._losses.all():
            if found := self._look_at(losses):
                return found
        if self._streak:
            return self._no_number()
        metric = self._objective.metric
        value = trainer.callback_metrics.get(metric)
        if value is None or math.isfinite(float(value)):
            return None
        return Decision("divergence", f"{metric} is {float(value)}", {metric: float(value)})

    def _look_at(self, losses: Sequence[float]) -> Decision | None:
        """Count losses that are no number; return a decision where they have exploded."""
        for loss in losses:
            self._streak = 0 if math.isfinite(loss) else self._streak + 1
        finite = [loss for loss in losses if math.isfinite(loss)]
        if self._first is None and finite:
            self._first = finite[0]
        first, factor = self._first, self._factor
        if not finite or first is None or first <= 0 or factor is None:
            return None
        mean = math.fsum(finite) / len(finite)
        if mean <= factor * first:
            return None
        text = f"the training loss exploded: {mean:.4g} on average, {first:.4g} at first"
        return Decision("divergence", text, {"loss": mean, "first": first, "factor": factor})

    def _no_number(self) -> Decision:
        text = f"the training loss was no finite number in the last {self._streak} batches"
        return Decision("divergence", text, {"batches": self._streak})

    def _share(self, trainer: Trainer, decision: Decision | None, elsewhere: Decision) -> None:
        """Stop all ranks where one of them has decided so; the others say what it decided."""
        stops = trainer.strategy.reduce_boolean_decision(decision is not None, all=False)
        if stops:
            self._stop(trainer, decision or elsewhere)

    def _stop(self, trainer: Trainer, decision: Decision) -> None:
        self.decision = self.decision or decision
        trainer.should_stop = True


def _is_last(trainer: Trainer) -> bool:
    """Say whether training ends with this epoch anyway: there is nothing to stop then."""
    epochs, steps = trainer.max_epochs, trainer.max_steps
    if epochs is not None and 0 <= epochs <= trainer.current_epoch + 1:
        return True
    return 0 <= steps <= trainer.global_step

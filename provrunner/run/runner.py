"""One run, from its configuration to its sealed log."""

from __future__ import annotations

import math
import traceback
from collections.abc import Mapping
from pathlib import Path

from lightning import Trainer
from lightning.pytorch.utilities.model_helpers import is_overridden
from omegaconf import DictConfig, OmegaConf

from provrunner.capture import CaptureOptions, Leaf, ProvenanceCallback, RunContext
from provrunner.compose import RunSpec, set_joined_run
from provrunner.errors import nearest
from provrunner.log import ArrowSink, run_folder
from provrunner.run.build import build_data, build_module, build_trainer
from provrunner.run.continuing import Continuation, RandomState, find_continuation
from provrunner.run.hidden import (
    hidden_texts,
    hide_words,
    left_out,
    shown_reason,
    shown_values,
)
from provrunner.run.reads import ConfigReads
from provrunner.run.seeding import seed_run
from provrunner.run.signals import Stopped, raise_on_stop
from provrunner.run.stopping import RuleStop
from provrunner.run.words import redact_override
from provrunner.schema import RunStatus

__all__ = ["execute", "join"]


def execute(spec: RunSpec) -> RunStatus:
    """Train and test one planned run with capture on, and say how it ended.

    What the user's code raises is recorded, printed and turned into a status, because a sweep goes
    on without the run that failed.

    Raises:
        Stopped: a stop signal arrived; the log is sealed as `interrupted` by then.
    """
    folder = run_folder(spec.folder, spec.point.run_id)
    folder.mkdir(parents=True, exist_ok=True)
    continuation = find_continuation(folder, spec.config, anew=spec.anew)
    _write_config(folder, spec)
    return _execute(spec, folder, continuation)


def join(spec: RunSpec) -> RunStatus:
    """Take part in a run as one of its further ranks, with a log of its own beside the first's.

    Raises:
        Exception: what the user's code raised, so that Lightning stops the other ranks.
    """
    checkpoint = Path(spec.checkpoint) if spec.checkpoint else None
    folder = run_folder(spec.folder, spec.point.run_id)
    return _execute(spec, folder, Continuation(checkpoint=checkpoint), reraise=True)


def _execute(
    spec: RunSpec, folder: Path, continuation: Continuation, *, reraise: bool = False
) -> RunStatus:
    sink = ArrowSink(
        folder,
        sweep_id=spec.plan.sweep_id,
        run_id=spec.point.run_id,
        strict=spec.config.capture.strict,
    )
    callback = ProvenanceCallback(
        sink, options=_options(spec.config), context=_context(spec, folder, continuation)
    )
    divergence = spec.config.sweep.get("divergence")
    stop = RuleStop(spec.folder, spec.plan, spec.point, divergence)
    with raise_on_stop(sink.after_write):
        try:
            metrics = _train(spec, folder, (callback, stop), continuation.checkpoint)
        except Stopped as signalled:
            callback.interrupt(signalled.number)
            callback.close(RunStatus.INTERRUPTED, str(signalled))
            raise
        except Exception as error:
            traceback.print_exc()
            callback.fail(error)
            if reraise:
                raise
            return RunStatus.FAILED
        status, reason = stop.outcome or _verdict(spec, metrics)
        callback.close(status, reason)
        return status


def _train(
    spec: RunSpec,
    folder: Path,
    callbacks: tuple[ProvenanceCallback, RuleStop],
    checkpoint: Path | None,
) -> Mapping[str, float]:
    """Fit, then test; return the last value of every metric that the fit logged.

    A fit goes on from a checkpoint of the run's earlier attempt where there is one. What was
    stopped by a rule is not tested: it is not what the sweep promised.
    """
    callback, stop = callbacks
    seed_run(spec.point.seed)
    reads = ConfigReads(spec.references)
    data = build_data(spec.config, reads)
    module = build_module(spec.config, data, reads)
    trainer = build_trainer(spec.config, folder, reads, callback, RandomState(), stop)
    counts = reads.count(leaf.name for leaf in spec.leaves)
    callback.tell_reads({name: count for name, count in counts.items() if count is not None})
    if trainer.world_size > 1:
        set_joined_run(spec.to_joined(checkpoint))
    trainer.fit(module, datamodule=data, ckpt_path=checkpoint)
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    is_tested = spec.config.test and stop.decision is None
    if is_tested and is_overridden("test_step", module):
        trainer.test(module, datamodule=data, ckpt_path=_best_checkpoint(trainer), verbose=False)
    return metrics


def _best_checkpoint(trainer: Trainer) -> str | None:
    """Return the path of the checkpoint to test, or None for the weights as the fit left them."""
    return getattr(trainer.checkpoint_callback, "best_model_path", None) or None


def _verdict(spec: RunSpec, metrics: Mapping[str, float]) -> tuple[RunStatus, str | None]:
    """Judge a fit that ended by itself: a sweep cannot use an objective that is no number."""
    objective = spec.plan.objective.metric
    if objective not in metrics:
        if spec.runs == 1:
            return RunStatus.FINISHED, None
        options = _options(spec.config)
        metrics = {name: metrics[name] for name in metrics if options.keeps("metric", name)}
        known = ", ".join(sorted(metrics)) or "nothing"
        reason = f"objective '{objective}' was never logged{nearest(objective, metrics)} ({known})"
        return RunStatus.FAILED, reason
    if not math.isfinite(metrics[objective]):
        return RunStatus.DIVERGED, f"{objective} is {metrics[objective]}"
    return RunStatus.FINISHED, None


def _write_config(folder: Path, spec: RunSpec) -> None:
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(shown_values(spec.config)))
    words = hide_words(map(redact_override, spec.overrides), left_out(spec.config))
    (folder / "overrides.yaml").write_text(OmegaConf.to_yaml(words))


def _options(config: DictConfig) -> CaptureOptions:
    return CaptureOptions(
        level=config.capture.level,
        include=tuple(config.capture.include),
        exclude=tuple(config.capture.exclude),
        strict=config.capture.strict,
    )


def _context(spec: RunSpec, folder: Path, continuation: Continuation) -> RunContext:
    return RunContext(
        run_id=spec.point.run_id,
        seed=spec.point.seed,
        attempt=continuation.attempt,
        anew=continuation.anew,
        checkpoints=continuation.checkpoints,
        refused=continuation.refused,
        taken_over=spec.taken_over,
        command=spec.command or spec.plan.command,
        launcher=spec.launcher,
        config=tuple(Leaf(leaf.name, leaf.value, leaf.origin, leaf.source) for leaf in spec.leaves),
        reason=shown_reason(spec.config),
        folder=folder,
        secrets=hidden_texts(spec.leaves, left_out(spec.config)),
        owns_end=True,
    )

"""Knows when Lightning gathers a step's values for loggers that are not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

__all__ = ["gathers_for_nobody"]

_HANDS_OVER, _LOGGERS = "log_metrics", "_loggers"
_KNOWN_NAMES = {
    "update_train_step_metrics": (
        "trainer fit_loop _should_accumulate lightning_module automatic_optimization isinstance "
        "_first_loop_iter bool should_update_logs fast_dev_run log_metrics metrics"
    ),
    "update_eval_step_metrics": "isinstance _first_loop_iter bool log_metrics metrics",
    _HANDS_OVER: (
        "trainer loggers _logged_metrics update convert_tensors_to_scalars pop int setdefault "
        "current_epoch fit_loop epoch_loop _batches_that_stepped log_metrics save"
    ),
}


def gathers_for_nobody(trainer: Trainer, method: str) -> Callable[[], bool] | None:
    """Return what says of each call of a method of a trainer's connector that it comes to nothing.

    Lightning detaches every value of a step, each with a call into torch, and hands them to
    `log_metrics`, which has nobody to give them to where the trainer has no logger. A trainer that
    is given one later gathers for it from then on.

    Args:
        trainer: whose logger connector has the method.
        method: `update_train_step_metrics` or `update_eval_step_metrics`.

    Returns:
        None where the method may do more than that: somebody stands round it, it uses names that
        those of the Lightning we know do not, or the trainer finds its loggers itself.
    """
    connector = trainer._logger_connector
    others, held = vars(connector), vars(trainer)
    kind, methods = type(connector), (method, _HANDS_OVER)
    known = all(
        _uses(getattr(kind, name)) <= {*_KNOWN_NAMES[name].split()} for name in methods
    ) and _uses(type(trainer).loggers) == {_LOGGERS}
    if method in others or not known:
        return None
    # not by way of the property: it is asked at each step
    return lambda: not held[_LOGGERS] and _HANDS_OVER not in others


def _uses(method: object) -> set[str]:
    """Return the names that a method uses, or a property to be read."""
    code = getattr(getattr(method, "fget", method), "__code__", None)
    return {"?"} if code is None else set(code.co_names)

"""The rules by which a run is stopped early, given what it and the others have reached."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Decision", "as_recorded", "judge"]

_Own = Callable[[int], float | None]
_Others = Callable[[int], list[float]]


@dataclass(frozen=True, slots=True)
class Decision:
    """That a run is stopped, and why.

    Attributes:
        cause: `median`, `asha`, `patience`, `recorded` or `divergence`.
        reason: in one line.
        numbers: what it rests on; objectives are turned so that lower is better.
    """

    cause: str
    reason: str
    numbers: Mapping[str, Any] = field(default_factory=dict)


def judge(
    rule: Mapping[str, Any], before: int, epochs: int, own: _Own, others: _Others
) -> Decision | None:
    """Return the decision to stop a run; None lets it go on.

    Args:
        rule: as `sweep.prune` declares it, with all settings; of a repetition, `as_recorded`'s.
        before: epochs after which it was judged last.
        epochs: that it has trained.
        own: gives what it had reached after so many epochs, lower being better.
        others: gives what the other runs that came so far had reached.

    Example:
        >>> rule = {"rule": "asha", "first": 1, "factor": 3}
        >>> judge(rule, 0, 1, lambda _: 0.5, lambda _: [0.1, 0.2]).reason
        'asha: after 1 epochs 2 of 2 other runs were better; of 3, the best 1 go on'
    """
    return _RULES[rule["rule"]](rule, before, epochs, own, others)


def _median(
    rule: Mapping[str, Any], _before: int, epochs: int, own: _Own, others: _Others
) -> Decision | None:
    """Stop a run that is worse than the median of the others after as many epochs.

    After the median stopping rule of Golovin et al. (2017), Google Vizier, section 3.2.2, with the
    objective as the sweep counts it in the place of running averages.
    """
    value = own(epochs)
    if value is None or epochs <= rule["after"]:
        return None
    rivals = others(epochs)
    if len(rivals) < rule["at_least"]:
        return None
    median = statistics.median(rivals)
    if value <= median:
        return None
    text = f"median: after {epochs} epochs it was worse than the median of {len(rivals)} other runs"
    numbers = {"epochs": epochs, "rivals": len(rivals), "value": value, "median": median}
    return Decision("median", text, numbers)


def _asha(
    rule: Mapping[str, Any], before: int, epochs: int, own: _Own, others: _Others
) -> Decision | None:
    """Stop a run that is not among the best 1/factor of those that came to a rung before it.

    Rungs are first, first * factor, first * factor², … epochs. The stopping form of asynchronous
    successive halving (Li et al. 2020, A System for Massively Parallel Hyperparameter Tuning): a
    run is judged once at each rung, by who has been there by then.
    """
    rung = rule["first"]
    while rung * rule["factor"] <= epochs:
        rung *= rule["factor"]
    value = own(rung)
    if not before < rung <= epochs or value is None:
        return None
    rivals = others(rung)
    better = sum(rival < value for rival in rivals)
    kept = max(1, (len(rivals) + 1) // rule["factor"])
    if better < kept:
        return None
    text = (
        f"asha: after {rung} epochs {better} of {len(rivals)} other runs were better; "
        f"of {len(rivals) + 1}, the best {kept} go on"
    )
    counts = {"epochs": rung, "rivals": len(rivals), "better": better, "kept": kept}
    return Decision("asha", text, {**counts, "value": value})


def _patience(
    rule: Mapping[str, Any], _before: int, epochs: int, own: _Own, _others: _Others
) -> Decision | None:
    """Stop a run whose objective has not got better for some epochs."""
    now, then = own(epochs), own(epochs - rule["epochs"])
    if now is None or then is None or now < then - rule["delta"]:
        return None
    text = f"patience: no better for {rule['epochs']} epochs"
    return Decision("patience", text, {"epochs": epochs, "value": now})


def as_recorded(cause: str, epochs: int) -> Mapping[str, Any]:
    """Return the rule by which a run that repeats a stopped one ends where that did.

    Args:
        cause: the rule that stopped it; the other runs that it was judged by are not here.
        epochs: that it had trained by then.
    """
    return {"rule": "recorded", "cause": cause, "epochs": epochs}


def _recorded(
    rule: Mapping[str, Any], _before: int, epochs: int, _own: _Own, _others: _Others
) -> Decision | None:
    """Stop a run after as many epochs as the one that it repeats."""
    if epochs < rule["epochs"]:
        return None
    text = f"recorded: {rule['cause']} stopped the run that this one repeats after {epochs} epochs"
    return Decision("recorded", text, {"epochs": epochs})


_RULES: Mapping[str, Callable[..., Decision | None]] = {
    "median": _median,
    "asha": _asha,
    "patience": _patience,
    "recorded": _recorded,
}

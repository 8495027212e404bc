"""Sentences that say what was found, from a fixed template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from provrunner.sensitivity.advice import Need
from provrunner.sensitivity.components import Component
from provrunner.sensitivity.findings import Finding
from provrunner.sensitivity.numbers import (
    format_duration,
    format_level,
    format_list,
    format_number,
    format_uncertain,
)
from provrunner.sensitivity.winner import Winner

__all__ = [
    "describe_finding",
    "describe_interaction",
    "describe_need",
    "describe_runs",
    "describe_values",
    "describe_winner",
    "short_level",
    "short_names",
]

_LONGEST_LEVEL = 8
"""Numbers that are longer were drawn, not written, and are shown to four digits."""


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Map each name to its last part, where no other name ends in the same.

    Example:
        >>> short_names(["optimizer.lr", "model.width", "data.width"])
        {'optimizer.lr': 'lr', 'model.width': 'model.width', 'data.width': 'data.width'}
    """
    last = [name.rpartition(".")[2] for name in names]
    return {
        name: end if last.count(end) == 1 else name for name, end in zip(names, last, strict=True)
    }


def describe_values(values: Mapping[str, Any]) -> str:
    """Write a trial's values shortly.

    Example:
        >>> describe_values({"optimizer.lr": 0.01, "model.width": 64})
        'lr 0.01, width 64'
        >>> describe_values({"optimizer.lr": 0.012345678})
        'lr 0.01235'
    """
    names = short_names(tuple(values))
    return ", ".join(f"{names[name]} {short_level(value)}" for name, value in values.items())


def describe_finding(found: Finding, *, n_runs: int, seconds_per_run: float | None) -> str:
    """Say whether a factor matters, which levels are good, what its default costs."""
    name = found.factor.name
    if found.main is None:
        return f"{name}: no conclusion from {n_runs} {_plural('run', n_runs)}."
    if found.main.p is None and found.main.share is not None:
        return _describe_untested(found)
    if found.is_significant:
        parts = [_good_levels(found), _default_costs(found)]
        return f"{name} matters: {'; '.join(part for part in parts if part)}."
    if found.partners:
        return (
            f"{name}: no effect seen on average, but it changes the effect of "
            f"{format_list(found.partners)}."
        )
    limit = format_number(found.not_excluded or 0.0)
    sentence = f"{name}: no effect seen; one of up to {limit} is not excluded."
    return f"{sentence}{_need_of_one(found, seconds_per_run)}"


def _describe_untested(found: Finding) -> str:
    """Say what a factor explains where points were placed in view of earlier results."""
    share = found.main.share if found.main is not None else None
    name = found.factor.name
    if share is None:
        return f"{name}: no conclusion."
    where = ""
    if found.factor.axis is not None:
        covered = found.factor.axis.coverage
        where = f"; {covered:.0%} of its range was covered by three runs or more" * (covered < 1)
    return (
        f"{name} explains {share.value:.2f} of the variance ({share.low:.2f} to {share.high:.2f}), "
        f"{short_level(found.best)} being best on average; there is no test, since points were "
        f"placed, or runs stopped, in view of earlier results{where}."
    )


def describe_interaction(part: Component, names: Sequence[str]) -> str:
    """Say that factors interact significantly."""
    share = f", share {part.share.value:.2f}" if part.share else ""
    return (
        f"{format_list(names)} interact{share}: the effect of one depends on the other"
        f"{'s' if len(names) > 2 else ''}."
    )


def describe_need(need: Need, seconds_per_run: float | None) -> str:
    """Write a number of runs with the time they take.

    Example:
        >>> describe_need(Need(20, 5), 1.5)
        '20 more runs (about 30 s)'
    """
    return describe_runs(need.more_runs, seconds_per_run)


def describe_runs(more_runs: int, seconds_per_run: float | None) -> str:
    """Write a number of further runs with the time they take.

    Example:
        >>> describe_runs(1, None)
        '1 more run'
    """
    runs = f"{more_runs} more {_plural('run', more_runs)}"
    if seconds_per_run is None:
        return runs
    return f"{runs} (about {format_duration(more_runs * seconds_per_run)})"


def describe_winner(winner: Winner, sigma: float | None, *, n_trials: int) -> str:
    """Say which run is best, and whether its trial beats the runner-up beyond seed noise."""
    run = winner.run
    objective = run.objective if run.objective is not None else float("nan")
    value = format_uncertain(objective, sigma / 10).split(" ± ")[0] if sigma else f"{objective:.4g}"
    epoch = "" if run.epoch is None else f" at epoch {run.epoch}"
    values = describe_values(run.values)
    head = f"Best run {run.run_id}{f' ({values})' if values else ''}: {value}{epoch}"
    if winner.runner_up is None:
        alone = "no other trial to compare it with" if n_trials < 2 else "no other trial finished"
        return f"{head}; {alone}."
    if not winner.is_best_on_average:
        return (
            f"{head}; the trial {describe_values(winner.runner_up.values)} has the better mean "
            "over its seeds."
        )
    return f"{head}; {_beats(winner)}."


def short_level(value: Any) -> str:
    """Write a level, one that was drawn and not written to four digits.

    Example:
        >>> short_level(0.012345678), short_level(0.00316), short_level("adam")
        ('0.01235', '0.00316', 'adam')
    """
    text = format_level(value)
    return f"{value:.4g}" if isinstance(value, float) and len(text) > _LONGEST_LEVEL else text


def _beats(winner: Winner) -> str:
    if winner.better is None or winner.low is None or winner.difference is None:
        return "the noise between seeds is unknown, so that it may be luck"
    if not winner.better:
        return "not better than the runner-up beyond seed noise"
    advantage = format_uncertain(winner.difference, winner.difference - winner.low)
    return f"its trial beats the runner-up by {advantage} on average, beyond seed noise"


def _good_levels(found: Finding) -> str:
    best = format_level(found.best)
    if found.factor.axis is not None:
        return _good_stretches(found)
    others = [format_level(level) for level in found.as_good if format_level(level) != best]
    if not others:
        return f"{best} is best"
    if len(others) == len(found.factor.levels) - 1:
        return f"{best} is best on average, though no level can be ruled out"
    return f"{format_list(others)} may be as good as the best value, {best}"


def _good_stretches(found: Finding) -> str:
    """Say which stretches of a range may be as good as the best point shown."""
    good = [i for i, is_good in enumerate(found.curve.as_good) if is_good]
    levels, best = found.factor.levels, short_level(found.best)
    if len(good) == len(levels):
        return f"{best} is best on average, though no value can be ruled out"
    starts = [i for i in good if i - 1 not in good]
    stops = [i for i in good if i + 1 not in good]
    parts = [
        short_level(levels[a])
        if a == b
        else f"{short_level(levels[a])} to {short_level(levels[b])}"
        for a, b in zip(starts, stops, strict=True)
    ]
    if parts == [best]:
        return f"{best} is best"
    return f"{format_list(parts)} may be as good as the best value, {best}"


def _default_costs(found: Finding) -> str:
    if found.gain is None or found.factor.default is None:
        return ""
    default = format_level(found.factor.default_value)
    if found.factor.default == found.curve.best:
        return (
            f"the default {default} is the best value"
            if len(found.as_good) > 1
            else "it is the default"
        )
    if found.gain.low > 0:
        cost = format_uncertain(found.gain.value, found.gain.high - found.gain.value)
        return f"the default {default} costs {cost}"
    return f"the default {default} may cost up to {format_number(found.gain.high)}"


def _need_of_one(found: Finding, seconds_per_run: float | None) -> str:
    if found.need is None or found.sigma is None:
        return ""
    size = f"{format_number(found.sigma)} (1 σ)"
    if found.need.more_runs == 0:
        return f" These runs would have shown one of {size} four times in five."
    return f" {describe_need(found.need, seconds_per_run)} would show one of {size}."


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"
